//! What records say: who may plan, and which plan a take-over goes on with.

use super::*;
use crate::examples;
use crate::observed::GroupWeight;

fn pair() -> (Environment, Environment) {
    (
        examples::environment("blue"),
        examples::environment("green"),
    )
}

fn plan() -> Recorded {
    let (blue, green) = pair();
    examples::recorded(&blue, &green, &[])
}

fn holding(phase: Phase) -> Record {
    examples::record(Some(examples::front(plan(), phase)), Vec::new())
}

fn phases() -> [Phase; 5] {
    let (blue, green) = pair();
    [
        examples::superseding(&blue, &green),
        Phase::Claimed,
        Phase::Switched,
        examples::rolling_back(),
        Phase::Detaching { environment: blue },
    ]
}

#[test]
fn nobody_holds_a_service_without_a_front_whatever_retires() {
    let (blue, _) = pair();
    let entry = examples::entry(&blue, examples::another(), plan());
    let record = examples::record(None, vec![entry]);
    assert_eq!(holder(&record, examples::EXECUTION), Holder::Free);
    assert_eq!(
        holder(&Record::default(), examples::EXECUTION),
        Holder::Free
    );
}

#[test]
fn another_holds_it_unless_it_only_detaches() {
    for phase in phases() {
        let expected = match phase {
            Phase::Detaching { .. } => Holder::Free,
            _ => Holder::Another,
        };
        assert_eq!(holder(&holding(phase.clone()), "arn:other"), expected);
    }
}

#[test]
fn an_execution_plans_again_what_it_claimed_and_not_what_it_switched() {
    for phase in phases() {
        let expected = match phase {
            Phase::Switched | Phase::RollingBack { .. } => Holder::Switched,
            _ => Holder::Free,
        };
        let found = holder(&holding(phase.clone()), examples::EXECUTION);
        assert_eq!(found, expected, "{phase:?}");
    }
}

#[test]
fn a_take_over_goes_on_with_the_recorded_plan_of_the_front_or_of_a_drain() {
    for phase in phases() {
        assert_eq!(recorded(&holding(phase), examples::DEPLOYMENT), Ok(plan()));
    }
    let (blue, _) = pair();
    let mut theirs = plan();
    theirs.warnings.push("careful".to_owned());
    let entry = examples::entry(&blue, examples::another(), theirs.clone());
    let mut record = holding(Phase::Claimed);
    record.retiring.push(entry);
    assert_eq!(recorded(&record, "deploy-0"), Ok(theirs));
    let refused = recorded(&record, "deploy-9").unwrap_err();
    let words = refused.to_string();
    assert!(words.contains("deploy-1, deploy-0"), "{words}");
    let nobody = recorded(&Record::default(), "deploy-9").unwrap_err();
    assert!(nobody.to_string().contains("nobody does"), "{nobody}");
}

#[test]
fn greens_weight_is_its_share_rounded_down() {
    let percent = |blue, green| {
        let weight = |name: &str, weight| GroupWeight {
            target_group_arn: format!("arn:{name}"),
            weight,
        };
        let forward = Forward {
            groups: vec![weight("blue", blue), weight("green", green)],
            sticky: false,
        };
        green_percent(&[forward], &plan())
    };
    assert_eq!(percent(100, 0), 0);
    assert_eq!(percent(0, 100), 100);
    assert_eq!(percent(0, 1), 100);
    assert_eq!(percent(2, 1), 33);
    assert_eq!(percent(0, 0), 0);
}

#[test]
fn greens_share_is_the_highest_that_it_has_at_any_listener() {
    let mut plan = plan();
    for (environment, second) in [
        (&mut plan.blue.environment, "blue-tls"),
        (&mut plan.green.environment, "green-tls"),
    ] {
        environment.target_group_arns.push(second.to_owned());
    }
    let forward = |groups: [(&str, u32); 2]| Forward {
        groups: groups
            .map(|(arn, weight)| GroupWeight {
                target_group_arn: arn.to_owned(),
                weight,
            })
            .into(),
        sticky: false,
    };
    let first = plan.blue.environment.target_group_arns[0].clone();
    let unmoved = forward([(&first, 100), ("none", 0)]);
    let moved = forward([("blue-tls", 90), ("green-tls", 10)]);
    assert_eq!(green_percent(&[unmoved.clone(), moved], &plan), 10);
    assert_eq!(green_percent(&[unmoved], &plan), 0);
    assert_eq!(green_percent(&[], &plan), 0);
}
