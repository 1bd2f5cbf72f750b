//! Rule 5 and the way back, for whatever the listener shows and whatever is wanted.

use proptest::prelude::*;

use super::*;

fn weight() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(50), Just(100), 0..=999u32]
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("blue"), Just("green"), Just("third"), Just("other")]
}

prop_compose! {
    fn any_observation()(
        groups in proptest::collection::vec((name(), weight()), 0..5),
        blue_healthy in 0..5u32,
        green_healthy in 0..5u32,
        occupied in proptest::sample::subsequence(vec!["arn:/blue", "arn:/green", "arn:/third", "arn:/other"], 0..=4),
        sticky: bool,
    ) -> Observation {
        let mut seen = seen(&groups);
        seen.forward.sticky = sticky;
        let occupied = occupied.into_iter().map(str::to_owned).collect();
        Observation { blue_healthy, green_healthy, occupied, ..seen }
    }
}

/// The share of new sessions that blue has.
fn share(forward: &Forward) -> f64 {
    let (blue, green) = (forward.weight("arn:/blue"), forward.weight("arn:/green"));
    if blue == 0 {
        0.0
    } else {
        f64::from(blue) / (f64::from(blue) + f64::from(green))
    }
}

proptest! {
    #[test]
    fn rule_5_no_decision_gives_weight_to_a_group_without_enough_healthy_targets(
        seen in any_observation(), blue in weight(), green in weight(), minimum in 0..5u32, blue_minimum in 0..5u32
    ) {
        let wanted = Wanted { minimum_healthy: minimum, blue_minimum, ..wanted(blue, green) };
        let Ok(decision) = decide(&seen, &wanted) else { return Ok(()) };
        let after = match decision {
            Decision::Keep { .. } => seen.forward.clone(),
            Decision::Change { groups, .. } => Forward { groups, sticky: false },
        };
        prop_assert!(is_set(&after, &wanted));
        let mut names: Vec<&str> = after.groups.iter().map(|it| it.target_group_arn.as_str()).collect();
        names.sort_unstable();
        prop_assert_eq!(names, ["arn:/blue", "arn:/green"], "no third group, and neither left out");
        prop_assert!(blue + green > 0, "nobody would serve");
        prop_assert!(!seen.forward.sticky);
        if green > 0 {
            prop_assert!(seen.green_healthy >= minimum);
        }
        if share(&after) > share(&seen.forward) {
            prop_assert!(seen.blue_healthy >= blue_minimum);
        }
    }

    #[test]
    fn without_a_rollback_blue_never_gets_a_larger_share_once_weights_may_have_moved(
        seen in any_observation(), blue in weight(), green in weight()
    ) {
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

    /// Whoever retires is named at 0, whatever is gone and empty is left out, and nothing with a target is.
    #[test]
    fn rule_16_the_action_names_the_pair_and_what_retires_and_nothing_that_retires_has_weight(
        seen in any_observation(), blue in weight(), green in weight(), third_retires: bool, as_it_is: bool, back: bool
    ) {
        let mut once: Vec<&String> = seen.forward.groups.iter().map(|it| &it.target_group_arn).collect();
        once.sort_unstable();
        once.dedup();
        prop_assume!(once.len() == seen.forward.groups.len(), "AWS names no group twice");
        let mut wanted = pair(blue, green, back);
        if third_retires {
            wanted.retiring = vec![arn("third")];
        }
        if as_it_is {
            wanted.serving = Serving::AsItIs;
        }
        let Ok(Decision::Change { groups, .. }) = decide(&seen, &wanted) else { return Ok(()) };
        let after = Forward { groups, sticky: false };
        prop_assert_eq!(after.names("arn:/third"), third_retires || (as_it_is && seen.forward.weight("arn:/third") > 0));
        prop_assert!(!third_retires || after.weight("arn:/third") == 0);
        prop_assert!(!after.names("arn:/other") || (as_it_is && seen.forward.weight("arn:/other") > 0));
        for occupied in &seen.occupied {
            prop_assert!(after.names(occupied) || !seen.forward.names(occupied), "{} is cut off", occupied);
        }
        if as_it_is {
            for name in ["arn:/blue", "arn:/green"] {
                prop_assert_eq!(after.weight(name), seen.forward.weight(name), "{} keeps its weight", name);
            }
        }
        prop_assert!(after.groups.iter().any(|group| group.weight > 0));
        prop_assert!(is_set(&after, &wanted));
    }
}
