//! What AWS itself may do to sessions and servers: each refusal and each warning.

use super::*;

#[test]
fn each_danger_to_sessions_is_refused() {
    type Spoil = fn(&mut Observation);
    let cases: Vec<(Spoil, &str)> = vec![
        (
            |seen| seen.balancers[0].idle = vec![idle(30)],
            "closes a connection after 30 s without data (idle_timeout.timeout_seconds), and the servers ping every 30 s",
        ),
        (
            |seen| seen.groups[1].load_balancers.push("arn:other".to_owned()),
            "load balancer arn:other sends traffic to tunnel-b too",
        ),
        (
            |seen| seen.hazards.protected = vec!["i-1".to_owned(), "i-2".to_owned()],
            "termination protection is on for 2 of blue's instances, and they could never be replaced: turn it off \
             (disableApiTermination) for i-1, i-2",
        ),
        (
            |seen| version(seen).faults.push(TemplateFault::Protects),
            "version 7 of launch template lt-1 turns termination protection on",
        ),
        (
            |seen| seen.hazards.persistent = vec!["i-1".to_owned()],
            "1 of blue's instances come of persistent Spot requests, which bring back what is ended",
        ),
        (
            |seen| seen.hazards.no_address = vec!["i-2".to_owned()],
            "1 of blue's instances have no private IPv4 address",
        ),
        (
            |seen| fleet(seen).is_tagged = false,
            "Auto Scaling group tunnel-blue does not carry the tag ebbtide:service",
        ),
        (
            |seen| fleet(seen).versions.push("$Default".to_owned()),
            "tunnel-blue launches from version $Default of its template: its next scale-out would run the version that is \
             to be deployed",
        ),
        (
            |seen| fleet(seen).versions = vec!["$Latest".to_owned()],
            "pin it to the number that blue runs",
        ),
        (
            |seen| fleet(seen).refresh = Some("InProgress".to_owned()),
            "tunnel-blue has an instance refresh (InProgress), which replaces its servers, busy or not",
        ),
        (
            |seen| {
                fleet(seen).retains = true;
                fleet(seen).ending_hooks = vec![("backup".to_owned(), 600)];
            },
            "set TerminateHookAbandon to terminate",
        ),
        (|seen| fleet(seen).reuses = true, "turn ReuseOnScaleIn off"),
    ];
    for (spoil, words) in cases {
        let mut seen = ready();
        spoil(&mut seen);
        let [refusal] = &refusals(&seen)[..] else {
            panic!("not one refusal: {words}");
        };
        assert!(refusal.to_string().contains(words), "{refusal}");
    }
}

#[test]
fn an_idle_time_out_above_the_ping_interval_or_not_known_is_fine() {
    for idle_time_outs in [vec![idle(31)], Vec::new()] {
        let mut seen = ready();
        seen.balancers[0].idle = idle_time_outs;
        assert_eq!(
            plan(&seen, &Input::default()).unwrap().warnings,
            Vec::<String>::new()
        );
    }
}

#[test]
fn each_danger_that_stops_nothing_is_warned_of() {
    type Spoil = fn(&mut Observation);
    let cases: Vec<(Spoil, &str)> = vec![
        (
            |seen| *seen = network(Protocol::Tls),
            "guide says both that they continue and that they are closed after a short time",
        ),
        (
            |seen| seen.groups[0].cuts_unhealthy = true,
            "target_health_state.unhealthy.connection_termination.enabled off",
        ),
        (
            |seen| seen.groups[1].cuts_deregistered = true,
            "deregistered from tunnel-b",
        ),
        (
            |seen| seen.hazards.unread = vec!["i-1".to_owned()],
            "termination protection of 1 of blue's instances",
        ),
        (
            |seen| seen.hazards.spot = vec!["i-3".to_owned()],
            "blue has 1 Spot instances",
        ),
        (
            |seen| fleet(seen).lifetime = Some(86_400),
            "Auto Scaling group tunnel-blue replaces its instances after 86400 s",
        ),
        (
            |seen| fleet(seen).protects_new = false,
            "tunnel-blue does not protect what it launches from scale-in",
        ),
        (
            |seen| fleet(seen).ending_hooks = vec![("backup".to_owned(), 600)],
            "lifecycle hook backup of Auto Scaling group tunnel-blue holds up the end of each server, until it is completed \
             or for 600 s",
        ),
        (
            |seen| fleet(seen).standby = vec!["i-9".to_owned()],
            "has members on standby, which no deployment counts, drains or ends: i-9",
        ),
        (
            |seen| version(seen).spot = true,
            "green would be Spot instances",
        ),
        (
            |seen| version(seen).zone = Some("eu-west-1a".to_owned()),
            "the launch template names zone eu-west-1a",
        ),
    ];
    for (spoil, words) in cases {
        let mut seen = ready();
        spoil(&mut seen);
        let [warning] = &plan(&seen, &Input::default()).unwrap().warnings[..] else {
            panic!("not one warning: {words}");
        };
        assert!(warning.contains(words), "{warning}");
    }
}

#[test]
fn a_long_list_of_instances_is_cut_short() {
    let many: Vec<String> = (0..500).map(|index| format!("i-{index}")).collect();
    let told = Refusal::Protected(many).to_string();
    assert!(told.ends_with("i-9 and 490 more"), "{told}");
}

/// The first Auto Scaling group of blue's, a sound one.
fn fleet(seen: &mut Observation) -> &mut Fleet {
    let fleets = &mut seen.hazards.fleets;
    if fleets.is_empty() {
        fleets.push(Fleet {
            name: "tunnel-blue".to_owned(),
            is_tagged: true,
            versions: vec!["6".to_owned()],
            protects_new: true,
            ..Fleet::default()
        });
    }
    &mut fleets[0]
}

#[test]
fn a_sound_fleet_stops_nothing_and_a_policy_that_has_no_hook_to_act_on_is_none() {
    let mut seen = ready();
    fleet(&mut seen).retains = true;
    assert_eq!(
        plan(&seen, &Input::default()).unwrap().warnings,
        Vec::<String>::new()
    );
}
