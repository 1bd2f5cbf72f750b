//! Blue as it is found: how large green becomes of it, what is asked of it, and what of it speaks against a deployment.

use super::*;

#[test]
fn a_sick_blue_gets_a_green_of_its_whole_size_and_is_asked_for_no_more_than_it_has() {
    let mut seen = ready();
    seen.groups[0].targets = (0..10)
        .map(|index| target(&format!("i-{index}"), index < 2))
        .collect();
    let input = Input {
        minimum_healthy_percent: Some(50),
        ..Input::default()
    };
    let decision = plan(&seen, &input).unwrap();
    assert_eq!((decision.green.count, decision.blue.healthy), (10, 2));
    let policy = decision.policy;
    assert_eq!((policy.minimum_healthy, policy.minimum_of_blue()), (5, 1));
    let of_one_number = Policy {
        blue_minimum: 0,
        ..policy
    };
    assert_eq!(of_one_number.minimum_of_blue(), 5);
}

#[test]
fn a_target_with_a_second_port_is_on_ports_of_its_own_and_one_that_leaves_is_not() {
    let mut seen = ready();
    seen.groups[0].targets[0].ports = vec![80, 81];
    assert!(matches!(&refusals(&seen)[..], [Refusal::OwnPorts { .. }]));
    seen.groups[0].targets[0].registered = false;
    assert!(plan(&seen, &Input::default()).is_ok());
}

#[test]
fn a_blue_without_healthy_targets_is_refused() {
    let mut seen = ready();
    seen.groups[0].targets = vec![target("i-1", false)];
    assert!(refusals(&seen).contains(&Refusal::BlueUnhealthy {
        group: "tunnel-a".to_owned(),
        targets: 1
    }));
}

#[test]
fn a_count_below_the_minimum_or_above_the_most_is_refused() {
    let input = Input {
        count: Some(2),
        ..Input::default()
    };
    assert_eq!(
        plan(&ready(), &input),
        Err(vec![Refusal::CountBelowMinimum {
            count: 2,
            minimum: 3
        }])
    );
    let of = |servers: u32| {
        let mut seen = ready();
        seen.groups[0].targets = (0..servers)
            .map(|index| target(&format!("i-{index}"), true))
            .collect();
        plan(&seen, &Input::default())
    };
    assert!(of(500).is_ok());
    let refused = of(501).unwrap_err();
    assert_eq!(refused.len(), 2, "both environments would be too large");
}

#[test]
fn targets_that_are_leaving_do_not_count() {
    let mut seen = ready();
    seen.groups[1].targets = vec![Target {
        registered: false,
        ..target("i-9", false)
    }];
    assert!(plan(&seen, &Input::default()).is_ok());
}

#[test]
fn sick_targets_are_warned_of() {
    let mut seen = ready();
    seen.groups[0].targets.push(target("i-4", false));
    let input = Input {
        count: Some(4),
        ..Input::default()
    };
    let warnings = plan(&seen, &input).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("3 of 4 targets"), "{warnings:?}");
}
