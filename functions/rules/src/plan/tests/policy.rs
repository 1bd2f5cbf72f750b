//! The numbers that bound a deployment: whose they are, and which are refused.

use super::*;

#[test]
fn the_minimum_is_a_share_of_blue_rounded_up() {
    let minimum = |percent| {
        let input = Input {
            minimum_healthy_percent: Some(percent),
            ..Input::default()
        };
        plan(&ready(), &input).unwrap().policy.minimum_healthy
    };
    assert_eq!(minimum(100), 3);
    assert_eq!(minimum(50), 2);
    assert_eq!(minimum(1), 1);
}

#[test]
fn input_beats_the_stack_and_the_stack_beats_the_load_balancer() {
    let seen = network(Protocol::Tcp);
    assert_eq!(
        plan(&seen, &Input::default())
            .unwrap()
            .policy
            .settle_seconds,
        180
    );
    let stack = Defaults {
        settle_seconds: Some(5),
        ..defaults()
    };
    assert_eq!(
        decide(&seen, &Input::default(), &stack)
            .unwrap()
            .policy
            .settle_seconds,
        5
    );
    let input = Input {
        settle_seconds: Some(2),
        ..Input::default()
    };
    assert_eq!(
        decide(&seen, &input, &stack).unwrap().policy.settle_seconds,
        2
    );
}

#[test]
fn a_deadline_that_is_over_before_the_first_seal_is_refused() {
    let refused = |deadline| {
        let input = Input {
            deadline_seconds: Some(deadline),
            ..Input::default()
        };
        plan(&ready(), &input).err()
    };
    let expected = Refusal::DeadlineBeforeSeal {
        deadline_seconds: 900,
        first_seal: 900,
    };
    assert_eq!(refused(900), Some(vec![expected]));
    assert_eq!(refused(901), None);
}

#[test]
fn steps_alarms_and_detaching_reach_the_policy() {
    let stack = Defaults {
        alarms: vec!["errors".to_owned()],
        detached: true,
        ..defaults()
    };
    let policy = |input: &Input| decide(&ready(), input, &stack).unwrap().policy;
    let default = policy(&Input::default());
    assert_eq!((default.steps, default.step_seconds), (vec![100], 60));
    assert_eq!(default.alarms, ["errors"]);
    assert!(default.detached);
    assert_eq!(default.most_passes, 400);
    let asked = policy(&Input {
        steps: Some(vec![10, 100]),
        step_seconds: Some(5),
        alarms: Some(Vec::new()),
        detached: Some(false),
        ..Input::default()
    });
    assert_eq!((asked.steps, asked.step_seconds), (vec![10, 100], 5));
    assert_eq!(asked.alarms, Vec::<String>::new());
    assert!(!asked.detached);
}

#[test]
fn a_bake_that_no_history_has_room_for_is_refused_and_a_long_drain_is_not() {
    let fortnight = Input {
        deadline_seconds: Some(1_209_600),
        ..Input::default()
    };
    assert!(plan(&ready(), &fortnight).is_ok());
    let day = Input {
        bake_seconds: Some(86_400),
        deadline_seconds: Some(200_000),
        ..Input::default()
    };
    let refused = plan(&ready(), &day).unwrap_err();
    assert!(
        matches!(
            refused[..],
            [Refusal::TooLong {
                steps: 0,
                most: 400,
                bake_seconds: 86_400,
                ..
            }]
        ),
        "{refused:?}"
    );
    let slow = Input {
        poll_seconds: Some(300),
        ..day
    };
    assert!(plan(&ready(), &slow).unwrap_err().len() == 1);
}

#[test]
fn as_many_passes_as_an_execution_has_room_for_are_planned() {
    let with_room_for = |passes| {
        let stack = Defaults {
            passes_per_execution: passes,
            ..defaults()
        };
        decide(&ready(), &Input::default(), &stack).err()
    };
    let refused = with_room_for(5).unwrap();
    let [Refusal::TooLong { passes, .. }] = refused[..] else {
        panic!("{refused:?}");
    };
    let passes = u32::try_from(passes).unwrap();
    assert_eq!(with_room_for(passes), None);
    assert!(with_room_for(passes - 1).is_some());
}
