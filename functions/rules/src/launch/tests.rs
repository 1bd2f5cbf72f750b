//! What green lacks, and when it is healthy or given up.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::shape::Environment;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn green() -> Green {
    let share = |subnet: &str, count| SubnetShare {
        subnet_id: subnet.to_owned(),
        count,
    };
    Green {
        environment: Environment {
            target_group_arns: vec!["arn:b".to_owned()],
            name: "tunnel-b".to_owned(),
            auto_scaling_group: None,
        },
        launch_template_id: "lt-1".to_owned(),
        launch_template_version: "7".to_owned(),
        subnets: vec![share("subnet-1", 2), share("subnet-2", 1)],
        count: 3,
        group: None,
    }
}

fn instance(id: &str, subnet: &str, state: InstanceState, launched: i64) -> Instance {
    Instance {
        id: id.to_owned(),
        ip: Some("10.0.0.1".to_owned()),
        subnet: Some(subnet.to_owned()),
        state,
        ended_by: None,
        launched_at: Some(at(launched)),
        tags: std::collections::BTreeMap::new(),
    }
}

fn three(state: InstanceState) -> Vec<Instance> {
    vec![
        instance("i-1", "subnet-1", state, 0),
        instance("i-2", "subnet-1", state, 0),
        instance("i-3", "subnet-2", state, 5),
    ]
}

fn target(id: &str, healthy: bool) -> Target {
    Target {
        instance: id.to_owned(),
        registered: true,
        healthy,
        state: "initial".to_owned(),
        ports: vec![80],
    }
}

fn targets(healthy: bool) -> Vec<Target> {
    ["i-1", "i-2", "i-3"].map(|id| target(id, healthy)).into()
}

fn decided(instances: Vec<Instance>, targets: Vec<Target>, now: i64) -> Decision {
    looked(instances, targets, &Launching::default(), now)
}

/// A look after one that left `former`.
fn looked(
    instances: Vec<Instance>,
    targets: Vec<Target>,
    former: &Launching,
    now: i64,
) -> Decision {
    let seen = Observation {
        instances,
        targets,
        given_up: None,
    };
    decide(&seen, &green(), 600, former, at(now))
}

/// Each launch's subnet, count and index.
fn launches(decision: &Decision) -> Vec<(&str, u32, u32)> {
    let launches = decision.launch.iter();
    launches
        .map(|launch| (launch.subnet.as_str(), launch.count, launch.index))
        .collect()
}

#[test]
fn everything_is_missing_at_first() {
    let decision = decided(Vec::new(), Vec::new(), 0);
    let launch = |subnet: &str, count| Launch {
        subnet: subnet.to_owned(),
        count,
        index: 0,
    };
    assert_eq!(
        decision.launch,
        [launch("subnet-1", 2), launch("subnet-2", 1)]
    );
    assert_eq!(decision.verdict, Verdict::Wait);
}

#[test]
fn a_repeat_launches_only_what_is_missing_under_another_token() {
    let mut instances = three(InstanceState::Running);
    instances[1].state = InstanceState::Terminated;
    let decision = decided(instances, targets(true), 10);
    assert_eq!(
        decision.launch,
        [Launch {
            subnet: "subnet-1".to_owned(),
            count: 1,
            index: 2
        }]
    );
    assert_eq!(decision.verdict, Verdict::Wait);
    assert_eq!(
        decision.healthy, 2,
        "a terminated instance is not healthy, whatever its target says"
    );
}

#[test]
fn only_running_instances_are_registered() {
    assert!(
        decided(three(InstanceState::Pending), Vec::new(), 10)
            .register
            .is_empty()
    );
    assert_eq!(
        decided(three(InstanceState::Running), Vec::new(), 10).register,
        ["i-1", "i-2", "i-3"]
    );
    assert!(
        decided(three(InstanceState::Running), targets(false), 10)
            .register
            .is_empty()
    );
}

#[test]
fn each_instance_is_registered_and_healthy_by_its_own_target() {
    let of = |targets| decided(three(InstanceState::Running), targets, 10);
    let one = of(vec![target("i-1", true)]);
    assert_eq!(one.register, ["i-2", "i-3"]);
    assert_eq!(one.healthy, 1);
    let leaving = Target {
        registered: false,
        ..target("i-2", true)
    };
    let two = of(vec![target("i-1", true), leaving]);
    assert_eq!(two.register, ["i-2", "i-3"]);
    assert_eq!(two.healthy, 1);
}

#[test]
fn only_targets_of_the_group_that_are_sick_are_explained() {
    let leaving = Target {
        registered: false,
        ..target("i-4", false)
    };
    let targets = vec![
        target("i-1", true),
        target("i-2", false),
        target("i-3", true),
        leaving,
    ];
    let waiting = decided(three(InstanceState::Running), targets, 10);
    assert_eq!(waiting.reason, "2 of 3 servers are healthy (i-2 initial)");
}

#[test]
fn a_subnet_without_a_share_gets_no_launch() {
    let seen = Observation {
        instances: Vec::new(),
        targets: Vec::new(),
        given_up: None,
    };
    let mut green = green();
    green.subnets[1].count = 0;
    let decision = decide(&seen, &green, 600, &Launching::default(), at(0));
    assert_eq!(launches(&decision), [("subnet-1", 2, 0)]);
}

#[test]
fn green_that_its_operator_gives_up_is_rejected_whatever_it_lacks() {
    let seen = |instances, targets| Observation {
        instances,
        targets,
        given_up: Some("an operator asked for it".to_owned()),
    };
    for seen in [
        seen(Vec::new(), Vec::new()),
        seen(three(InstanceState::Running), Vec::new()),
        seen(three(InstanceState::Running), targets(true)),
    ] {
        let decision = decide(&seen, &green(), 600, &Launching::default(), at(0));
        assert_eq!(decision.verdict, Verdict::Rejected);
        assert_eq!(decision.reason, "an operator asked for it");
        assert!(decision.launch.is_empty() && decision.register.is_empty());
    }
}

#[test]
fn all_healthy_is_healthy() {
    let decision = decided(three(InstanceState::Running), targets(true), 10_000);
    assert_eq!(decision.verdict, Verdict::Healthy);
    assert_eq!(decision.healthy, 3);
    assert_eq!(decision.servers.len(), 3);
}

#[test]
fn the_term_counts_from_the_newest_launch() {
    assert_eq!(
        decided(three(InstanceState::Running), targets(false), 605).verdict,
        Verdict::Wait
    );
    let late = decided(three(InstanceState::Running), targets(false), 606);
    assert_eq!(late.verdict, Verdict::Rejected);
    assert!(
        late.reason
            .contains("0 of 3 servers are healthy (i-1 initial"),
        "{}",
        late.reason
    );
}

#[test]
fn a_green_that_keeps_ending_is_rejected_and_gets_no_more() {
    let ended = |id: &str, subnet: &str| instance(id, subnet, InstanceState::Terminated, 0);
    let mut instances: Vec<Instance> = vec![
        ended("i-1", "subnet-1"),
        ended("i-2", "subnet-1"),
        ended("i-3", "subnet-2"),
    ];
    let again = decided(instances.clone(), Vec::new(), 10);
    assert_eq!(again.verdict, Verdict::Wait);
    let ordered: Vec<(&str, u32, u32)> = launches(&again);
    let each_once_more = [("subnet-1", 1, 2), ("subnet-1", 1, 3), ("subnet-2", 1, 1)];
    assert_eq!(ordered, each_once_more, "each server may be launched twice");
    instances.push(ended("i-4", "subnet-1"));
    let enough = decided(instances, Vec::new(), 10);
    assert_eq!(enough.verdict, Verdict::Rejected);
    assert!(enough.launch.is_empty() && enough.register.is_empty());
}

#[test]
fn what_ec2_does_not_show_yet_is_waited_for_and_what_it_does_not_show_for_long_is_replaced() {
    let seen = vec![three(InstanceState::Running)[0].clone()];
    let others = || instance("i-3", "subnet-2", InstanceState::Running, 0);
    let shown = || [seen.clone(), vec![others()]].concat();
    let soon = decided(shown(), targets(true), 300);
    assert_eq!(launches(&soon), []);
    assert_eq!(soon.verdict, Verdict::Wait);
    assert!(soon.reason.contains("2 of 3 servers"), "{}", soon.reason);
    let later = decided(shown(), targets(true), 301);
    assert_eq!(launches(&later), [("subnet-1", 1, 2)]);
    let never = decided(shown(), targets(true), 601);
    assert_eq!(launches(&never), [("subnet-1", 1, 2)]);
}

#[test]
fn a_green_that_is_never_shown_whole_is_given_up_in_time() {
    let shown = || {
        vec![
            instance("i-1", "subnet-1", InstanceState::Running, 0),
            instance("i-3", "subnet-2", InstanceState::Running, 0),
        ]
    };
    let seen = |now| {
        let seen = Observation {
            instances: shown(),
            targets: targets(true),
            given_up: None,
        };
        decide(&seen, &green(), 60, &Launching::default(), at(now)).verdict
    };
    assert_eq!(seen(60), Verdict::Wait);
    assert_eq!(seen(61), Verdict::Rejected);
}

/// EC2 as far as client tokens go: a token launches once.
#[derive(Default)]
struct Ec2 {
    launches: BTreeMap<(String, u32), u32>,
    instances: Vec<Instance>,
}

impl Ec2 {
    fn run(&mut self, launch: &Launch) {
        let token = (launch.subnet.clone(), launch.index);
        if let Some(count) = self.launches.insert(token, launch.count) {
            assert_eq!(count, launch.count, "IdempotentParameterMismatch");
            return;
        }
        for _ in 0..launch.count {
            let id = format!("i-{}", self.instances.len());
            let it = instance(&id, &launch.subnet, InstanceState::Running, 0);
            self.instances.push(it);
        }
    }

    fn live(&self, subnet: &str) -> u32 {
        let here = self.instances.iter();
        count(here.filter(|it| it.is_live() && it.subnet.as_deref() == Some(subnet)))
    }
}

proptest! {
    #[test]
    fn a_subnet_never_has_more_live_servers_than_its_share_whatever_is_shown_of_them(
        calls in proptest::collection::vec((any::<u16>(), any::<u16>(), 0..4usize), 1..12)
    ) {
        let mut ec2 = Ec2::default();
        for (shown, ending, sent) in calls {
            let bit = |mask: u16, index: usize| mask >> (index % 16) & 1 == 1;
            for (index, it) in ec2.instances.iter_mut().enumerate() {
                // One in four ends.
                if bit(ending, index) && bit(ending, index + 7) {
                    it.state = InstanceState::Terminated;
                }
            }
            let all = ec2.instances.iter().enumerate();
            let instances = all.filter(|(index, _)| bit(shown, *index)).map(|(_, it)| it.clone());
            let decision = decided(instances.collect(), Vec::new(), 10);
            // The function may fail after any of its calls.
            for launch in decision.launch.iter().take(sent) {
                ec2.run(launch);
            }
            prop_assert!(ec2.live("subnet-1") <= 2 && ec2.live("subnet-2") <= 1);
        }
        // Once everything is shown, what lacks is launched, and only that.
        for launch in decided(ec2.instances.clone(), Vec::new(), 10).launch {
            ec2.run(&launch);
        }
        let shares = (ec2.live("subnet-1"), ec2.live("subnet-2"));
        prop_assert!(shares == (2, 1) || ec2.instances.len() > 3);
    }
}

#[test]
fn green_is_looked_at_some_120_times_at_most_and_never_more_often_than_every_5_seconds() {
    assert_eq!(wait_seconds(10), 5);
    assert_eq!(wait_seconds(600), 5);
    assert_eq!(wait_seconds(7200), 60);
}

#[test]
fn an_order_that_stays_unseen_gets_fresh_tokens_and_green_is_given_up_in_the_end() {
    let mut former = Launching::default();
    let mut generations = Vec::new();
    let mut now = 0;
    let last = loop {
        let decision = looked(Vec::new(), Vec::new(), &former, now);
        generations.push(decision.launching.generation);
        if decision.verdict != Verdict::Wait {
            break decision;
        }
        assert_eq!(
            launches(&decision),
            [("subnet-1", 2, 0), ("subnet-2", 1, 0)]
        );
        former = decision.launching;
        now += 300;
    };
    // At 300 s EC2 may still show what it launched; a moment later it may not.
    assert_eq!(generations, [0, 0, 1, 1, 2, 2, 3]);
    assert_eq!(last.verdict, Verdict::Rejected, "{}", last.reason);
    assert!(
        last.reason.contains("EC2 showed nothing"),
        "{}",
        last.reason
    );
    assert_eq!(launches(&last), []);
}

#[test]
fn what_is_seen_or_ordered_anew_does_not_spend_a_token() {
    let first = looked(Vec::new(), Vec::new(), &Launching::default(), 0).launching;
    // One of subnet-2 is seen: the rest of the order is another order.
    let seen = vec![instance("i-3", "subnet-2", InstanceState::Running, 0)];
    let second = looked(seen, Vec::new(), &first, 400).launching;
    assert_eq!(second.generation, 0);
    assert_eq!(second.unseen.as_ref().unwrap().since, at(400));
    let all = looked(three(InstanceState::Running), Vec::new(), &second, 900).launching;
    assert_eq!(all, Launching::default());
}

#[test]
fn why_instances_ended_is_told() {
    let mut ended = three(InstanceState::Terminated);
    for instance in &mut ended {
        instance.ended_by =
            Some("Client.InvalidKMSKey.InvalidState: the key is disabled".to_owned());
    }
    let told = " (EC2 says of what ended: Client.InvalidKMSKey.InvalidState: the key is disabled)";
    let decision = decided(ended.clone(), Vec::new(), 10);
    assert_eq!(decision.verdict, Verdict::Wait);
    assert!(decision.reason.ends_with(told), "{}", decision.reason);
    ended.extend(three(InstanceState::ShuttingDown));
    let decision = decided(ended, Vec::new(), 10);
    assert_eq!(decision.verdict, Verdict::Rejected);
    assert!(decision.reason.ends_with(told), "{}", decision.reason);
}

#[test]
fn a_server_without_an_address_is_never_taken_for_fit() {
    let mut instances = three(InstanceState::Running);
    instances[1].ip = None;
    let decision = decided(instances.clone(), targets(true), 10);
    assert_eq!(decision.verdict, Verdict::Rejected);
    assert!(
        decision.reason.starts_with("i-2 has no private IPv4"),
        "{}",
        decision.reason
    );
    instances[1].state = InstanceState::Pending;
    assert_eq!(
        decided(instances, targets(true), 10).verdict,
        Verdict::Healthy
    );
}

#[test]
fn a_green_that_is_whole_in_the_end_is_healthy_however_many_were_launched_for_it() {
    let mut instances = three(InstanceState::Running);
    for number in 10..17 {
        let ended = InstanceState::Terminated;
        instances.push(instance(&format!("i-{number}"), "subnet-1", ended, 0));
    }
    assert_eq!(
        decided(instances, targets(true), 10).verdict,
        Verdict::Healthy
    );
}
