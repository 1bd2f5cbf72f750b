//! Green's group by table: what it is given, in which order, and when green is healthy or given up.

use super::*;
use crate::hold::SUSPENDED_TAG;
use crate::observed::InstanceState;
use crate::scaling::ScalingMember;
use crate::shape::Environment;

const SIZES: Sizes = Sizes {
    min: 2,
    max: 8,
    desired: 3,
};
const ALL: [&str; 3] = ["i-1", "i-2", "i-3"];

fn at(seconds: u32) -> Timestamp {
    Timestamp::UNIX_EPOCH + crate::launch::seconds(seconds)
}

fn wake() -> GroupLaunch {
    GroupLaunch {
        sizes: SIZES,
        version_before: "6".to_owned(),
    }
}

fn green() -> Green {
    Green {
        environment: Environment {
            target_group_arns: vec!["arn:b".to_owned()],
            name: "tunnel-b".to_owned(),
            auto_scaling_group: Some("fleet".to_owned()),
        },
        launch_template_id: "lt-1".to_owned(),
        launch_template_version: "7".to_owned(),
        subnets: Vec::new(),
        count: 3,
        group: Some(wake()),
    }
}

fn group(sizes: Sizes, version: &str) -> ScalingGroup {
    ScalingGroup {
        name: "fleet".to_owned(),
        sizes,
        version: version.to_owned(),
        ..ScalingGroup::default()
    }
}

/// Awake, with three members in service, of which the first `healthy` are healthy.
fn whole(healthy: usize) -> Observation {
    let target = |(index, id): (usize, &&str)| Target {
        instance: (*id).to_owned(),
        registered: true,
        healthy: index < healthy,
        state: "initial".to_owned(),
        ports: vec![80],
    };
    let members = ALL.iter().map(|id| ScalingMember {
        instance: (*id).to_owned(),
        protected: true,
        lifecycle: "InService".to_owned(),
    });
    Observation {
        group: ScalingGroup {
            members: members.collect(),
            ..group(SIZES, "7")
        },
        instances: ALL.iter().map(|id| instance(id)).collect(),
        targets: ALL.iter().enumerate().map(target).collect(),
        failures: Vec::new(),
        given_up: None,
    }
}

fn instance(id: &str) -> Instance {
    Instance {
        id: id.to_owned(),
        ip: Some("10.0.0.1".to_owned()),
        subnet: None,
        state: InstanceState::Running,
        ended_by: None,
        launched_at: None,
        tags: std::collections::BTreeMap::new(),
    }
}

fn empty(group: ScalingGroup) -> Observation {
    Observation {
        group,
        instances: Vec::new(),
        targets: Vec::new(),
        failures: Vec::new(),
        given_up: None,
    }
}

fn decided(seen: &Observation, former: &Launching, now: u32) -> Decision {
    let bounds = Bounds {
        healthy_seconds: 600,
        minimum_healthy: 2,
    };
    decide(seen, &green(), &wake(), bounds, former, at(now))
}

fn first(seen: &Observation) -> Decision {
    decided(seen, &Launching::default(), 0)
}

#[test]
fn a_parked_group_is_woken_and_gets_back_what_parking_took() {
    let parked = first(&empty(group(Sizes::PARKED, "6")));
    assert_eq!(
        (parked.verdict, parked.step),
        (Verdict::Wait, Some(Step::Wake))
    );
    let mut awake = group(SIZES, "7");
    awake.tags.insert(
        SUSPENDED_TAG.to_owned(),
        "deploy-0 tunnel-b ScheduledActions".to_owned(),
    );
    awake.suspended = vec!["ScheduledActions".to_owned(), "HealthCheck".to_owned()];
    let step = first(&empty(awake.clone())).step;
    assert_eq!(
        step,
        Some(Step::Resume(vec!["ScheduledActions".to_owned()]))
    );
    awake.suspended = vec!["HealthCheck".to_owned()];
    assert_eq!(first(&empty(awake)).step, Some(Step::Forget));
    assert_eq!(first(&empty(group(SIZES, "7"))).step, None);
}

#[test]
fn sizes_that_policies_change_meanwhile_are_left_alone() {
    let mut seen = whole(3);
    seen.group.sizes.desired = 5;
    let grown = first(&seen);
    assert_eq!(
        (grown.verdict, grown.wanted, grown.step),
        (Verdict::Healthy, 3, None)
    );
    seen.group.sizes.desired = 2;
    assert_eq!(first(&seen).wanted, 2);
    seen.group.sizes = Sizes {
        min: 1,
        max: 8,
        desired: 1,
    };
    assert_eq!(
        first(&seen).wanted,
        2,
        "never fewer than it takes to be given weight"
    );
}

#[test]
fn healthy_is_who_is_in_service_and_healthy_and_nobody_is_before_the_group_has_what_it_needs() {
    assert_eq!(first(&whole(3)).verdict, Verdict::Healthy);
    let two = first(&whole(2));
    assert_eq!((two.verdict, two.healthy), (Verdict::Wait, 2));
    assert!(
        two.reason
            .contains("2 of 3 servers of Auto Scaling group fleet"),
        "{}",
        two.reason
    );
    let mut pending = whole(3);
    "Pending:Wait".clone_into(&mut pending.group.members[0].lifecycle);
    assert_eq!(first(&pending).healthy, 2);
    let mut noted = whole(3);
    noted
        .group
        .tags
        .insert(SUSPENDED_TAG.to_owned(), "deploy-0 tunnel-b".to_owned());
    assert_eq!(first(&noted).verdict, Verdict::Wait);
}

#[test]
fn green_is_given_up_in_time_with_what_auto_scaling_says() {
    let mut seen = whole(1);
    let looked = first(&seen);
    assert_eq!(
        decided(&seen, &looked.launching, 600).verdict,
        Verdict::Wait
    );
    seen.failures = vec!["We currently do not have sufficient capacity".to_owned()];
    let late = decided(&seen, &looked.launching, 601);
    assert_eq!((late.verdict, late.step), (Verdict::Rejected, None));
    assert!(
        late.reason
            .contains("sufficient capacity), 600 s after it was asked"),
        "{}",
        late.reason
    );
}

#[test]
fn a_version_of_somebody_elses_and_a_server_without_an_address_are_given_up_at_once() {
    let mut seen = whole(3);
    "6".clone_into(&mut seen.group.version);
    let other = first(&seen);
    assert_eq!(other.verdict, Verdict::Rejected);
    assert!(
        other.reason.contains("launches version 6 and not 7"),
        "{}",
        other.reason
    );
    let mut seen = whole(3);
    seen.instances[1].ip = None;
    assert_eq!(first(&seen).verdict, Verdict::Rejected);
}

#[test]
fn green_that_its_operator_gives_up_wakes_no_group() {
    let mut seen = empty(group(Sizes::PARKED, "7"));
    seen.given_up = Some("an operator asked for it".to_owned());
    let decision = first(&seen);
    assert_eq!(decision.verdict, Verdict::Rejected);
    assert_eq!(decision.reason, "an operator asked for it");
    assert_eq!(decision.step, None);
}
