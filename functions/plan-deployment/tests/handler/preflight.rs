//! What AWS itself may do to sessions, as the preflight reads it from AWS.

use ebbtide_aws::fake::FakeAlarm;
use ebbtide_rules::hold::{ScalingGroup, ScalingMember};

use super::*;

type Spoil = fn(&Fake);

async fn warnings(fake: &Fake) -> Vec<String> {
    deploy(fake, json!({})).await.recorded.warnings
}

#[tokio::test]
async fn a_watched_alarm_that_fires_after_the_bake_is_warned_of() {
    let fake = free();
    let alarm = |name: &str, composite, minutes| FakeAlarm {
        name: name.to_owned(),
        composite,
        minutes,
        states: Vec::new(),
    };
    fake.world().alarms = vec![
        alarm("fast", false, 4),
        alarm("slow", false, 6),
        alarm("both", true, 0),
    ];
    let bake = json!({"bake": {"seconds": 300, "alarms": ["fast", "slow", "both"]}});
    let warned = deploy(&fake, bake).await.recorded.warnings;
    assert_eq!(warned.len(), 1, "{warned:?}");
    let expected = "alarm slow fires after 360 s of bad data, and the bake takes 300 s";
    assert!(warned[0].starts_with(expected), "{warned:?}");
    // Without names CloudWatch would answer every alarm of the account.
    assert_eq!(warnings(&fake).await, Vec::<String>::new());
}

fn scaled(fake: &Fake) {
    fake.world().scaling.push(ScalingGroup {
        name: "tunnel".to_owned(),
        suspended: Vec::new(),
        min_size: 0,
        desired: 3,
        tags: std::collections::BTreeMap::default(),
        members: vec![ScalingMember {
            instance: "i-2".to_owned(),
            protected: false,
            lifecycle: "InService".to_owned(),
        }],
    });
}

#[tokio::test]
async fn each_danger_to_sessions_is_refused() {
    let cases: [(Spoil, &str); 6] = [
        (
            |fake| {
                fake.world().dangers.load_balancer = vec![("idle_timeout.timeout_seconds", "30")];
            },
            "after 30 s without data (idle_timeout.timeout_seconds)",
        ),
        (
            |fake| {
                fake.world().load_balancer = "network".into();
                fake.world().dangers.listener = vec![("tcp.idle_timeout.seconds", "20")];
            },
            "after 20 s without data (tcp.idle_timeout.seconds)",
        ),
        (
            |fake| fake.world().dangers.other_balancers = vec!["arn:other".to_owned()],
            "load balancer arn:other sends traffic to tunnel-a too",
        ),
        (
            // On the second page of instances.
            |fake| fake.world().dangers.protected = vec!["i-3".to_owned()],
            "termination protection is on for 1 of blue's instances",
        ),
        (
            |fake| fake.world().dangers.template_protects = true,
            "launch template lt-1 turns termination protection on",
        ),
        (
            |fake| {
                for index in 4..=501 {
                    fake.world()
                        .add(&format!("i-{index}"), "subnet-1", Some("a"), &[]);
                }
            },
            "tunnel-a would have 501 servers; at most 500 are possible",
        ),
    ];
    for (spoil, words) in cases {
        let fake = free();
        spoil(&fake);
        let (name, cause) = refusal(&fake, json!({})).await;
        assert_eq!(name, ErrorName::PreflightRefused, "{cause}");
        assert!(cause.contains(words), "{cause}");
        assert_eq!(fake.changes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn each_danger_that_stops_nothing_is_warned_of() {
    let cases: [(Spoil, &str); 5] = [
        (
            |fake| {
                fake.world().dangers.groups = vec![(
                    "deregistration_delay.connection_termination.enabled",
                    "true",
                )];
            },
            "deregistration_delay.connection_termination.enabled off",
        ),
        (
            |fake| fake.world().dangers.spot = vec!["i-3".to_owned()],
            "blue has 1 Spot instances, which AWS ends with two minutes' notice, busy or not: i-3",
        ),
        (
            |fake| fake.world().dangers.template_spot = true,
            "green would be Spot instances",
        ),
        (
            |fake| {
                scaled(fake);
                fake.world().dangers.lifetimes = vec![("tunnel".to_owned(), 86_400)];
            },
            "Auto Scaling group tunnel replaces its instances after 86400 s",
        ),
        (
            |fake| {
                fake.fail(
                    "DescribeInstanceAttribute",
                    Fault::Refused("RequestLimitExceeded"),
                )
            },
            "termination protection of 3 of blue's instances",
        ),
    ];
    for (spoil, words) in cases {
        let fake = free();
        spoil(&fake);
        let told = warnings(&fake).await;
        assert!(told.iter().any(|it| it.contains(words)), "{told:?}");
    }
}

#[tokio::test]
async fn a_network_load_balancer_cuts_the_unhealthy_unless_told_not_to() {
    let key = "target_health_state.unhealthy.connection_termination.enabled";
    let fake = free();
    fake.world().load_balancer = "network".into();
    let told = warnings(&fake).await;
    assert!(
        told[0].contains("at weight 0 is not documented"),
        "{told:?}"
    );
    let cuts = |told: &[String]| told.iter().filter(|it| it.contains(key)).count();
    assert_eq!(cuts(&told), 2, "true where it was never set: {told:?}");
    fake.world().dangers.groups = vec![(key, "false")];
    assert_eq!(cuts(&warnings(&fake).await), 0);
}

#[tokio::test]
async fn attributes_that_are_not_there_stop_nothing() {
    let fake = free();
    assert_eq!(warnings(&fake).await, Vec::<String>::new());
    scaled(&fake);
    assert_eq!(warnings(&fake).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_servers_are_blues_live_ones() {
    let fake = free();
    fake.world().instance("i-1").state = InstanceState::Terminated;
    fake.world().group(&arn("a")).targets[1].registered = false;
    let servers = deploy(&fake, json!({})).await.servers;
    let servers: Vec<(&str, &str)> = servers
        .iter()
        .map(|server| (server.instance.as_str(), server.ip.as_str()))
        .collect();
    assert_eq!(servers, [("i-3", "10.0.0.3")]);
}

#[tokio::test]
async fn a_failed_question_about_an_instance_is_named() {
    for (operation, scale) in [
        ("DescribeInstanceAttribute", false),
        ("DescribeAutoScalingGroups", true),
        ("DescribeListenerAttributes", false),
    ] {
        let fake = free();
        if scale {
            scaled(&fake);
        }
        if operation == "DescribeListenerAttributes" {
            fake.world().load_balancer = "network".into();
        }
        fake.fail(operation, Fault::Refused("UnauthorizedOperation"));
        let (name, cause) = refusal(&fake, json!({})).await;
        assert_eq!(name, ErrorName::AccessDenied, "{cause}");
        assert!(cause.contains(operation), "{cause}");
    }
}
