//! A service with two listeners: every environment has a group at each, and both have to be fit.

use super::*;

const TLS: &str = "arn:listener-tls";

/// The ready world with a second listener, whose groups have the same servers.
fn two() -> Observation {
    let mut seen = ready();
    let mut tls = seen.listeners[0].clone();
    tls.arn = TLS.to_owned();
    for group in &mut tls.forward.groups {
        group.target_group_arn.push_str("-tls");
    }
    seen.listeners.push(tls);
    seen.balancers.push(seen.balancers[0].clone());
    let groups = seen.groups.clone();
    seen.groups.extend(groups.into_iter().map(|group| Group {
        arn: format!("{}-tls", group.arn),
        ..group
    }));
    for environment in &mut seen.environments {
        let second = format!("{}-tls", environment.target_group_arns[0]);
        environment.target_group_arns.push(second);
    }
    seen
}

#[test]
fn each_environment_is_planned_with_its_group_at_each_listener() {
    let decision = plan(&two(), &Input::default()).unwrap();
    assert_eq!(decision.listeners, [LISTENER, TLS]);
    let groups = ["arn:/tunnel-b", "arn:/tunnel-b-tls"];
    assert_eq!(decision.green.environment.target_group_arns, groups);
    assert_eq!(decision.green.environment.name, "tunnel-b");
    assert_eq!((decision.blue.healthy, decision.green.count), (3, 3));
    assert_eq!(decision.warnings, Vec::<String>::new());
}

#[test]
fn blue_is_as_healthy_as_at_its_worst_listener() {
    let mut seen = two();
    seen.groups[2].targets[1].healthy = false;
    let decision = plan(&seen, &Input::default()).unwrap();
    let policy = &decision.policy;
    assert_eq!(decision.blue.healthy, 2);
    assert_eq!((policy.minimum_healthy, policy.blue_minimum), (3, 2));
    assert_eq!(
        decision.warnings,
        ["2 of 3 targets of tunnel-a-tls are healthy"]
    );
    for target in &mut seen.groups[2].targets {
        target.healthy = false;
    }
    let refusal = Refusal::BlueUnhealthy {
        group: "tunnel-a-tls".to_owned(),
        targets: 3,
    };
    assert_eq!(refusals(&seen), [refusal]);
}

#[test]
fn blue_has_the_same_servers_everywhere() {
    let mut seen = two();
    seen.groups[2].targets.remove(0);
    let refusal = Refusal::BlueDiffers {
        group: "tunnel-a-tls".to_owned(),
        instances: vec!["i-1".to_owned()],
    };
    assert_eq!(refusals(&seen), [refusal]);
}

#[test]
fn a_stranger_in_greens_second_group_is_refused_as_in_the_first() {
    let mut seen = two();
    seen.groups[3].targets = vec![target("i-9", true)];
    let refusal = Refusal::GreenNotEmpty {
        group: "tunnel-b-tls".to_owned(),
        instances: vec!["i-9".to_owned()],
    };
    assert_eq!(refusals(&seen), [refusal]);
}

#[test]
fn each_listener_has_a_load_balancer_of_its_own_or_shares_one() {
    let mut seen = two();
    seen.balancers[1].arn = "arn:internal".to_owned();
    let others: Vec<Refusal> = refusals(&seen);
    let refusal = |group: &str| Refusal::ServesAnother {
        group: group.to_owned(),
        load_balancer: "arn:balancer".to_owned(),
    };
    assert_eq!(others, [refusal("tunnel-a-tls"), refusal("tunnel-b-tls")]);
    for group in &mut seen.groups[2..] {
        group.load_balancers = vec!["arn:internal".to_owned()];
    }
    assert!(plan(&seen, &Input::default()).is_ok());
    seen.balancers[1].idle = vec![idle(20)];
    assert!(matches!(
        refusals(&seen)[..],
        [Refusal::IdleTimeout {
            idle_seconds: 20,
            ..
        }]
    ));
}

#[test]
fn the_slower_load_balancer_says_how_long_it_takes_to_settle() {
    let mut seen = two();
    seen.balancers[1].kind = LoadBalancer::Network(Protocol::Tcp);
    let decision = plan(&seen, &Input::default()).unwrap();
    assert_eq!(decision.policy.settle_seconds, 180);
}

#[test]
fn a_server_counts_in_each_group_that_an_nlb_has_it_in() {
    let told = |servers: u32, shared: bool| {
        let mut seen = two();
        for balancer in &mut seen.balancers {
            balancer.kind = LoadBalancer::Network(Protocol::Tcp);
        }
        for at in [0, 2] {
            let targets = (0..servers).map(|index| target(&format!("i-{index}"), true));
            seen.groups[at].targets = targets.collect();
        }
        if !shared {
            seen.balancers[1].arn = "arn:internal".to_owned();
            for group in &mut seen.groups[2..] {
                group.load_balancers = vec!["arn:internal".to_owned()];
            }
        }
        plan(&seen, &Input::default()).err()
    };
    assert_eq!(told(125, true), None);
    let refused = Refusal::TooManyTargets {
        targets: 504,
        most: 500,
    };
    assert_eq!(told(126, true), Some(vec![refused]));
    assert_eq!(told(126, false), None);
}
