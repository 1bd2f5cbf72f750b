//! Each rule that keeps a server alive, and the count of what is left.

use super::*;

fn environment() -> Environment {
    Environment {
        target_group_arn: "arn:a".to_owned(),
        name: "tunnel-a".to_owned(),
    }
}

fn order(licence: Licence) -> Order {
    Order {
        deployment: "deploy-1".to_owned(),
        environment: environment(),
        licence,
        sealed: vec!["i-1".to_owned(), "i-2".to_owned()],
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
        launched_at: None,
        tags,
    }
}

fn target(instance: &str) -> Target {
    Target {
        instance: instance.to_owned(),
        registered: true,
        healthy: true,
        state: String::new(),
    }
}

/// One sealed instance of a group without weight, beside a group that has it all.
fn one() -> Observation {
    Observation {
        instances: vec![instance("i-1", InstanceState::Running)],
        unseen: Vec::new(),
        targets: vec![target("i-1")],
        weighted: vec![WeightedGroup {
            target_group_arn: "arn:b".to_owned(),
            weight: 100,
            instances: vec!["i-9".to_owned()],
        }],
        switched: true,
    }
}

fn refusal(seen: &Observation, order: &Order) -> Refusal {
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
fn rule_1_never_served_ends_with_the_switch() {
    let mut seen = one();
    assert_eq!(
        refusal(&seen, &order(Licence::NeverServed)),
        Refusal::AlreadySwitched("deploy-1".to_owned())
    );
    seen.switched = false;
    let unsealed = Order {
        sealed: Vec::new(),
        ..order(Licence::NeverServed)
    };
    assert_eq!(decide(&seen, &unsealed).terminate, ["i-1"]);
}

#[test]
fn rule_6_nothing_ends_while_its_group_has_weight() {
    let mut seen = one();
    seen.weighted[0].target_group_arn = "arn:a".to_owned();
    seen.weighted[0].weight = 1;
    seen.switched = false;
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
    seen = Observation {
        switched: false,
        ..one()
    };
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
    assert!(!rest(&seen).empty);
}

#[test]
fn the_environment_is_empty_only_when_everything_is_terminated() {
    let mut seen = one();
    seen.instances = vec![
        instance("i-1", InstanceState::Terminated),
        instance("i-2", InstanceState::ShuttingDown),
    ];
    let left = rest(&seen);
    assert_eq!((left.remaining, left.empty), (1, false));
    assert_eq!(left.ending, ["i-2"]);
    seen.instances[1].state = InstanceState::Terminated;
    assert!(
        rest(&seen).empty,
        "i-1 is still a target, of an instance that is gone"
    );
    seen.targets.push(target("i-3"));
    let left = rest(&seen);
    assert_eq!(
        (left.remaining, left.empty),
        (0, false),
        "a target that nobody listed"
    );
}

#[test]
fn an_environment_without_instances_is_empty() {
    assert!(
        rest(&Observation {
            instances: Vec::new(),
            targets: Vec::new(),
            ..one()
        })
        .empty
    );
}

#[test]
fn a_scaling_group_is_lowered_only_as_far_as_needed() {
    assert_eq!(lower_min_size(3, 3, 1), Some(2));
    assert_eq!(lower_min_size(1, 3, 2), None);
    assert_eq!(lower_min_size(3, 3, 5), Some(0));
    assert_eq!(lower_min_size(0, 0, 1), None);
}
