//! The preflight: what it plans, and each of its refusals.

mod balancer;
mod blue;
mod dangers;
mod fleets;
mod listeners;
mod policy;

use super::*;
use crate::examples;
use crate::input::{Then, Verb, Wish};
use crate::observed::{Forward, GroupWeight};
use crate::roles::Unclear;
use crate::{ErrorName, Failure};

const LISTENER: &str = "arn:listener";

fn arn(name: &str) -> String {
    format!("arn:/tunnel-{name}")
}

fn environment(name: &str) -> Environment {
    Environment::of(vec![arn(name)])
}

fn target(instance: &str, healthy: bool) -> Target {
    Target {
        instance: instance.to_owned(),
        registered: true,
        healthy,
        state: String::new(),
        ports: vec![80],
    }
}

fn group(name: &str, targets: Vec<Target>) -> Group {
    Group {
        arn: arn(name),
        target_type: "instance".to_owned(),
        sticky: false,
        load_balancers: vec!["arn:balancer".to_owned()],
        cuts_unhealthy: false,
        cuts_deregistered: false,
        cross_zone: None,
        leaves_dns: true,
        port: 80,
        health_port: Some(8080),
        targets,
    }
}

/// A third environment `c`.
fn add_third(seen: &mut Observation, targets: Vec<Target>) {
    seen.environments.push(environment("c"));
    seen.groups.push(group("c", targets));
}

fn weights(a: u32, b: u32) -> Vec<GroupWeight> {
    [("arn:/tunnel-a", a), ("arn:/tunnel-b", b)]
        .map(|(arn, weight)| GroupWeight {
            target_group_arn: arn.to_owned(),
            weight,
        })
        .into()
}

fn idle(seconds: u32) -> Idle {
    Idle {
        set_by: IdleSource::Attribute("idle_timeout.timeout_seconds"),
        seconds,
    }
}

fn ready() -> Observation {
    Observation {
        listeners: vec![Listener {
            arn: LISTENER.to_owned(),
            forward: Forward {
                groups: weights(100, 0),
                sticky: false,
            },
        }],
        balancers: vec![Balancer {
            arn: "arn:balancer".to_owned(),
            kind: LoadBalancer::Application,
            idle: vec![idle(60)],
            cross_zone: true,
        }],
        environments: ["a", "b"].map(environment).into(),
        groups: vec![
            group(
                "a",
                vec![
                    target("i-1", true),
                    target("i-2", true),
                    target("i-3", true),
                ],
            ),
            group("b", Vec::new()),
        ],
        retiring: Vec::new(),
        other_forwards: Vec::new(),
        tests: Vec::new(),
        blue_subnets: vec![
            "subnet-1".to_owned(),
            "subnet-2".to_owned(),
            "subnet-3".to_owned(),
        ],
        blue_servers: vec![Server {
            instance: "i-1".to_owned(),
            ip: "10.0.0.1".to_owned(),
        }],
        hazards: Hazards::default(),
        own_green: Vec::new(),
        configured_subnets: Vec::new(),
        configured_template: Some("lt-1".to_owned()),
        template: Template {
            id: "lt-1".to_owned(),
            requested: "$Latest".to_owned(),
            version: Some(TemplateVersion {
                number: "7".to_owned(),
                ..TemplateVersion::default()
            }),
        },
        passes_role: false,
        alarms: Vec::new(),
        firing: Vec::new(),
    }
}

/// A ready world behind an NLB with a listener of this protocol.
fn network(protocol: Protocol) -> Observation {
    let mut seen = ready();
    seen.balancers[0].kind = LoadBalancer::Network(protocol);
    seen
}

fn version(seen: &mut Observation) -> &mut TemplateVersion {
    seen.template.version.as_mut().unwrap()
}

fn defaults() -> Defaults {
    Defaults {
        healthy_seconds: 600,
        steps: vec![100],
        step_seconds: 60,
        bake_seconds: 900,
        alarms: Vec::new(),
        settle_seconds: None,
        closures_per_second: 20,
        poll_seconds: 30,
        deadline_seconds: 86_400,
        detached: false,
        approve: Vec::new(),
        pause_seconds: 3600,
        minimum_healthy_percent: 100,
        passes_per_execution: 400,
        ping_seconds: 30,
        pages: Default::default(),
        signing_secret: Some("arn:secret".to_owned()),
    }
}

fn plan(seen: &Observation, input: &Input) -> Result<Decision, Vec<Refusal>> {
    decide(seen, input, &defaults())
}

fn refusals(seen: &Observation) -> Vec<Refusal> {
    plan(seen, &Input::default()).unwrap_err()
}

#[test]
fn a_ready_world_is_planned_as_blue_is() {
    let decision = plan(&ready(), &Input::default()).unwrap();
    assert_eq!(decision.blue.environment, environment("a"));
    assert_eq!(decision.blue.healthy, 3);
    assert_eq!(decision.green.environment, environment("b"));
    assert_eq!(decision.green.count, 3);
    assert_eq!(decision.green.launch_template_version, "7");
    assert_eq!(decision.green.subnets.len(), 3);
    assert_eq!(decision.policy.minimum_healthy, 3);
    assert_eq!(decision.policy.settle_seconds, 30);
    assert_eq!(decision.servers, ready().blue_servers);
    assert_eq!(decision.warnings, Vec::<String>::new());
}

#[test]
fn after_a_deployment_the_colours_are_swapped() {
    let mut seen = ready();
    seen.listeners[0].forward.groups = weights(0, 100);
    seen.groups = vec![
        group("a", Vec::new()),
        group("b", seen.groups.remove(0).targets),
    ];
    assert_eq!(
        plan(&seen, &Input::default()).unwrap().blue.environment,
        environment("b")
    );
}

#[test]
fn with_three_environments_the_one_that_retires_is_neither_blue_nor_green() {
    let mut seen = ready();
    add_third(&mut seen, Vec::new());
    assert_eq!(
        plan(&seen, &Input::default()).unwrap().green.environment,
        environment("b")
    );
    let recorded = examples::recorded(&environment("a"), &environment("b"), &[]);
    let retiring = examples::entry(&environment("b"), examples::another(), recorded);
    seen.retiring = vec![retiring.clone()];
    seen.groups[1].targets = vec![target("i-9", true)];
    let decision = plan(&seen, &Input::default()).unwrap();
    assert_eq!(decision.green.environment, environment("c"));
    assert_eq!(decision.environments, ["a", "b", "c"].map(environment));
    seen.retiring.push(crate::record::Entry {
        environment: environment("c"),
        ..retiring
    });
    assert!(matches!(
        &refusals(&seen)[..],
        [Refusal::Unclear(Unclear::NoneFree(_))]
    ));
}

#[test]
fn a_group_that_would_leave_the_action_with_targets_is_refused_and_one_that_drains_is_not() {
    let mut seen = ready();
    add_third(&mut seen, vec![target("i-9", true)]);
    assert!(plan(&seen, &Input::default()).is_ok(), "not in the action");
    seen.listeners[0].forward.groups.push(GroupWeight {
        target_group_arn: "arn:/tunnel-c".to_owned(),
        weight: 0,
    });
    let refusal = Refusal::StillServed {
        group: "tunnel-c".to_owned(),
        instances: vec!["i-9".to_owned()],
    };
    assert_eq!(refusals(&seen), std::slice::from_ref(&refusal));
    let recorded = examples::recorded(&environment("a"), &environment("b"), &[]);
    let drains = examples::entry(&environment("c"), examples::another(), recorded);
    seen.retiring = vec![drains];
    assert!(plan(&seen, &Input::default()).is_ok());
    seen.retiring[0].state = State::Gone;
    assert_eq!(refusals(&seen), [refusal]);
}

#[test]
fn a_service_without_a_free_environment_is_in_progress_and_an_unfit_one_is_refused() {
    let none_free = Refusal::Unclear(Unclear::NoneFree("tunnel-b retires".to_owned()));
    let refused = Refusals(vec![none_free.clone()]);
    assert_eq!(refused.name(), ErrorName::DeploymentInProgress);
    let refused = Refusals(vec![Refusal::StickyForward(LISTENER.to_owned()), none_free]);
    assert_eq!(refused.name(), ErrorName::PreflightRefused);
    let sentence = refused.to_string();
    assert!(sentence.contains("stickiness is on"), "{sentence}");
    assert!(sentence.contains("tunnel-b retires"), "{sentence}");
}

#[test]
fn the_plan_is_one_flat_shape() {
    let decision = plan(&ready(), &Input::default()).unwrap();
    assert_eq!(
        serde_json::to_value(&decision.green).unwrap(),
        serde_json::json!({
            "targetGroupArns": ["arn:/tunnel-b"], "name": "tunnel-b", "launchTemplateId": "lt-1", "launchTemplateVersion": "7",
            "subnets": [
                {"subnetId": "subnet-1", "count": 1}, {"subnetId": "subnet-2", "count": 1}, {"subnetId": "subnet-3", "count": 1},
            ],
            "count": 3,
        })
    );
}

#[test]
fn each_unfit_world_is_refused() {
    type Spoil = fn(&mut Observation);
    let cases: Vec<(Spoil, Refusal)> = vec![
        (
            |seen| seen.listeners[0].forward.groups = weights(50, 50),
            Refusal::Unclear(Unclear::SeveralWeighted {
                listener: LISTENER.to_owned(),
                groups: vec!["tunnel-a".to_owned(), "tunnel-b".to_owned()],
            }),
        ),
        (
            |seen| seen.listeners[0].forward.sticky = true,
            Refusal::StickyForward(LISTENER.to_owned()),
        ),
        (
            |seen| seen.groups[1].sticky = true,
            Refusal::StickyGroup("tunnel-b".to_owned()),
        ),
        (
            |seen| seen.groups[0].target_type = "ip".to_owned(),
            Refusal::TargetsNotInstances {
                group: "tunnel-a".to_owned(),
                target_type: "ip".to_owned(),
            },
        ),
        (
            |seen| seen.balancers[0].kind = LoadBalancer::Unfit("gateway".to_owned()),
            Refusal::LoadBalancerUnfit("gateway".to_owned()),
        ),
        (
            |seen| {
                seen.other_forwards = vec![OtherForward {
                    from: "rule-2".to_owned(),
                    target_group_arn: "arn:/tunnel-a".to_owned(),
                }];
            },
            Refusal::ForwardedElsewhere {
                group: "tunnel-a".to_owned(),
                from: "rule-2".to_owned(),
            },
        ),
        (
            |seen| seen.template.version = None,
            Refusal::NoSuchVersion {
                template: "lt-1".to_owned(),
                version: "$Latest".to_owned(),
            },
        ),
        (
            |seen| version(seen).faults.push(TemplateFault::Requirements),
            Refusal::TemplateUnfit {
                template: "lt-1".to_owned(),
                version: "7".to_owned(),
                fault: TemplateFault::Requirements,
            },
        ),
        (
            |seen| version(seen).has_profile = true,
            Refusal::NoInstanceRole {
                template: "lt-1".to_owned(),
                version: "7".to_owned(),
            },
        ),
        (
            |seen| seen.groups[0].targets[1].ports = vec![8080],
            Refusal::OwnPorts {
                group: "tunnel-a".to_owned(),
                port: 80,
                instances: vec!["i-2".to_owned()],
            },
        ),
        (
            |seen| seen.groups[1].targets = vec![target("i-9", false)],
            Refusal::GreenNotEmpty {
                group: "tunnel-b".to_owned(),
                instances: vec!["i-9".to_owned()],
            },
        ),
        (|seen| seen.blue_subnets.clear(), Refusal::NoSubnet),
    ];
    for (spoil, expected) in cases {
        let mut seen = ready();
        spoil(&mut seen);
        assert_eq!(refusals(&seen), [expected]);
    }
}

#[test]
fn a_role_that_may_be_passed_lets_an_instance_profile_be() {
    let mut seen = ready();
    version(&mut seen).has_profile = true;
    seen.passes_role = true;
    assert!(plan(&seen, &Input::default()).is_ok());
}

#[test]
fn a_plan_made_anew_accepts_its_own_green() {
    let mut seen = ready();
    seen.groups[1].targets = vec![target("i-9", true)];
    seen.own_green = vec!["i-9".to_owned()];
    assert!(plan(&seen, &Input::default()).is_ok());
}

#[test]
fn every_reason_is_told_at_once() {
    let mut seen = ready();
    seen.listeners[0].forward.sticky = true;
    seen.template.version = None;
    seen.groups[1].targets = vec![target("i-9", false)];
    assert_eq!(refusals(&seen).len(), 3);
}

#[test]
fn whatever_was_asked_for_travels_and_is_read_again() {
    let recorded = examples::recorded(&environment("a"), &environment("b"), &[]);
    let asked = [
        Asked::Deploy(Deploy {
            dry_run: true,
            servers: ready().blue_servers,
            recorded: recorded.clone(),
        }),
        Asked::Held { dry_run: false },
        Asked::TakeOver {
            then: Then::RollBack,
            green_weight: 50,
            recorded,
        },
        Asked::Wish {
            wish: Wish::new(Verb::Promote, "deploy-0"),
        },
    ];
    for asked in asked {
        let plan = Plan {
            deployment: "deploy-1".to_owned(),
            execution: "arn:execution".to_owned(),
            service: "tunnel".to_owned(),
            epoch: 4,
            asked,
        };
        let travelled = serde_json::to_string(&plan).unwrap();
        let read: Plan = serde_json::from_str(&travelled).unwrap();
        assert_eq!(read, plan, "{travelled}");
    }
}

#[test]
fn a_hash_is_the_names_own_and_has_twelve_digits() {
    assert_eq!(hash("abc"), "ba7816bf8f01");
    assert_ne!(hash("deploy-1"), hash("deploy-2"));
}

#[test]
fn green_is_tested_by_the_forward_of_its_own_environment_and_by_no_other() {
    let mut seen = ready();
    let test = |letter: &str| TestForward {
        arn: format!("rule-{letter}"),
        url: format!("https://{letter}.test.example.com")
            .parse()
            .unwrap(),
    };
    let forward = |from: &str, to: &str| OtherForward {
        from: format!("rule-{from}"),
        target_group_arn: format!("arn:/tunnel-{to}"),
    };
    let url = |seen: &Observation| plan(seen, &Input::default()).unwrap().policy.pages.green;
    assert_eq!(url(&seen), None);
    seen.tests = ["a", "b"].map(test).into();
    seen.other_forwards = vec![forward("a", "a"), forward("b", "b")];
    assert_eq!(url(&seen), Some(test("b").url));
    let astray = |letter: &str| Refusal::TestForwardAstray {
        from: format!("rule-{letter}"),
        environment: format!("tunnel-{letter}"),
    };
    for (forwards, refused) in [
        (vec![forward("a", "b"), forward("b", "a")], vec!["a", "b"]),
        (
            vec![forward("a", "a"), forward("b", "b"), forward("b", "a")],
            vec!["b"],
        ),
        (
            vec![forward("a", "a"), forward("b", "elsewhere")],
            vec!["b"],
        ),
        (vec![forward("b", "b")], vec!["a"]),
    ] {
        seen.other_forwards = forwards;
        let refused: Vec<Refusal> = refused.into_iter().map(astray).collect();
        assert_eq!(refusals(&seen), refused);
    }
    // Whatever else forwards there is refused as ever.
    seen.other_forwards = vec![forward("a", "a"), forward("b", "b"), forward("c", "a")];
    let elsewhere = Refusal::ForwardedElsewhere {
        group: "tunnel-a".to_owned(),
        from: "rule-c".to_owned(),
    };
    assert_eq!(refusals(&seen), [elsewhere]);
}
