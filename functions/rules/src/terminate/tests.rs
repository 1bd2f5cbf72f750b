//! Each rule that keeps a server alive, and the count of what is left.

mod stale;

use super::*;
use crate::examples;
use crate::observed::Target;
use crate::record::{Phase, Work};
use crate::shape::Fence;
use crate::{ErrorName, Failure};

fn environment() -> Environment {
    Environment {
        target_group_arns: vec!["arn:a".to_owned()],
        name: "tunnel-a".to_owned(),
        auto_scaling_group: None,
    }
}

fn order(licence: Licence) -> Termination {
    Termination {
        deployment: "deploy-1".to_owned(),
        environment: environment(),
        licence,
        sealed: vec!["i-1".to_owned(), "i-2".to_owned()],
        version_before: None,
    }
}

fn instance(id: &str, state: InstanceState) -> Instance {
    let tags = [
        (ENVIRONMENT_TAG, "tunnel-a"),
        (RETIRING_TAG, "deploy-1"),
        (DEPLOYMENT_TAG, "deploy-1"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    Instance {
        id: id.to_owned(),
        ip: Some("10.0.0.1".to_owned()),
        subnet: None,
        state,
        ended_by: None,
        launched_at: None,
        tags,
    }
}

fn group(arn: &str, instances: &[&str]) -> GroupTargets {
    GroupTargets {
        target_group_arn: arn.to_owned(),
        targets: instances.iter().map(|it| target(it)).collect(),
    }
}

fn target(instance: &str) -> Target {
    Target {
        instance: instance.to_owned(),
        registered: true,
        healthy: true,
        state: String::new(),
        ports: vec![80],
    }
}

/// One sealed instance of a group without weight, beside a group that has it all.
fn one() -> Observation {
    Observation {
        instances: vec![instance("i-1", InstanceState::Running)],
        unseen: Vec::new(),
        targets: vec![group("arn:a", &["i-1"])],
        weighted: vec![WeightedGroup {
            target_group_arn: "arn:b".to_owned(),
            weight: 100,
            instances: vec!["i-9".to_owned()],
        }],
        group: None,
    }
}

fn refusal(seen: &Observation, order: &Termination) -> Refusal {
    let decision = decide(seen, order);
    assert!(
        decision.terminate.is_empty(),
        "{:?} would be ended",
        decision.terminate
    );
    assert_eq!(decision.refused.len(), 1);
    decision.refused[0].1.clone()
}

fn not_tagged(key: &'static str, wanted: &str, found: Option<&str>) -> Refusal {
    Refusal::NotTagged {
        key,
        wanted: wanted.to_owned(),
        found: found.map(str::to_owned),
    }
}

#[test]
fn a_sealed_tagged_instance_without_weight_is_ended() {
    let decision = decide(&one(), &order(Licence::Sealed));
    assert_eq!(decision.terminate, ["i-1"]);
    assert!(decision.refused.is_empty());
}

#[test]
fn rule_1_nothing_ends_without_its_seal() {
    let mut order = order(Licence::Sealed);
    order.sealed = vec!["i-2".to_owned()];
    assert_eq!(
        refusal(&one(), &order),
        Refusal::NotSealed("deploy-1".to_owned())
    );
}

#[test]
fn rule_1_never_served_needs_no_seal() {
    let unsealed = Termination {
        sealed: Vec::new(),
        ..order(Licence::NeverServed)
    };
    assert_eq!(decide(&one(), &unsealed).terminate, ["i-1"]);
}

#[test]
fn rule_1_never_served_ends_with_the_switch() {
    let (blue, green) = (
        examples::environment("blue"),
        examples::environment("green"),
    );
    let admits = |phase, environment: &Environment| {
        let plan = examples::recorded(&blue, &green, &[]);
        let retiring = vec![examples::entry(&blue, examples::owner(), plan.clone())];
        let record = examples::record(Some(examples::front(plan, phase)), retiring);
        let fence = Fence {
            deployment: examples::DEPLOYMENT.to_owned(),
            epoch: examples::EPOCH,
        };
        record
            .admits(&fence, Work::EndUnserved(environment))
            .is_ok()
    };
    let phases = [
        (Phase::Claimed, true),
        (examples::superseding(&blue, &green), true),
        (Phase::Switched, false),
        (examples::rolling_back(), false),
        (
            Phase::Detaching {
                environment: green.clone(),
            },
            false,
        ),
    ];
    for (phase, admitted) in phases {
        assert_eq!(admits(phase.clone(), &green), admitted, "{phase:?}");
        assert!(!admits(phase.clone(), &blue), "{phase:?}: blue serves");
    }
}

#[test]
fn rule_6_nothing_ends_while_its_group_has_weight() {
    let mut seen = one();
    seen.weighted[0].target_group_arn = "arn:a".to_owned();
    seen.weighted[0].weight = 1;
    for licence in [Licence::Sealed, Licence::NeverServed] {
        assert_eq!(
            refusal(&seen, &order(licence)),
            Refusal::GroupHasWeight {
                group: "tunnel-a".to_owned(),
                weight: 1
            }
        );
    }
}

#[test]
fn rule_6_nothing_ends_as_a_target_of_another_weighted_group() {
    let mut seen = one();
    seen.weighted[0].instances.push("i-1".to_owned());
    assert_eq!(
        refusal(&seen, &order(Licence::Sealed)),
        Refusal::TargetOfWeightedGroup {
            target_group_arn: "arn:b".to_owned(),
            weight: 100
        }
    );
}

#[test]
fn rule_6_nothing_ends_without_this_deployments_tags() {
    let mut seen = one();
    seen.instances[0]
        .tags
        .insert(RETIRING_TAG.to_owned(), "deploy-0".to_owned());
    assert_eq!(
        refusal(&seen, &order(Licence::Sealed)),
        not_tagged(RETIRING_TAG, "deploy-1", Some("deploy-0"))
    );
    seen.instances[0].tags.remove(RETIRING_TAG);
    assert_eq!(
        refusal(&seen, &order(Licence::Sealed)),
        not_tagged(RETIRING_TAG, "deploy-1", None)
    );
    seen.instances[0]
        .tags
        .insert(ENVIRONMENT_TAG.to_owned(), "tunnel-b".to_owned());
    assert_eq!(
        refusal(&seen, &order(Licence::Sealed)),
        not_tagged(ENVIRONMENT_TAG, "tunnel-a", Some("tunnel-b"))
    );
    seen = Observation { ..one() };
    seen.instances[0].tags.remove(DEPLOYMENT_TAG);
    assert_eq!(
        refusal(&seen, &order(Licence::NeverServed)),
        not_tagged(DEPLOYMENT_TAG, "deploy-1", None)
    );
}

#[test]
fn what_is_ending_or_gone_is_left_alone() {
    let mut seen = one();
    seen.instances = vec![
        instance("i-1", InstanceState::ShuttingDown),
        instance("i-2", InstanceState::Terminated),
    ];
    assert_eq!(decide(&seen, &order(Licence::Sealed)), Decision::default());
}

#[test]
fn rule_2_an_instance_that_ec2_does_not_show_blocks() {
    let seen = Observation {
        instances: Vec::new(),
        targets: Vec::new(),
        unseen: vec!["i-1".to_owned()],
        ..one()
    };
    assert_eq!(refusal(&seen, &order(Licence::Sealed)), Refusal::Unseen);
    assert!(!rest(&seen, &order(Licence::Sealed)).empty);
}

#[test]
fn the_environment_is_empty_only_when_everything_is_terminated() {
    let mut seen = one();
    seen.instances = vec![
        instance("i-1", InstanceState::Terminated),
        instance("i-2", InstanceState::ShuttingDown),
    ];
    let left = rest(&seen, &order(Licence::Sealed));
    assert_eq!((left.remaining, left.empty), (1, false));
    assert_eq!(left.ending, ["i-2"]);
    seen.instances[1].state = InstanceState::Terminated;
    let left = rest(&seen, &order(Licence::Sealed));
    assert_eq!(
        (left.remaining, left.empty),
        (0, false),
        "i-1 is still a target, though its instance is gone"
    );
    assert_eq!(stale(&seen), ["i-1"]);
    seen.targets.push(group("arn:a-tls", &["i-1"]));
    seen.targets[0].targets[0].registered = false;
    let at_another_listener = rest(&seen, &order(Licence::Sealed));
    assert!(!at_another_listener.empty);
    assert_eq!(stale(&seen), ["i-1"]);
    seen.targets[1].targets[0].registered = false;
    assert!(rest(&seen, &order(Licence::Sealed)).empty);
    assert_eq!(stale(&seen), [""; 0]);
    seen.targets[1].targets.push(target("i-3"));
    assert_eq!(stale(&seen), [""; 0], "nobody knows that it is gone");
    let left = rest(&seen, &order(Licence::Sealed));
    assert_eq!(
        (left.remaining, left.empty),
        (0, false),
        "a target that nobody listed"
    );
}

#[test]
fn an_environment_without_instances_is_empty() {
    assert!(
        rest(
            &Observation {
                instances: Vec::new(),
                targets: Vec::new(),
                ..one()
            },
            &order(Licence::Sealed)
        )
        .empty
    );
}

#[test]
fn an_order_goes_by_an_environment_under_its_own_name() {
    let group = Environment::of(vec!["arn:aws:x:targetgroup/tunnel-a/1".to_owned()]);
    let order = Termination::sealed("deploy-1", &group, &["i-1".to_owned()]).unwrap();
    assert_eq!(
        (order.licence, order.ownership()),
        (Licence::Sealed, RETIRING_TAG)
    );
    let order = Termination::unserved("deploy-1", &group).unwrap();
    assert_eq!(
        (order.licence, order.ownership()),
        (Licence::NeverServed, DEPLOYMENT_TAG)
    );
    assert_eq!(order.sealed, [""; 0]);
    let misnamed = Environment {
        name: "tunnel-b".to_owned(),
        ..group
    };
    for refused in [
        Termination::sealed("deploy-1", &misnamed, &[]),
        Termination::unserved("deploy-1", &misnamed),
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.name(), ErrorName::InvalidInput, "{refused}");
    }
}

#[test]
fn weight_on_what_is_emptied_calls_an_operator_and_on_what_never_served_is_told_of_each_server() {
    let mut seen = one();
    assert_eq!(order(Licence::Sealed).refuse_weight(&seen), Ok(()));
    seen.weighted[0].target_group_arn = "arn:a".to_owned();
    let blocked = order(Licence::Sealed).refuse_weight(&seen).unwrap_err();
    assert!(blocked.to_string().contains("has weight 100"), "{blocked}");
    assert_eq!(blocked.name(), ErrorName::NotConfirmed);
    assert_eq!(order(Licence::NeverServed).refuse_weight(&seen), Ok(()));
    let blocked = conclude(&seen, &order(Licence::NeverServed)).unwrap_err();
    assert!(blocked.to_string().contains("1 instance that"), "{blocked}");
}

#[test]
fn what_may_not_be_ended_is_told_while_something_ends_and_calls_an_operator_when_nothing_does() {
    let mut seen = one();
    seen.instances[0].tags.clear();
    let ended = conclude(&seen, &order(Licence::Sealed)).unwrap();
    assert_eq!((ended.verdict, ended.remaining), (Verdict::Left, 1));
    assert!(ended.refused[0].reason.contains("missing"), "{ended:?}");
    let unserved = order(Licence::NeverServed);
    assert!(matches!(
        conclude(&seen, &unserved),
        Err(Blocked::Foreign { count: 1, .. })
    ));
    seen.instances
        .push(instance("i-2", InstanceState::ShuttingDown));
    assert_eq!(conclude(&seen, &unserved).unwrap().ending, ["i-2"]);
}

#[test]
fn at_most_twenty_refusals_are_told_by_name() {
    let mut seen = one();
    seen.instances = (0..30)
        .map(|number| instance(&format!("i-{number}"), InstanceState::Running))
        .collect();
    let ended = conclude(&seen, &order(Licence::Sealed)).unwrap();
    assert_eq!((ended.refused.len(), ended.remaining), (20, 30));
}

#[test]
fn what_ended_once_is_remembered_when_ec2_has_forgotten_it() {
    let ended = |ids: &[&str]| Terminated {
        verdict: Verdict::Left,
        terminated: ids.iter().map(|id| (*id).to_owned()).collect(),
        ending: Vec::new(),
        refused: Vec::new(),
        remaining: 1,
        tried: None,
    };
    let mut now = ended(&["i-3", "i-2"]);
    now.remember(None);
    assert_eq!(now.terminated, ["i-2", "i-3"]);
    now.remember(Some(&ended(&["i-1", "i-2"])));
    assert_eq!(now.terminated, ["i-1", "i-2", "i-3"]);
}

#[test]
fn a_green_that_does_not_end_is_told_and_a_redrive_waits_anew() {
    let ended = |remaining, tried| Terminated {
        verdict: if remaining == 0 {
            Verdict::Gone
        } else {
            Verdict::Left
        },
        terminated: Vec::new(),
        ending: vec!["i-1".to_owned()],
        refused: Vec::new(),
        remaining,
        tried,
    };
    let looks = |licence, redrives, minutes: i64, remaining| {
        let former = ended(
            1,
            Some(Tried {
                since: examples::NOW,
                redrives: 0,
            }),
        );
        let now = examples::after(minutes * 60);
        let mut look = ended(remaining, None);
        look.tried(Some(&former), &order(licence), redrives, now)
            .map(|()| look.tried.unwrap().since)
    };
    assert_eq!(looks(Licence::NeverServed, 0, 90, 1), Ok(examples::NOW));
    let told = looks(Licence::NeverServed, 0, 91, 1).unwrap_err();
    assert_eq!(told.name(), ErrorName::NotConfirmed);
    assert!(
        told.to_string()
            .contains("1 instance of it has not ended in 90 minutes (i-1)"),
        "{told}"
    );
    assert_eq!(looks(Licence::NeverServed, 0, 91, 0), Ok(examples::NOW));
    assert_eq!(
        looks(Licence::NeverServed, 1, 91, 1),
        Ok(examples::after(91 * 60))
    );
    assert!(
        looks(Licence::Sealed, 0, 91, 1).is_ok(),
        "a drain has its deadline"
    );
}
