//! Rule 5 and the way back, for whatever the listener shows and whatever is wanted.

use proptest::prelude::*;

use super::*;

fn weight() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(50), Just(100), 0..=999u32]
}

prop_compose! {
    fn any_observation()(
        groups in proptest::collection::vec((prop_oneof![Just("blue"), Just("green"), Just("other")], weight()), 0..4),
        blue_healthy in 0..5u32,
        green_healthy in 0..5u32,
        switched: bool,
        sticky: bool,
    ) -> Observation {
        let mut seen = seen(&groups);
        seen.forward.sticky = sticky;
        Observation { blue_healthy, green_healthy, switched, ..seen }
    }
}

/// The share of new sessions that blue has.
fn share(forward: &Forward) -> f64 {
    let (blue, green) = (forward.weight("arn:blue"), forward.weight("arn:green"));
    if blue == 0 {
        0.0
    } else {
        f64::from(blue) / (f64::from(blue) + f64::from(green))
    }
}

proptest! {
    #[test]
    fn rule_5_no_decision_gives_weight_to_a_group_without_enough_healthy_targets(
        seen in any_observation(), blue in weight(), green in weight(), minimum in 0..5u32
    ) {
        let wanted = Wanted { minimum_healthy: minimum, ..wanted(blue, green) };
        let Ok(decision) = decide(&seen, &wanted) else { return Ok(()) };
        let after = match decision {
            Decision::Keep { .. } => seen.forward.clone(),
            Decision::Change { groups, .. } => Forward { groups, sticky: false },
        };
        prop_assert!(is_set(&after, &wanted));
        let mut names: Vec<&str> = after.groups.iter().map(|it| it.target_group_arn.as_str()).collect();
        names.sort_unstable();
        prop_assert_eq!(names, ["arn:blue", "arn:green"], "no third group, and neither left out");
        prop_assert!(blue + green > 0, "nobody would serve");
        prop_assert!(!seen.forward.sticky);
        if green > 0 {
            prop_assert!(seen.switched && seen.green_healthy >= minimum);
        }
        if share(&after) > share(&seen.forward) {
            prop_assert!(seen.blue_healthy >= minimum);
        }
    }

    #[test]
    fn without_a_rollback_blue_never_gets_a_larger_share_once_weights_may_have_moved(
        seen in any_observation(), blue in weight(), green in weight()
    ) {
        let seen = Observation { switched: true, ..seen };
        if let Ok(Decision::Change { groups, .. }) = decide(&seen, &forward(blue, green)) {
            let after = Forward { groups, sticky: false };
            prop_assert!(share(&after) <= share(&seen.forward));
        }
    }

    #[test]
    fn taking_weight_from_a_blue_that_is_short_is_never_refused_for_it(
        seen in any_observation(), blue in weight(), green in weight()
    ) {
        if share(&at_weights((blue, green)).forward) <= share(&seen.forward) && blue > 0 {
            prop_assert!(!matches!(decide(&seen, &wanted(blue, green)), Err(Refusal::TooFewHealthy(_))));
        }
    }
}
