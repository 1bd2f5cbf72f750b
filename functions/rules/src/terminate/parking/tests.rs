//! A group that is emptied is parked in an order that wakes nobody, and whatever stops it half-way, the rest is done then.

use super::super::{Blocked, MemberEnd, Refusal, decide, rest};
use super::*;
use crate::hold::{SUSPENDED, SUSPENDED_TAG};
use crate::observed::{ENVIRONMENT_TAG, Instance, InstanceState, RETIRING_TAG};
use crate::scaling::ScalingMember;
use crate::shape::Environment;

const GROUP: &str = "tunnel-a-fleet";

fn order(licence: Licence) -> Termination {
    Termination {
        deployment: "deploy-1".to_owned(),
        environment: Environment {
            target_group_arns: vec!["arn:aws:x:targetgroup/tunnel-a/1".to_owned()],
            name: "tunnel-a".to_owned(),
            auto_scaling_group: Some(GROUP.to_owned()),
        },
        licence,
        sealed: vec!["i-1".to_owned()],
        version_before: None,
    }
}

/// Held, and emptied of all members: one process was suspended before it was held.
fn emptied() -> ScalingGroup {
    let mut noted = SUSPENDED.to_vec();
    noted.retain(|process| *process != "AZRebalance");
    ScalingGroup {
        name: GROUP.to_owned(),
        suspended: SUSPENDED.map(str::to_owned).into(),
        sizes: Sizes {
            min: 0,
            max: 6,
            desired: 0,
        },
        version: "6".to_owned(),
        holds_ends: true,
        tags: [(
            SUSPENDED_TAG.to_owned(),
            format!("deploy-1 tunnel-a {}", noted.join(" ")),
        )]
        .into(),
        ..ScalingGroup::default()
    }
}

fn member(lifecycle: &str) -> ScalingMember {
    ScalingMember {
        instance: "i-1".to_owned(),
        protected: true,
        lifecycle: lifecycle.to_owned(),
    }
}

/// `i-1`, tagged as what retires.
fn instance(state: InstanceState) -> Instance {
    let tags = [(ENVIRONMENT_TAG, "tunnel-a"), (RETIRING_TAG, "deploy-1")];
    Instance {
        id: "i-1".to_owned(),
        ip: None,
        subnet: None,
        state,
        ended_by: None,
        launched_at: None,
        tags: tags
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    }
}

fn seen(group: ScalingGroup, instances: Vec<Instance>) -> Observation {
    Observation {
        instances,
        unseen: Vec::new(),
        targets: Vec::new(),
        weighted: Vec::new(),
        group: Some(group),
    }
}

fn left(group: &ScalingGroup) -> Parking {
    Parking::of(&seen(group.clone(), Vec::new()), &order(Licence::Sealed))
}

/// What AWS shows once this was done.
fn done(group: &mut ScalingGroup, left: &Parking) {
    if left.sizes {
        group.sizes = Sizes::PARKED;
    }
    if let Some(version) = &left.version {
        group.version.clone_from(version);
    }
    let mut noted = |note: &Note| {
        group.tags.insert(SUSPENDED_TAG.to_owned(), note.value());
    };
    left.note.iter().for_each(&mut noted);
    left.keep.iter().flatten().for_each(&mut noted);
    if left.keep == Some(None) {
        group.tags.remove(SUSPENDED_TAG);
    }
    group.suspended.extend(left.suspend.iter().cloned());
    group
        .suspended
        .retain(|process| !left.resume.contains(process));
    group.holds_ends = group.holds_ends && !left.unhook;
}

/// What AWS shows once everything was done, call by call.
fn all_done(group: &mut ScalingGroup) {
    for _ in 0..2 {
        let todo = left(group);
        done(group, &todo);
    }
    assert!(left(group).is_none(), "{:?}", left(group));
}

#[test]
fn what_was_launched_while_the_sizes_were_set_is_seen_before_the_hook_goes() {
    let mut group = emptied();
    let todo = left(&group);
    done(&mut group, &todo);
    group.members = vec![member("Terminating:Wait")];
    assert!(left(&group).is_none(), "it may hold a session");
}

#[test]
fn a_parked_group_has_no_sizes_no_hook_and_nothing_that_could_wake_it() {
    let mut group = emptied();
    let todo = left(&group);
    assert!(todo.sizes && !todo.unhook);
    assert_eq!(todo.version, None, "blue names what it ran");
    assert_eq!(
        todo.resume,
        ["ReplaceUnhealthy", "HealthCheck", "InstanceRefresh"],
        "what its user had suspended stays so"
    );
    done(&mut group, &todo);
    let last = Parking {
        unhook: true,
        ..Parking::default()
    };
    assert_eq!(left(&group), last);
    done(&mut group, &last);
    assert!(left(&group).is_none(), "{:?}", left(&group));
    assert_eq!(
        group.suspended,
        ["AZRebalance", "AlarmNotification", "ScheduledActions"]
    );
    assert_eq!(
        group.tags[SUSPENDED_TAG],
        "deploy-1 tunnel-a AlarmNotification ScheduledActions"
    );
}

#[test]
fn a_group_that_was_never_held_is_noted_before_it_is_suspended_and_names_its_version_of_before() {
    let mut group = ScalingGroup {
        suspended: Vec::new(),
        tags: std::collections::BTreeMap::new(),
        holds_ends: false,
        version: "7".to_owned(),
        ..emptied()
    };
    let order = order(Licence::NeverServed).giving_back(Some("6"));
    let todo = Parking::of(&seen(group.clone(), Vec::new()), &order);
    let both = ["AlarmNotification", "ScheduledActions"];
    assert_eq!(
        todo.note.as_ref().map(|it| &it.processes[..]),
        Some(&both.map(str::to_owned)[..])
    );
    assert_eq!(todo.suspend, both);
    assert_eq!(todo.version.as_deref(), Some("6"));
    done(&mut group, &todo);
    assert_eq!(group.version, "6");
    let rest = Parking::of(&seen(group.clone(), Vec::new()), &order);
    assert!(rest.is_none(), "{rest:?}");
}

#[test]
fn whatever_stops_it_half_way_the_rest_is_done_then() {
    let whole = left(&emptied());
    let of = |change: fn(&mut Parking, &Parking)| {
        let mut part = Parking::default();
        change(&mut part, &whole);
        part
    };
    let parts = [
        of(|part, whole| part.sizes = whole.sizes),
        of(|part, whole| part.resume.clone_from(&whole.resume)),
        of(|part, whole| {
            part.resume.clone_from(&whole.resume);
            part.keep.clone_from(&whole.keep);
        }),
    ];
    for part in parts {
        let mut group = emptied();
        done(&mut group, &part);
        all_done(&mut group);
        let mut wanted = emptied();
        all_done(&mut wanted);
        assert_eq!(group, wanted, "{part:?}");
    }
}

#[test]
fn the_environment_is_gone_only_once_its_group_is_parked() {
    let ended = vec![instance(InstanceState::Terminated)];
    let order = order(Licence::Sealed);
    assert!(!rest(&seen(emptied(), ended.clone()), &order).empty);
    let mut group = emptied();
    all_done(&mut group);
    assert!(rest(&seen(group, ended), &order).empty);
}

#[test]
fn while_members_may_hold_sessions_nothing_is_done_to_the_group() {
    let mut group = emptied();
    group.members = vec![member("InService")];
    assert!(left(&group).is_none());
}

#[test]
fn one_that_never_served_gets_its_sizes_before_its_members_end() {
    let mut group = emptied();
    group.members = vec![member("InService")];
    let todo = Parking::of(
        &seen(group.clone(), Vec::new()),
        &order(Licence::NeverServed),
    );
    let sizes = Parking {
        sizes: true,
        ..Parking::default()
    };
    assert_eq!(todo, sizes);
    // Protected members do not mind the desired capacity: each is ended by name, without a decrement.
    group.sizes = Sizes::PARKED;
    group.counted = 1;
    let ends = super::super::group_end(&group).members;
    assert_eq!(ends, [("i-1".to_owned(), MemberEnd::Surplus)]);
}

#[test]
fn of_a_green_that_never_served_a_member_is_ended_and_a_stranger_is_not() {
    let mut group = emptied();
    group.members = vec![member("InService")];
    let mut stranger = instance(InstanceState::Running);
    stranger.id = "i-2".to_owned();
    let seen = seen(group, vec![instance(InstanceState::Running), stranger]);
    let order = order(Licence::NeverServed);
    let decision = decide(&seen, &order);
    assert_eq!(
        decision.terminate,
        ["i-1"],
        "no tag of a deployment is asked of a member"
    );
    let refused = [("i-2".to_owned(), Refusal::NotMember(GROUP.to_owned()))];
    assert_eq!(decision.refused, refused);
    let blocked = super::super::conclude(&seen, &order).unwrap_err();
    assert!(matches!(blocked, Blocked::Foreign { .. }), "{blocked}");
}

#[test]
fn a_member_that_the_hook_holds_up_is_let_go_by_a_seal_alone() {
    let mut group = emptied();
    group.members = vec![member("Terminating:Wait")];
    let of = |sealed: &[&str], holds_ends| {
        let group = ScalingGroup {
            holds_ends,
            ..group.clone()
        };
        let order = Termination {
            sealed: sealed.iter().map(|id| (*id).to_owned()).collect(),
            ..order(Licence::Sealed)
        };
        decide(
            &seen(group, vec![instance(InstanceState::ShuttingDown)]),
            &order,
        )
        .release
    };
    assert_eq!(of(&["i-1"], true), ["i-1"]);
    assert!(of(&[], true).is_empty());
    assert!(
        of(&["i-1"], false).is_empty(),
        "its user's hook is its user's"
    );
}
