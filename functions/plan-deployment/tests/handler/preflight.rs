//! What AWS itself may do to sessions, as the preflight reads it from AWS.

use ebbtide_aws::fake::FakeAlarm;
use ebbtide_aws::fake::ec2_types::{
    InstanceRequirements, LaunchTemplateIamInstanceProfileSpecification,
    LaunchTemplateInstanceMarketOptions, LaunchTemplateInstanceNetworkInterfaceSpecification,
    LaunchTemplateSpotMarketOptions, MarketType, ResponseLaunchTemplateData, SpotInstanceType,
};
use ebbtide_rules::scaling::{ScalingGroup, ScalingMember, Sizes};
use jiff::Timestamp;

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

#[tokio::test]
async fn the_service_s_own_alarms_that_fire_are_told_and_stop_nothing() {
    let fake = free();
    let alarm = |name: &str, composite, state: &str| FakeAlarm {
        name: name.to_owned(),
        composite,
        minutes: 1,
        states: vec![(Timestamp::UNIX_EPOCH, state.to_owned())],
    };
    fake.world().alarms = vec![
        alarm("ebbtide/tunnel/server-unknown", false, "ALARM"),
        alarm("ebbtide/tunnel/burns-fast", true, "ALARM"),
        alarm("ebbtide/tunnel/deadline-near", false, "OK"),
        alarm("ebbtide/tunnel-2/server-unknown", false, "ALARM"),
        alarm("somebody-else-s", false, "ALARM"),
    ];
    let warned = warnings(&fake).await;
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[0].starts_with("alarm ebbtide/tunnel/burns-fast "));
    assert!(warned[1].starts_with("alarm ebbtide/tunnel/server-unknown "));
}

fn scaled(fake: &Fake) {
    fake.world().scaling.push(ScalingGroup {
        name: "tunnel".to_owned(),
        sizes: Sizes {
            min: 0,
            max: 3,
            desired: 3,
        },
        tags: [("ebbtide:service".to_owned(), "tunnel".to_owned())].into(),
        members: vec![ScalingMember {
            instance: "i-2".to_owned(),
            protected: false,
            lifecycle: "InService".to_owned(),
        }],
        ..ScalingGroup::default()
    });
}

#[tokio::test]
async fn each_danger_to_sessions_is_refused() {
    let cases: Vec<(Spoil, &str)> = vec![
        (
            |fake| {
                fake.world().dangers.load_balancer = vec![("idle_timeout.timeout_seconds", "30")];
            },
            "after 30 s without data (idle_timeout.timeout_seconds)",
        ),
        (
            |fake| {
                network(fake);
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
            |fake| {
                fake.world().dangers.spot = vec!["i-1".to_owned(), "i-3".to_owned()];
                fake.world().dangers.persistent = vec!["i-3".to_owned()];
            },
            "1 of blue's instances come of persistent Spot requests, which bring back what is ended",
        ),
        (
            |fake| fake.world().instance("i-2").ip = None,
            "1 of blue's instances have no private IPv4 address",
        ),
        (
            |fake| {
                scaled(fake);
                fake.world().scaling[0].tags.clear();
            },
            "Auto Scaling group tunnel does not carry the tag ebbtide:service",
        ),
        (
            |fake| {
                scaled(fake);
                fake.world().dangers.fleet.versions = vec!["6".to_owned(), "$Latest".to_owned()];
            },
            "tunnel launches from version $Latest of its template",
        ),
        (
            |fake| {
                scaled(fake);
                fake.world().dangers.fleet.refresh = Some("Baking".to_owned());
            },
            "tunnel has an instance refresh (Baking)",
        ),
        (
            |fake| {
                scaled(fake);
                fake.world().dangers.fleet.retains = true;
                fake.world().dangers.fleet.ending_hooks = vec![("backup".to_owned(), 600)];
            },
            "set TerminateHookAbandon to terminate",
        ),
        (
            |fake| {
                scaled(fake);
                fake.world().dangers.fleet.reuses = true;
            },
            "turn ReuseOnScaleIn off",
        ),
        (
            |fake| fake.world().group(&arn("a")).targets[0].ports = vec![8080],
            "targets of tunnel-a are registered on ports of their own",
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
    let cases: Vec<(Spoil, &str)> = vec![
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
            |fake| fake.world().template.instance_market_options = Some(spot(None)),
            "green would be Spot instances",
        ),
        (
            |fake| {
                scaled(fake);
                fake.world().dangers.fleet.lifetime = Some(86_400);
            },
            "Auto Scaling group tunnel replaces its instances after 86400 s",
        ),
        (
            |fake| {
                scaled(fake);
                fake.world().dangers.fleet.protects_new = false;
            },
            "Auto Scaling group tunnel does not protect what it launches",
        ),
        (
            |fake| {
                scaled(fake);
                fake.world().dangers.fleet.standby = vec!["i-9".to_owned()];
            },
            "Auto Scaling group tunnel has members on standby, which no deployment counts, drains or ends: i-9",
        ),
        (
            |fake| {
                scaled(fake);
                fake.world().dangers.fleet.ending_hooks = vec![("backup".to_owned(), 600)];
            },
            "lifecycle hook backup of Auto Scaling group tunnel holds up the end of each server",
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

/// An NLB that crosses zones.
fn network(fake: &Fake) {
    let mut world = fake.world();
    world.load_balancer = "network".into();
    world.dangers.load_balancer = vec![("load_balancing.cross_zone.enabled", "true")];
}

fn spot(kind: Option<SpotInstanceType>) -> LaunchTemplateInstanceMarketOptions {
    let options = LaunchTemplateSpotMarketOptions::builder().set_spot_instance_type(kind);
    LaunchTemplateInstanceMarketOptions::builder()
        .market_type(MarketType::Spot)
        .spot_options(options.build())
        .build()
}

#[tokio::test]
async fn a_template_that_cannot_be_launched_or_ended_is_refused() {
    type Change = fn(&mut ResponseLaunchTemplateData);
    let cases: Vec<(Change, &str)> = vec![
        (
            |data| {
                let interface = LaunchTemplateInstanceNetworkInterfaceSpecification::builder();
                data.network_interfaces = Some(vec![interface.build()]);
            },
            "has network interfaces",
        ),
        (
            |data| {
                data.instance_type = None;
                data.instance_requirements = Some(InstanceRequirements::builder().build());
            },
            "names instance requirements",
        ),
        (|data| data.instance_type = None, "names no instance type"),
        (|data| data.image_id = None, "names no image"),
        (
            |data| data.security_groups = Some(vec!["default".to_owned()]),
            "names security groups by name",
        ),
        (
            |data| data.disable_api_termination = Some(true),
            "turns termination protection on",
        ),
        (
            |data| {
                let persistent = Some(SpotInstanceType::Persistent);
                data.instance_market_options = Some(spot(persistent));
            },
            "makes persistent Spot requests",
        ),
        (
            |data| {
                let profile = LaunchTemplateIamInstanceProfileSpecification::builder();
                data.iam_instance_profile = Some(profile.name("tunnel").build());
            },
            "has an instance profile, and the stack's InstanceRoleArn is empty",
        ),
    ];
    for (change, words) in cases {
        let fake = free();
        change(&mut fake.world().template);
        let (name, cause) = refusal(&fake, json!({})).await;
        assert_eq!(name, ErrorName::PreflightRefused, "{cause}");
        let words = format!("version 7 of launch template lt-1 {words}");
        assert!(cause.contains(&words), "{cause}");
        assert_eq!(cause.matches("launch template").count(), 1, "{cause}");
    }
}

#[tokio::test]
async fn a_stack_that_passes_a_role_launches_with_a_profile() {
    let fake = free();
    let profile = LaunchTemplateIamInstanceProfileSpecification::builder().name("tunnel");
    fake.world().template.iam_instance_profile = Some(profile.build());
    let mut asked = payload("deploy-2", json!({}));
    let role = "arn:aws:iam::123456789012:role/tunnel".to_owned();
    asked.settings.insert("InstanceRoleArn".to_owned(), role);
    assert!(ask(&fake, asked).await.is_ok());
}

#[tokio::test]
async fn a_network_load_balancer_is_planned_for_by_its_listeners_protocol() {
    for (protocol, refused) in [
        ("TCP", None),
        ("TLS", Some("350 s without data (fixed for TLS)")),
        ("UDP", Some("120 s without data (fixed for UDP)")),
        ("TCP_UDP", Some("120 s without data (fixed for UDP)")),
        ("QUIC", Some("the listener's protocol is QUIC")),
    ] {
        let fake = free();
        network(&fake);
        fake.world().dangers.protocol = Some(protocol.into());
        fake.world().dangers.listener = vec![("tcp.idle_timeout.seconds", "351")];
        let mut asked = payload("deploy-2", json!({}));
        asked
            .settings
            .insert("PingSeconds".to_owned(), "350".to_owned());
        let told = ask(&fake, asked).await.err().map(|it| it.to_string());
        let expected = |told: &String| refused.is_some_and(|words| told.contains(words));
        assert!(
            told.as_ref().map_or(refused.is_none(), expected),
            "{protocol}: {told:?}"
        );
        let usual = plan(&fake, json!({})).await;
        assert_eq!(usual.is_ok(), protocol != "QUIC", "{protocol}: {usual:?}");
    }
}

#[tokio::test]
async fn groups_that_would_take_zones_out_of_dns_are_refused_and_advised() {
    let count = "target_group_health.dns_failover.minimum_healthy_targets.count";
    let percentage = "target_group_health.dns_failover.minimum_healthy_targets.percentage";
    let cross_zone = "load_balancing.cross_zone.enabled";
    let told = async |groups: &[(&'static str, &'static str)]| {
        let fake = free();
        fake.world().load_balancer = "network".into();
        fake.world().dangers.groups = groups.to_vec();
        plan(&fake, json!({})).await.err().map(|it| it.to_string())
    };
    let never_set = told(&[]).await.unwrap();
    let advice = format!("set {count} to off (and .percentage as well)");
    assert!(never_set.contains(&advice), "{never_set}");
    assert!(never_set.ends_with("for tunnel-a, tunnel-b"), "{never_set}");
    assert!(told(&[(count, "2")]).await.is_some());
    assert!(told(&[(count, "off"), (percentage, "50")]).await.is_some());
    assert_eq!(told(&[(count, "off")]).await, None);
    assert_eq!(told(&[(count, "off"), (percentage, "off")]).await, None);
    assert_eq!(told(&[(cross_zone, "true")]).await, None);
    let as_balancer = (cross_zone, "use_load_balancer_configuration");
    assert!(told(&[as_balancer]).await.is_some());
    let fake = free();
    network(&fake);
    assert!(plan(&fake, json!({})).await.is_ok());
    // An ALB crosses zones, unless a group says otherwise.
    let fake = free();
    fake.world().dangers.groups = vec![(cross_zone, "false")];
    assert!(plan(&fake, json!({})).await.is_err());
}

#[tokio::test]
async fn green_is_as_large_as_blue_is_registered() {
    let fake = free();
    fake.world().group(&arn("a")).targets[2].healthy = false;
    let recorded = deploy(&fake, json!({})).await.recorded;
    assert_eq!((recorded.green.count, recorded.blue.healthy), (3, 2));
    let policy = recorded.policy;
    assert_eq!((policy.minimum_healthy, policy.minimum_of_blue()), (3, 2));
}

#[tokio::test]
async fn a_network_load_balancer_cuts_the_unhealthy_unless_told_not_to() {
    let key = "target_health_state.unhealthy.connection_termination.enabled";
    let fake = free();
    network(&fake);
    let told = warnings(&fake).await;
    assert!(told[0].contains("says both that they continue"), "{told:?}");
    let cuts = |told: &[String]| told.iter().filter(|it| it.contains(key)).count();
    assert_eq!(cuts(&told), 2, "true where it was never set: {told:?}");
    fake.world().dangers.groups = vec![(key, "false")];
    assert_eq!(cuts(&warnings(&fake).await), 0);
}

#[tokio::test]
async fn what_an_agent_would_not_work_behind_is_in_the_plan() {
    let against = async |fake: &Fake| {
        let deploy = deploy(fake, json!({})).await;
        deploy.recorded.policy.against_agents
    };
    let fake = free();
    network(&fake);
    let told = against(&fake).await;
    assert!(
        told[0].contains("set HealthCheckPort to the agent's port"),
        "{told:?}"
    );
    assert!(
        told[1].contains("unhealthy.connection_termination.enabled off in tunnel-a, tunnel-b"),
        "{told:?}"
    );
    fake.world().dangers.health_port = Some("7070");
    let key = "target_health_state.unhealthy.connection_termination.enabled";
    fake.world().dangers.groups.push((key, "false"));
    assert_eq!(against(&fake).await, Vec::<String>::new());
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
            network(&fake);
        }
        fake.fail(operation, Fault::Refused("UnauthorizedOperation"));
        let (name, cause) = refusal(&fake, json!({})).await;
        assert_eq!(name, ErrorName::AccessDenied, "{cause}");
        assert!(cause.contains(operation), "{cause}");
    }
}
