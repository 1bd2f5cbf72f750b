//! What is missing until an environment is held, and who is on its list.

use super::*;

fn environment() -> Environment {
    Environment {
        target_group_arns: vec!["arn:a".to_owned()],
        name: "tunnel-a".to_owned(),
        auto_scaling_group: None,
    }
}

fn fence() -> Fence {
    Fence {
        deployment: "deploy-1".to_owned(),
        epoch: 5,
    }
}

fn holder() -> HeldFor {
    HeldFor::new("tunnel", &fence(), &environment())
}

fn all_tags() -> BTreeMap<String, String> {
    holder().tags()
}

fn instance(id: &str, state: InstanceState, tags: BTreeMap<String, String>) -> Instance {
    let ip = (state != InstanceState::Terminated).then(|| "10.0.0.1".to_owned());
    Instance {
        id: id.to_owned(),
        ip,
        subnet: None,
        state,
        ended_by: None,
        launched_at: None,
        tags,
    }
}

fn group(suspended: &[&str], protected: bool) -> ScalingGroup {
    ScalingGroup {
        name: "asg".to_owned(),
        suspended: suspended.iter().map(|name| (*name).to_owned()).collect(),
        members: vec![member("i-1", protected, "InService")],
        ..ScalingGroup::default()
    }
}

fn member(instance: &str, protected: bool, lifecycle: &str) -> ScalingMember {
    ScalingMember {
        instance: instance.to_owned(),
        protected,
        lifecycle: lifecycle.to_owned(),
    }
}

#[test]
fn a_held_environment_needs_nothing() {
    let instances = [instance("i-1", InstanceState::Running, all_tags())];
    assert!(missing(&instances, &[group(&SUSPENDED, true)], &holder()).is_none());
}

#[test]
fn whatever_is_not_held_is_named() {
    let mut old = all_tags();
    old.insert(RETIRING_TAG.to_owned(), "deploy-0".to_owned());
    let instances = [
        instance("i-1", InstanceState::Running, BTreeMap::new()),
        instance("i-2", InstanceState::Stopped, old),
        instance("i-3", InstanceState::Terminated, BTreeMap::new()),
    ];
    let missing = missing(
        &instances,
        &[group(&["AZRebalance", "Launch"], false)],
        &holder(),
    );
    assert_eq!(missing.tags, ["i-1", "i-2"]);
    assert_eq!(missing.suspend["asg"], SUSPENDED[1..]);
    assert_eq!(missing.protect["asg"], ["i-1"]);
    assert!(
        missing.words().contains("i-1 is not protected"),
        "{}",
        missing.words()
    );
}

/// `group` with what a deployment noted on it.
fn noted(group: ScalingGroup, note: &str) -> ScalingGroup {
    ScalingGroup {
        tags: [(SUSPENDED_TAG.to_owned(), note.to_owned())].into(),
        ..group
    }
}

/// `i-1`, protected by this service.
fn protected_by_us() -> Instance {
    let mut tags = all_tags();
    tags.extend(holder().protected_tags());
    instance("i-1", InstanceState::Running, tags)
}

#[test]
fn what_is_about_to_be_taken_is_noted_and_what_was_so_before_is_not() {
    let instances = [instance("i-1", InstanceState::Running, all_tags())];
    let half = group(&["AZRebalance", "HealthCheck", "Launch"], false);
    let lacking = missing(&instances, std::slice::from_ref(&half), &holder());
    let note =
        "deploy-1 tunnel-a ReplaceUnhealthy AlarmNotification ScheduledActions InstanceRefresh";
    assert_eq!(lacking.note["asg"].value(), note);
    assert_eq!(lacking.note_protected, ["i-1"]);
    // The note was written and nothing else: the order follows it, and the note stays as it is.
    let lacking = missing(&[protected_by_us()], &[noted(half, note)], &holder());
    assert_eq!((lacking.note.len(), lacking.note_protected.len()), (0, 0));
    assert_eq!(lacking.suspend["asg"].len(), 4);
    assert_eq!(lacking.protect["asg"], ["i-1"]);
    // Protected from launch on by its group: not ours to undo.
    let lacking = missing(&instances, &[group(&SUSPENDED, true)], &holder());
    assert!(lacking.is_none());
}

#[test]
fn the_note_of_a_superseded_deployment_is_taken_over_and_nothing_of_it_lost() {
    let of_another = noted(group(&SUSPENDED, true), "deploy-0 tunnel-a HealthCheck");
    let lacking = missing(&[], &[of_another], &holder());
    assert_eq!(lacking.note["asg"].value(), "deploy-1 tunnel-a HealthCheck");
    assert!(lacking.suspend.is_empty());
    let acting = noted(
        group(&SUSPENDED[1..], true),
        "deploy-1 tunnel-a HealthCheck",
    );
    let lacking = missing(&[], &[acting], &holder());
    let note = "deploy-1 tunnel-a AZRebalance HealthCheck";
    assert_eq!(lacking.note["asg"].value(), note);
    assert_eq!(lacking.suspend["asg"], ["AZRebalance"]);
}

#[test]
fn a_note_is_read_back_fits_a_tag_and_names_only_what_holding_suspends() {
    let note = Note {
        deployment: "d".repeat(80),
        environment: "e".repeat(32),
        processes: SUSPENDED.map(str::to_owned).into(),
    };
    assert!(note.value().len() <= 256);
    assert_eq!(Note::parse(&note.value()), note);
    for damaged in ["", "deploy-1", "deploy-1 tunnel-a Launch Terminate", "  "] {
        assert!(Note::parse(damaged).processes.is_empty(), "{damaged}");
    }
}

#[test]
fn only_what_was_noted_is_given_back() {
    let ours = noted(
        group(&["AZRebalance", "HealthCheck", "Launch"], true),
        "deploy-1 tunnel-a HealthCheck InstanceRefresh",
    );
    let mut others = instance("i-2", InstanceState::Running, all_tags());
    others.tags.remove(RETIRING_TAG);
    let mut ours = ours;
    ours.members.push(member("i-2", true, "InService"));
    let rest = left(&[protected_by_us(), others], &[ours], &holder());
    assert_eq!(rest.resume["asg"], ["HealthCheck"]);
    assert_eq!(rest.unprotect["asg"], ["i-1"]);
    assert_eq!(rest.noted_groups, ["asg"]);
    assert_eq!(rest.tagged, ["i-1"]);
    assert!(rest.holds() && rest.words().contains("i-1 is still protected"));
}

#[test]
fn notes_are_dropped_once_everything_is_given_back() {
    let given_back = noted(group(&["Launch"], false), "deploy-1 tunnel-a HealthCheck");
    let mut ended = protected_by_us();
    ended.state = InstanceState::Terminated;
    let rest = left(&[protected_by_us(), ended], &[given_back], &holder());
    assert!(!rest.holds() && !rest.is_none());
    assert_eq!((rest.noted_groups.len(), rest.tagged.len()), (1, 1));
    let free = instance("i-1", InstanceState::Running, BTreeMap::new());
    assert!(left(&[free], &[group(&["Launch"], true)], &holder()).is_none());
}

#[test]
fn a_group_without_members_here_is_let_go_only_by_the_deployment_that_held_it_here() {
    for (note, ours) in [
        ("deploy-1 tunnel-a HealthCheck", true),
        ("deploy-0 tunnel-a HealthCheck", false),
        ("deploy-1 tunnel-b HealthCheck", false),
    ] {
        let mut group = noted(group(&SUSPENDED, true), note);
        let here = left(&[], std::slice::from_ref(&group), &holder());
        assert_eq!(here.resume["asg"], ["HealthCheck"], "{note}");
        group.members.clear();
        let elsewhere = left(&[], &[group], &holder());
        assert_eq!(!elsewhere.is_none(), ours, "{note}");
    }
}

#[test]
fn a_member_whose_protection_cannot_be_ordered_now_blocks_unless_it_leaves() {
    for (lifecycle, ordered, blocks) in [
        ("InService", true, true),
        ("Standby", true, true),
        ("Pending", false, true),
        ("unheard-of", false, true),
        ("Terminating:Wait", false, false),
        ("Detached", false, false),
    ] {
        let mut group = group(&[], true);
        lifecycle.clone_into(&mut group.members[0].lifecycle);
        let rest = left(&[protected_by_us()], &[group], &holder());
        assert_eq!(rest.unprotect.contains_key("asg"), ordered, "{lifecycle}");
        assert_eq!(rest.holds(), blocks, "{lifecycle}");
    }
}

#[test]
fn only_members_in_a_state_that_aws_protects_are_protected() {
    for (lifecycle, protect, blocks) in [
        ("InService", true, true),
        ("EnteringStandby", true, true),
        ("Standby", true, true),
        ("Pending", false, true),
        ("Pending:Wait", false, true),
        ("Pending:Proceed", false, true),
        ("Warmed:Stopped", false, true),
        ("unheard-of", false, true),
        ("Terminating", false, false),
        ("Terminating:Wait", false, false),
        ("Warmed:Terminating:Wait", false, false),
        ("Terminated", false, false),
        ("Detaching", false, false),
        ("Detached", false, false),
    ] {
        let needs = |protected| {
            let mut group = group(&SUSPENDED, true);
            group.members.push(member("i-2", protected, lifecycle));
            missing(&[], &[group], &holder())
        };
        let lacking = needs(false);
        assert_eq!(lacking.protect.contains_key("asg"), protect, "{lifecycle}");
        assert_eq!(!lacking.is_none(), blocks, "{lifecycle}");
        assert!(needs(true).is_none(), "{lifecycle}: protected at launch");
        if !protect && blocks {
            assert!(lacking.words().contains(lifecycle), "{}", lacking.words());
        }
    }
}

#[test]
fn only_terminated_is_gone() {
    let instances = [
        instance("i-1", InstanceState::Running, BTreeMap::new()),
        instance("i-2", InstanceState::Stopped, BTreeMap::new()),
        instance("i-3", InstanceState::Other, BTreeMap::new()),
        instance("i-4", InstanceState::ShuttingDown, BTreeMap::new()),
        instance("i-5", InstanceState::Terminated, BTreeMap::new()),
    ];
    let retiring = list(&environment(), &instances, &[], Timestamp::UNIX_EPOCH);
    let servers: Vec<&str> = retiring
        .servers
        .iter()
        .map(|server| server.instance.as_str())
        .collect();
    assert_eq!(servers, ["i-1", "i-2", "i-3"]);
    assert_eq!(retiring.waiting_to_end, ["i-4"]);
    assert_eq!(retiring.gone, ["i-5"]);
}

#[test]
fn a_target_that_ec2_does_not_know_is_refused() {
    let target = |instance: &str, registered| Target {
        instance: instance.to_owned(),
        registered,
        healthy: true,
        state: String::new(),
        ports: vec![80],
    };
    let instances = [instance("i-1", InstanceState::Running, BTreeMap::new())];
    assert_eq!(
        all_known(
            &environment(),
            &[target("i-1", true), target("i-2", false)],
            &instances
        ),
        Ok(())
    );
    assert_eq!(
        all_known(&environment(), &[target("i-2", true)], &instances),
        Err(Refusal::Unknown {
            group: "tunnel-a".to_owned(),
            instance: "i-2".to_owned()
        })
    );
}

/// The holder of an environment with a group of its own, `asg`.
fn owner() -> HeldFor {
    HeldFor {
        group: Some("asg".to_owned()),
        ..holder()
    }
}

#[test]
fn an_environments_own_group_ends_nobody_without_the_hook() {
    let instances = [instance("i-1", InstanceState::Running, all_tags())];
    let mut group = group(&SUSPENDED, true);
    let lacking = missing(&instances, std::slice::from_ref(&group), &owner());
    assert_eq!(lacking.hook, ["asg"]);
    assert!(
        lacking.words().contains("asg has no termination hook"),
        "{}",
        lacking.words()
    );
    assert!(missing(&instances, std::slice::from_ref(&group), &holder()).is_none());
    group.holds_ends = true;
    assert!(missing(&instances, &[group], &owner()).is_none());
}

#[test]
fn who_lives_by_the_hook_alone_is_listed_and_keeps_it_there() {
    let instances = [instance("i-1", InstanceState::Running, BTreeMap::new())];
    let mut group = group(&[], true);
    group.holds_ends = true;
    assert_eq!(
        left(&instances, std::slice::from_ref(&group), &owner()).unhook,
        ["asg"]
    );
    "Terminating:Wait".clone_into(&mut group.members[0].lifecycle);
    let groups = [group];
    let listed = list(&environment(), &instances, &groups, Timestamp::UNIX_EPOCH);
    assert_eq!(listed.held_up, ["i-1"]);
    assert_eq!(listed.servers.len(), 1, "it may hold sessions");
    let rest = left(&instances, &groups, &owner());
    assert!(rest.unhook.is_empty() && rest.holds());
    assert!(
        rest.words().contains("i-1 is being ended by its group"),
        "{}",
        rest.words()
    );
    let ended = [instance("i-1", InstanceState::Terminated, BTreeMap::new())];
    assert_eq!(left(&ended, &groups, &owner()).unhook, ["asg"]);
    // While AWS deregisters it the hook is still to come, and it is as lost without it.
    let [mut group] = groups;
    "Terminating".clone_into(&mut group.members[0].lifecycle);
    let groups = [group];
    let rest = left(&instances, &groups, &owner());
    assert!(rest.unhook.is_empty() && rest.held_up == ["i-1"]);
    assert!(held_up(&instances, &groups).is_empty());
}
