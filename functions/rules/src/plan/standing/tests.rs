//! What records say: whose a service is, and which requests they admit.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::arbitrary_json::{any_json, any_number};
use crate::observed::GroupWeight;

fn arn(name: &str) -> String {
    format!(
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/0123456789abcdef"
    )
}

fn plan() -> String {
    let policy = crate::plan::Policy::default();
    json!({
        "blue": {"targetGroupArn": arn("tunnel-a"), "name": "tunnel-a", "healthy": 3},
        "green": {
            "targetGroupArn": arn("tunnel-b"), "name": "tunnel-b", "launchTemplateId": "lt-1",
            "launchTemplateVersion": "7", "subnets": [], "count": 3,
        },
        "policy": policy, "hash": "0123456789ab", "warnings": ["careful"],
    })
    .to_string()
}

fn record(stage: &str) -> Record {
    Record {
        owner: Some("first".to_owned()),
        execution: Some("arn:first".to_owned()),
        epoch: 5,
        stage: Some(stage.to_owned()),
        switched: true,
        blue: Some(arn("tunnel-a")),
        green: Some(arn("tunnel-b")),
        plan: Some(plan()),
        waiting_for: Some("2 busy sessions".to_owned()),
        ..Record::default()
    }
}

fn asked(deployment: &str, then: Then) -> TakeOver {
    TakeOver {
        deployment: deployment.to_owned(),
        then,
    }
}

#[test]
fn an_owner_comes_with_its_environments_so_that_it_can_be_superseded() {
    let owner = owner(&record("claimed"), "second", "arn:second").unwrap();
    assert_eq!(owner.blue.unwrap().name, "tunnel-a");
    assert_eq!(owner.green.unwrap().target_group_arn, arn("tunnel-b"));
    assert_eq!(owner.waiting_for.as_deref(), Some("2 busy sessions"));
}

#[test]
fn an_owner_that_clears_nothing_says_so() {
    let json = |record: &Record| {
        serde_json::to_value(owner(record, "second", "arn:second").unwrap()).unwrap()
    };
    assert!(json(&record("claimed"))["clearing"].is_null());
    assert!(json(&record("claimed")).get("clearing").is_some());
    let clearing = Record {
        clearing: Some("zeroth".to_owned()),
        ..record("superseding")
    };
    assert_eq!(json(&clearing)["clearing"], "zeroth");
}

#[test]
fn an_execution_that_was_taken_over_meets_its_successor_as_the_owner() {
    let taken = Record {
        execution: Some("arn:successor".to_owned()),
        ..record("draining")
    };
    let owner = owner(&taken, "first", "arn:first").unwrap();
    assert_eq!(
        (owner.deployment.as_str(), owner.execution.as_str()),
        ("first", "arn:successor")
    );
}

#[test]
fn only_ones_own_switched_record_is_a_repeat() {
    let switched = record("baking");
    assert!(is_repeat(&switched, "first", "arn:first"));
    let before = Record {
        switched: false,
        ..record("claimed")
    };
    assert!(
        !is_repeat(&before, "first", "arn:first"),
        "a plan made anew"
    );
    assert!(!is_repeat(&switched, "second", "arn:second"));
    assert!(
        !is_repeat(&switched, "first", "arn:successor"),
        "another execution of the same name"
    );
    assert!(!is_repeat(&Record::default(), "first", "arn:first"));
}

#[test]
fn a_rollback_is_told_to_an_owner_that_can_still_roll_back() {
    for stage in ["claimed", "switching", "baking"] {
        assert_eq!(
            roll_back(&record(stage), "first").unwrap().stage,
            stage,
            "{stage}"
        );
    }
    let refused = |record: &Record, named: &str| roll_back(record, named).unwrap_err();
    assert_eq!(
        refused(&record("draining"), "first"),
        Unready::RollbackIsOver("first".to_owned())
    );
    assert_eq!(
        refused(&record("rollingBack"), "first"),
        Unready::RollingBack("first".to_owned())
    );
    assert_eq!(
        refused(&record("superseding"), "first"),
        Unready::Superseding("first".to_owned())
    );
    let other = refused(&record("baking"), "second").to_string();
    assert!(other.contains("deployment first does"), "{other}");
    let free = refused(&Record::default(), "second").to_string();
    assert!(free.contains("nobody does"), "{free}");
}

#[test]
fn rule_9_a_bake_that_has_ended_is_over_whatever_stage_a_late_write_left() {
    let baked = |stage| Record {
        baked_at: Some("2026-11-22T10:15:00Z".to_owned()),
        ..record(stage)
    };
    let back = asked("first", Then::RollBack);
    for stage in ["claimed", "switching", "baking", "draining"] {
        assert_eq!(
            roll_back(&baked(stage), "first"),
            Err(Unready::RollbackIsOver("first".to_owned())),
            "{stage}"
        );
        assert_eq!(
            take_over(&baked(stage), &back),
            Err(Unready::NoTakeOverToRollBack("first".to_owned())),
            "{stage}"
        );
        assert!(take_over(&baked(stage), &asked("first", Then::Continue)).is_ok());
    }
    // A rollback bakes its own switch back; going on with it is no second one.
    assert_eq!(
        roll_back(&baked("rollingBack"), "first"),
        Err(Unready::RollingBack("first".to_owned()))
    );
    assert!(take_over(&baked("rollingBack"), &back).is_ok());
}

#[test]
fn a_take_over_goes_on_with_the_recorded_plan() {
    for stage in ["claimed", "switching", "baking", "draining", "rollingBack"] {
        let (owner, plan) = take_over(&record(stage), &asked("first", Then::Continue)).unwrap();
        assert_eq!((owner.epoch, owner.stage.as_str()), (5, stage));
        assert_eq!(plan.blue.healthy, 3);
        assert_eq!(plan.warnings, ["careful"]);
    }
    for stage in ["switching", "baking", "rollingBack"] {
        assert!(take_over(&record(stage), &asked("first", Then::RollBack)).is_ok());
    }
}

#[test]
fn a_take_over_is_refused_where_the_record_rules_it_out() {
    let refused = |record: &Record, asked: &TakeOver| take_over(record, asked).unwrap_err();
    assert_eq!(
        refused(&record("draining"), &asked("first", Then::RollBack)),
        Unready::NoTakeOverToRollBack("first".to_owned()),
        "rule 9"
    );
    assert_eq!(
        refused(&record("superseding"), &asked("first", Then::Continue)),
        Unready::Superseding("first".to_owned())
    );
    assert!(matches!(
        refused(&record("baking"), &asked("second", Then::Continue)),
        Unready::NotOwner { .. }
    ));
    assert!(matches!(
        refused(&Record::default(), &asked("first", Then::Continue)),
        Unready::NotOwner { owner: None, .. }
    ));
}

#[test]
fn a_plan_that_is_not_there_or_not_the_records_is_none() {
    let elsewhere = arn("tunnel-c");
    let cases = [
        (None, None, "there is none"),
        (Some("{".to_owned()), None, "EOF"),
        (Some("{}".to_owned()), None, "missing field"),
        (Some(plan()), Some(elsewhere), "other target groups"),
    ];
    for (plan, green, words) in cases {
        let damaged = Record {
            plan,
            green: green.or(record("baking").green),
            ..record("baking")
        };
        let told = take_over(&damaged, &asked("first", Then::Continue))
            .unwrap_err()
            .to_string();
        assert!(told.contains(words), "{told}");
        assert!(told.contains("arn:first"), "{told}");
    }
}

#[test]
fn greens_weight_is_its_share_rounded_down() {
    let percent = |blue, green| {
        let weight = |name: &str, weight| GroupWeight {
            target_group_arn: arn(name),
            weight,
        };
        let forward = Forward {
            groups: vec![weight("tunnel-a", blue), weight("tunnel-b", green)],
            sticky: false,
        };
        let environment = |name: &str| Environment::of_arn(&arn(name));
        green_percent(&forward, &environment("tunnel-a"), &environment("tunnel-b"))
    };
    assert_eq!(percent(100, 0), 0);
    assert_eq!(percent(0, 100), 100);
    assert_eq!(percent(0, 1), 100);
    assert_eq!(percent(2, 1), 33);
    assert_eq!(percent(0, 0), 0);
}

proptest! {
    #[test]
    fn a_damaged_plan_is_none_or_still_names_the_records_groups(
        place in prop::sample::select(vec![
            "", "/blue", "/blue/targetGroupArn", "/blue/healthy", "/green", "/green/targetGroupArn", "/green/subnets",
            "/green/count", "/policy", "/policy/steps", "/policy/bakeSeconds", "/policy/detached", "/hash", "/warnings",
        ]),
        damage in prop_oneof![any_json(), any_number()],
        lost in any::<prop::sample::Index>(),
    ) {
        let mut damaged: Value = serde_json::from_str(&plan()).unwrap();
        *damaged.pointer_mut(place).unwrap() = damage;
        let part: String = plan().chars().take(lost.index(plan().len())).collect();
        for text in [damaged.to_string(), part] {
            let record = Record { plan: Some(text), ..record("baking") };
            match take_over(&record, &asked("first", Then::Continue)) {
                Ok((_, plan)) => {
                    prop_assert_eq!(plan.blue.environment.target_group_arn, arn("tunnel-a"));
                    prop_assert_eq!(plan.green.environment.target_group_arn, arn("tunnel-b"));
                }
                Err(refused) => prop_assert!(matches!(refused, Unready::NoPlan { .. }), "{}", refused),
            }
        }
    }
}
