//! Which groups the action names: the front's pair, whoever retires at weight 0, and nothing that is gone.

use super::*;
use crate::record::{Phase, State};

fn names(decision: Result<Decision, Refusal>) -> Vec<(String, u32)> {
    let Ok(Decision::Change { groups, .. }) = decision else {
        panic!("{decision:?}");
    };
    let pairs = groups
        .into_iter()
        .map(|group| (group.target_group_arn, group.weight));
    pairs.collect()
}

fn pairs(groups: &[(&str, u32)]) -> Vec<(String, u32)> {
    let pairs = groups
        .iter()
        .map(|(name, weight)| (format!("arn:/{name}"), *weight));
    pairs.collect()
}

#[test]
fn whoever_retires_stays_in_the_action_at_weight_0_whatever_is_wanted() {
    for wanted in [forward(0, 100), wanted(100, 0), forward(90, 10)] {
        let wanted = Wanted {
            retiring: vec![arn("third")],
            ..wanted
        };
        for live in [0, 7] {
            let seen = seen(&[("blue", 99), ("green", 1), ("third", live)]);
            let after = names(decide(&seen, &wanted));
            assert_eq!(after.last(), pairs(&[("third", 0)]).last());
            assert_eq!(after.len(), 3);
        }
    }
}

#[test]
fn what_is_gone_is_left_out_once_it_has_no_target() {
    let mut seen = seen(&[("blue", 100), ("green", 0), ("third", 0)]);
    let expected = pairs(&[("blue", 100), ("green", 0)]);
    assert_eq!(names(decide(&seen, &forward(100, 0))), expected);
    seen.occupied.push("arn:/third".to_owned());
    let refusal = Refusal::StillHasTargets("third".to_owned());
    assert_eq!(decide(&seen, &forward(100, 0)), Err(refusal));
}

#[test]
fn detaching_leaves_whoever_serves_and_whoever_retires_as_they_are() {
    let detach = |retiring: &[&str]| Wanted {
        serving: Serving::AsItIs,
        retiring: retiring.iter().map(|name| arn(name)).collect(),
        ..forward(0, 0)
    };
    let empty_blue = Observation {
        occupied: vec!["arn:/green".to_owned()],
        ..seen(&[("blue", 0), ("green", 7), ("third", 0)])
    };
    let after = names(decide(&empty_blue, &detach(&[])));
    assert_eq!(after, pairs(&[("green", 7)]));
    let after = names(decide(&empty_blue, &detach(&["third"])));
    assert_eq!(after, pairs(&[("green", 7), ("third", 0)]));
    let set = seen(&[("green", 7), ("third", 0)]);
    assert!(keeps(&decide(&set, &detach(&["third"]))));
}

#[test]
fn detaching_takes_weight_from_what_retires_and_leaves_nobody_without_servers() {
    let detach = Wanted {
        serving: Serving::AsItIs,
        retiring: vec![arn("third")],
        ..forward(0, 0)
    };
    let moved = seen(&[("green", 7), ("third", 1)]);
    let after = names(decide(&moved, &detach));
    assert_eq!(after, pairs(&[("green", 7), ("third", 0)]));
    let alone = seen(&[("third", 1)]);
    assert_eq!(decide(&alone, &detach), Err(Refusal::NobodyServes));
}

#[test]
fn what_is_wanted_is_read_from_the_record_at_the_act() {
    let plan = examples::recorded(
        &environment("blue"),
        &environment("green"),
        &[environment("third"), environment("fourth")],
    );
    let entry = |name: &str, state| crate::record::Entry {
        state,
        ..examples::entry(&environment(name), examples::another(), plan.clone())
    };
    let retiring = vec![
        entry("third", State::Draining),
        entry("fourth", State::Gone),
    ];
    let draining = arn("third");
    let record = examples::record(None, retiring);
    let mut front = examples::front(plan.clone(), Phase::Switched);
    front.plan.policy.blue_minimum = 2;
    front.weights = Weights {
        blue: 90,
        green: 10,
    };
    let wanted = |act| Wanted::of(&front, &record, act, 0);
    for act in [Act::Attach, Act::Weigh, Act::WeighBack, Act::Detach] {
        assert_eq!(wanted(act).retiring, std::slice::from_ref(&draining));
        let known = ["blue", "green", "third", "fourth"].map(arn);
        assert_eq!(wanted(act).known, known);
        let minima = (wanted(act).minimum_healthy, wanted(act).blue_minimum);
        assert_eq!(minima, (3, 2));
    }
    let serving = |act| match wanted(act).serving {
        Serving::Pair { weights, back, .. } => Some((weights.blue, weights.green, back)),
        Serving::AsItIs => None,
    };
    assert_eq!(serving(Act::Attach), Some((100, 0, false)));
    assert_eq!(serving(Act::Weigh), Some((90, 10, false)));
    assert_eq!(serving(Act::WeighBack), Some((100, 0, true)));
    assert_eq!(serving(Act::Detach), None);
}

#[test]
fn at_each_listener_the_groups_are_those_that_the_environments_have_there() {
    let of_two = |name: &str| Environment::of(vec![arn(name), arn(&format!("{name}-tls"))]);
    let plan = examples::recorded(&of_two("blue"), &of_two("green"), &[of_two("third")]);
    let before_the_second =
        examples::entry(&environment("third"), examples::another(), plan.clone());
    let record = examples::record(None, vec![before_the_second]);
    let front = examples::front(plan, Phase::Switched);
    let wanted = Wanted::of(&front, &record, Act::Attach, 1);
    let Serving::Pair { blue, green, .. } = wanted.serving else {
        panic!("not the pair");
    };
    assert_eq!([blue, green], ["blue-tls", "green-tls"].map(arn));
    assert_eq!(wanted.retiring, Vec::<String>::new());
    assert_eq!(
        wanted.known,
        ["blue-tls", "green-tls", "third-tls"].map(arn)
    );
    let at_the_first = Wanted::of(&front, &record, Act::Attach, 0);
    assert_eq!(at_the_first.retiring, [arn("third")]);
}
