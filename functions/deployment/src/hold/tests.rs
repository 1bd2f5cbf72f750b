//! What is missing until an environment is held, and who is on its list.

use super::*;

fn environment() -> Environment {
    Environment {
        target_group_arn: "arn:a".to_owned(),
        name: "tunnel-a".to_owned(),
    }
}

fn fence() -> Fence {
    Fence {
        deployment: "deploy-1".to_owned(),
        epoch: 5,
    }
}

fn all_tags() -> BTreeMap<String, String> {
    tags("tunnel", &fence(), &environment())
}

fn instance(id: &str, state: InstanceState, tags: BTreeMap<String, String>) -> Instance {
    let ip = (state != InstanceState::Terminated).then(|| "10.0.0.1".to_owned());
    Instance {
        id: id.to_owned(),
        ip,
        subnet: None,
        state,
        launched_at: None,
        tags,
    }
}

fn group(suspended: &[&str], protected: bool) -> ScalingGroup {
    ScalingGroup {
        name: "asg".to_owned(),
        suspended: suspended.iter().map(|name| (*name).to_owned()).collect(),
        min_size: 3,
        desired: 3,
        members: vec![member("i-1", protected, "InService")],
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
    assert!(missing(&instances, &[group(&SUSPENDED, true)], &all_tags()).is_none());
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
        &all_tags(),
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
            missing(&[], &[group], &all_tags())
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
    let retiring = list(&environment(), &instances, Timestamp::UNIX_EPOCH);
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
