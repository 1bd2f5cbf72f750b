//! What a load balancer's kind, protocol and attributes speak against.

use super::*;

#[test]
fn a_protocol_that_a_deployment_cannot_serve_is_refused() {
    for protocol in [
        Protocol::Tcp,
        Protocol::Tls,
        Protocol::Udp,
        Protocol::TcpUdp,
    ] {
        assert!(plan(&network(protocol), &Input::default()).is_ok());
    }
    let quic = network(Protocol::Other("QUIC".to_owned()));
    let [refusal] = &refusals(&quic)[..] else {
        panic!("not one refusal");
    };
    assert!(
        refusal
            .to_string()
            .starts_with("the listener's protocol is QUIC")
    );
}

#[test]
fn a_time_out_that_aws_fixes_is_not_advised_to_be_raised() {
    let mut seen = network(Protocol::Udp);
    seen.balancers[0].idle = vec![Idle {
        set_by: IdleSource::Protocol("UDP"),
        seconds: 30,
    }];
    let told = refusals(&seen)[0].to_string();
    assert!(
        told.contains("after 30 s without data (fixed for UDP)"),
        "{told}"
    );
    assert!(!told.contains("raise"), "{told}");
}

#[test]
fn every_time_out_of_a_listener_counts() {
    let mut seen = network(Protocol::TcpUdp);
    let idle = |set_by, seconds| Idle { set_by, seconds };
    seen.balancers[0].idle = vec![
        idle(IdleSource::Attribute("tcp.idle_timeout.seconds"), 350),
        idle(IdleSource::Protocol("UDP"), 20),
    ];
    assert_eq!(refusals(&seen).len(), 1);
}

#[test]
fn a_group_that_takes_zones_out_of_dns_is_refused_unless_zones_are_crossed() {
    let told = |balancer: bool, group: Option<bool>, leaves_dns: bool| {
        let mut seen = network(Protocol::Tls);
        seen.balancers[0].cross_zone = balancer;
        seen.groups[1].cross_zone = group;
        seen.groups[0].leaves_dns = false;
        seen.groups[1].leaves_dns = leaves_dns;
        plan(&seen, &Input::default()).err()
    };
    let refused = Some(vec![Refusal::ZonesLeaveDns(vec!["tunnel-b".to_owned()])]);
    assert_eq!(told(false, None, true), refused);
    assert_eq!(
        told(true, Some(false), true),
        refused,
        "the group's own word counts"
    );
    assert_eq!(told(true, None, true), None);
    assert_eq!(told(false, Some(true), true), None);
    assert_eq!(told(false, None, false), None);
}

/// `blue` servers, and as many in an environment that is neither blue nor green.
fn crowded(seen: &mut Observation, blue: u32, others: u32) {
    let of = |name: &str, count| -> Vec<_> {
        let targets = (0..count).map(|index| target(&format!("i-{name}{index}"), true));
        targets.collect()
    };
    seen.groups[0].targets = of("a", blue);
    let leaves_dns = seen.groups[1].leaves_dns;
    add_third(seen, of("c", others));
    seen.groups[2].leaves_dns = leaves_dns;
}

#[test]
fn all_environments_together_must_fit_an_nlb_that_crosses_zones() {
    let told = |cross_zone: bool, others: u32| {
        let mut seen = network(Protocol::Tcp);
        seen.balancers[0].cross_zone = cross_zone;
        for group in &mut seen.groups {
            group.leaves_dns = false;
        }
        crowded(&mut seen, 200, others);
        plan(&seen, &Input::default()).err()
    };
    assert_eq!(told(true, 100), None);
    let refused = Refusal::TooManyTargets {
        targets: 501,
        most: 500,
    };
    assert_eq!(told(true, 101), Some(vec![refused]));
    assert_eq!(told(false, 101), None);
}

#[test]
fn a_plan_made_anew_counts_its_own_green_once() {
    let mut seen = network(Protocol::Tcp);
    crowded(&mut seen, 200, 100);
    seen.groups[1].targets = vec![target("i-9", true)];
    seen.own_green = vec!["i-9".to_owned()];
    assert!(plan(&seen, &Input::default()).is_ok());
}

#[test]
fn an_alb_takes_more_than_its_usual_quota_where_that_was_raised() {
    let mut seen = ready();
    crowded(&mut seen, 400, 201);
    let warnings = plan(&seen, &Input::default()).unwrap().warnings;
    assert!(
        warnings[0].contains("will have 1001 targets, and an ALB takes 1000"),
        "{warnings:?}"
    );
    seen.groups.truncate(2);
    seen.environments.truncate(2);
    let warnings = plan(&seen, &Input::default()).unwrap().warnings;
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn what_speaks_against_agents_is_planned_and_refuses_nobody_else() {
    let against = |spoil: &dyn Fn(&mut Observation)| {
        let mut seen = network(Protocol::Tcp);
        spoil(&mut seen);
        plan(&seen, &Input::default())
            .unwrap()
            .policy
            .against_agents
    };
    assert_eq!(against(&|_| {}), Vec::<String>::new());
    let port = "set HealthCheckPort to the agent's port, which serves nobody, in tunnel-b";
    assert_eq!(against(&|seen| seen.groups[1].health_port = None), [port]);
    // Its number is no better than its name, nor is a port that another listener of the server is reached by.
    assert_eq!(
        against(&|seen| seen.groups[1].health_port = Some(80)),
        [port]
    );
    let cuts = "turn target_health_state.unhealthy.connection_termination.enabled off in tunnel-a, tunnel-b";
    let cutting = |seen: &mut Observation| {
        for group in &mut seen.groups {
            group.cuts_unhealthy = true;
        }
    };
    assert_eq!(against(&cutting), [cuts]);
}
