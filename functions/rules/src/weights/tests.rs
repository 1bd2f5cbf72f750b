//! Which weights may be set from which, and what counts from then.

mod action;
mod names;
mod properties;

use jiff::Timestamp;

use super::*;
use crate::document::Act;
use crate::examples;
use crate::shape::Environment;
use crate::{ErrorName, Failure};

fn arn(name: &str) -> String {
    format!("arn:/{name}")
}

fn environment(name: &str) -> Environment {
    Environment::of(vec![arn(name)])
}

/// On the way back, with a third environment that retires nothing and is free.
fn wanted(blue: u32, green: u32) -> Wanted {
    pair(blue, green, true)
}

/// The same on the way forward.
fn forward(blue: u32, green: u32) -> Wanted {
    pair(blue, green, false)
}

fn pair(blue: u32, green: u32, back: bool) -> Wanted {
    Wanted {
        serving: Serving::Pair {
            blue: arn("blue"),
            green: arn("green"),
            weights: Weights { blue, green },
            back,
        },
        retiring: Vec::new(),
        known: ["blue", "green", "third"].map(arn).into(),
        minimum_healthy: 3,
        blue_minimum: 3,
    }
}

#[test]
fn a_call_that_is_late_by_a_step_gives_blue_nothing_back() {
    for (live, late) in [
        ((0, 100), (50, 50)),
        ((0, 100), (100, 0)),
        ((50, 50), (90, 10)),
        ((50, 50), (100, 0)),
    ] {
        let refusal = Refusal::NotBack {
            live_blue: live.0,
            live_green: live.1,
        };
        let decision = decide(&at_weights(live), &forward(late.0, late.1));
        assert_eq!(decision, Err(refusal), "{live:?} to {late:?}");
        assert!(changes(&decide(&at_weights(live), &wanted(late.0, late.1))));
    }
    for (live, step) in [
        ((100, 0), (90, 10)),
        ((90, 10), (50, 50)),
        ((50, 50), (0, 100)),
    ] {
        assert!(changes(&decide(
            &at_weights(live),
            &forward(step.0, step.1)
        )));
        assert!(keeps(&decide(&at_weights(step), &forward(step.0, step.1))));
    }
    assert!(changes(&decide(&seen(&[("blue", 1)]), &forward(100, 0))));
}

/// A service with these weights and three healthy targets on either side; no other group has a target.
fn seen(weights: &[(&str, u32)]) -> Observation {
    let groups = weights.iter().map(|(name, weight)| GroupWeight {
        target_group_arn: format!("arn:/{name}"),
        weight: *weight,
    });
    Observation {
        forward: Forward {
            groups: groups.collect(),
            sticky: false,
        },
        blue_healthy: 3,
        green_healthy: 3,
        occupied: ["arn:/blue", "arn:/green"].map(str::to_owned).into(),
    }
}

fn at_weights((blue, green): (u32, u32)) -> Observation {
    seen(&[("blue", blue), ("green", green)])
}

/// A group with two healthy targets of the three that it needs.
fn short(group: &str, weight: u32) -> Shortage {
    Shortage {
        group: group.to_owned(),
        healthy: 2,
        minimum: 3,
        weight,
    }
}

fn changes(decision: &Result<Decision, Refusal>) -> bool {
    matches!(decision, Ok(Decision::Change { .. }))
}

fn keeps(decision: &Result<Decision, Refusal>) -> bool {
    matches!(decision, Ok(Decision::Keep { .. }))
}

#[test]
fn green_is_attached_beside_blue_at_weight_0_before_it_has_any_server() {
    let seen = Observation {
        green_healthy: 0,
        occupied: vec!["arn:/blue".to_owned()],
        ..seen(&[("blue", 1)])
    };
    let Ok(Decision::Change { groups, .. }) = decide(&seen, &wanted(100, 0)) else {
        panic!("no change")
    };
    let weights: Vec<u32> = groups.iter().map(|group| group.weight).collect();
    assert_eq!(weights, [100, 0]);
}

#[test]
fn weight_goes_over_in_steps_whether_or_not_blue_loses_servers_on_the_way() {
    let steps = [(100, 0), (90, 10), (50, 50), (0, 100)];
    for blue_healthy in [3, 2, 0] {
        for step in steps.windows(2) {
            let seen = Observation {
                blue_healthy,
                ..at_weights(step[0])
            };
            let (blue, green) = step[1];
            assert!(changes(&decide(&seen, &wanted(blue, green))), "{step:?}");
            let seen = Observation {
                blue_healthy,
                ..at_weights(step[1])
            };
            assert!(keeps(&decide(&seen, &wanted(blue, green))), "{step:?}");
        }
    }
}

#[test]
fn green_below_the_minimum_gets_no_step_and_is_told_in_every_one_it_has() {
    for (blue, green) in [(90, 10), (50, 50), (0, 100)] {
        for live in [(100, 0), (90, 10), (50, 50), (0, 100)] {
            let seen = Observation {
                green_healthy: 2,
                ..at_weights(live)
            };
            assert_eq!(
                decide(&seen, &wanted(blue, green)),
                Err(Refusal::GreenUnhealthy(short("green", green))),
                "{live:?}"
            );
        }
    }
}

#[test]
fn all_weight_goes_back_to_blue_from_anywhere_when_blue_has_the_minimum() {
    for live in [(90, 10), (50, 50), (0, 100)] {
        for green_healthy in [3, 0] {
            let seen = Observation {
                green_healthy,
                ..at_weights(live)
            };
            assert!(changes(&decide(&seen, &wanted(100, 0))), "{live:?}");
        }
        let short_of_blue = Observation {
            blue_healthy: 2,
            ..at_weights(live)
        };
        assert_eq!(
            decide(&short_of_blue, &wanted(100, 0)),
            Err(Refusal::TooFewHealthy(short("blue", 100))),
            "{live:?}"
        );
    }
}

#[test]
fn a_rollback_before_any_weight_moved_asks_nothing_of_blue() {
    for blue_healthy in [3, 2, 0] {
        let seen = Observation {
            blue_healthy,
            ..at_weights((100, 0))
        };
        assert!(keeps(&decide(&seen, &wanted(100, 0))), "{blue_healthy}");
    }
}

#[test]
fn a_blue_that_lost_a_server_keeps_the_share_it_has_and_no_more() {
    for (live, raised) in [((1, 0), false), ((100, 50), true), ((0, 0), true)] {
        let seen = Observation {
            blue_healthy: 2,
            ..at_weights(live)
        };
        let decision = decide(&seen, &wanted(100, 0));
        if raised {
            let refusal = Refusal::TooFewHealthy(short("blue", 100));
            assert_eq!(decision, Err(refusal), "{live:?}");
        } else {
            assert!(changes(&decision), "{live:?}");
        }
    }
}

#[test]
fn weights_that_somebody_moved_are_put_right() {
    assert!(changes(&decide(&at_weights((100, 0)), &wanted(0, 100))));
    assert!(
        changes(&decide(&seen(&[("green", 100)]), &wanted(0, 100))),
        "blue stays in the action at 0"
    );
    assert!(keeps(&decide(
        &seen(&[("green", 100), ("blue", 0)]),
        &wanted(0, 100)
    )));
}

#[test]
fn where_nobody_has_weight_green_may_get_all_of_it_and_blue_none_without_a_rollback() {
    let nobody = Observation {
        blue_healthy: 0,
        ..at_weights((0, 0))
    };
    assert!(changes(&decide(&nobody, &forward(0, 100))));
    let refusal = Refusal::NotBack {
        live_blue: 0,
        live_green: 0,
    };
    assert_eq!(decide(&nobody, &forward(100, 0)), Err(refusal));
}

#[test]
fn weights_are_set_in_an_action_of_both_groups_only() {
    let set = |groups: &[(&str, u32)]| is_set(&seen(groups).forward, &wanted(100, 0));
    assert!(set(&[("blue", 100), ("green", 0)]));
    assert!(set(&[("green", 0), ("blue", 100)]));
    assert!(!set(&[("blue", 100)]));
    assert!(!set(&[("blue", 100), ("other", 0)]));
    assert!(!set(&[("blue", 100), ("green", 0), ("other", 0)]));
    assert!(!set(&[("blue", 100), ("green", 1)]));
    assert!(!set(&[("blue", 99), ("green", 0)]));
}

#[test]
fn a_changed_action_is_refused() {
    assert_eq!(
        decide(&seen(&[("blue", 100), ("other", 0)]), &wanted(0, 100)),
        Err(Refusal::ForeignGroup("arn:/other".to_owned()))
    );
    let mut sticky = at_weights((100, 0));
    sticky.forward.sticky = true;
    assert_eq!(decide(&sticky, &wanted(0, 100)), Err(Refusal::Sticky));
    assert_eq!(
        decide(&seen(&[("blue", 100)]), &wanted(0, 0)),
        Err(Refusal::NobodyServes)
    );
}

fn moments(blue: u32, green: u32) -> Moments {
    let spans = Spans {
        step: 60,
        settle: 30,
        bake: 900,
        deadline: 86_400,
    };
    // A moment is never early.
    let at: Timestamp = "2026-11-22T10:00:00.1Z".parse().unwrap();
    Moments::count(at, Weights { blue, green }, &spans)
}

#[test]
fn settling_baking_and_the_deadline_count_from_the_last_step() {
    for (blue, green) in [(0, 100), (100, 0)] {
        let text = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
        let moments = moments(blue, green);
        assert_eq!(moments.at.to_string(), "2026-11-22T10:00:01Z");
        let settled = text(moments.settled_at);
        assert_eq!(settled.as_deref(), Some("2026-11-22T10:00:31Z"));
        let baked = text(moments.baked_at);
        assert_eq!(baked.as_deref(), Some("2026-11-22T10:15:01Z"));
        let deadline = text(moments.deadline_at);
        assert_eq!(deadline.as_deref(), Some("2026-11-23T10:00:01Z"));
        assert_eq!(moments.step_ends_at, None);
    }
}

#[test]
fn a_step_only_ends() {
    let json = serde_json::to_value(moments(90, 10)).unwrap();
    let expected = serde_json::json!({
        "at": "2026-11-22T10:00:01Z", "settledAt": null, "bakedAt": null, "deadlineAt": null,
        "stepEndsAt": "2026-11-22T10:01:01Z",
    });
    assert_eq!(json, expected);
}

fn confirmed(blue: u32, green: u32, changed: bool) -> Confirmed {
    Confirmed {
        epoch: examples::EPOCH,
        began_at: examples::NOW,
        read_at: examples::NOW,
        forwards: vec![at_weights((blue, green)).forward],
        repairs: Repairs::default(),
        changed,
        blue_healthy: 3,
        green_healthy: 3,
    }
}

fn answered(
    confirmed: Confirmed,
    former: Option<&Switched>,
    late: Option<i64>,
    at: i64,
) -> Switched {
    let plan = examples::recorded(&environment("blue"), &environment("green"), &[]);
    let spans = Spans::of(&plan.policy, false);
    let late = late.map(examples::after);
    let at = examples::after(at);
    let confirmed = Confirmed {
        began_at: at,
        read_at: at,
        ..confirmed
    };
    confirmed.answer(&plan, former, &spans, late)
}

#[test]
fn moments_are_kept_while_the_same_epoch_confirms_the_same_weights_and_count_anew_otherwise() {
    let first = answered(confirmed(0, 100, true), None, None, 0);
    assert_eq!(first.moments.at, examples::NOW);
    assert_eq!(first.groups, ["arn:/blue", "arn:/green"]);
    let again = answered(confirmed(0, 100, false), Some(&first), None, 60);
    assert_eq!(again.moments, first.moments);
    let repaired = answered(confirmed(0, 100, true), Some(&first), None, 60);
    let settling = Moments {
        settled_at: Some(examples::after(90)),
        ..first.moments
    };
    assert_eq!(
        repaired.moments, settling,
        "a repair moves no bake and no deadline"
    );
    let other = answered(confirmed(50, 50, false), Some(&first), None, 60);
    assert_eq!(other.moments.at, examples::after(60));
    let of_before = Switched {
        epoch: examples::EPOCH - 1,
        ..first
    };
    let taken_over = answered(confirmed(0, 100, false), Some(&of_before), None, 60);
    assert_eq!(taken_over.moments.at, examples::after(60));
}

#[test]
fn weights_that_somebody_moves_are_set_right_three_times_between_redrives() {
    let wanted = forward(0, 100);
    let moved = at_weights((100, 0)).forward;
    let mut former = answered(confirmed(0, 100, true), None, None, 0);
    assert_eq!(former.repairs.sentence(), None);
    let count = |former: &Switched, redrives| {
        Repairs::before(Some(former)).count(Some(former), &wanted, &moved, redrives)
    };
    for redrives in [0, 1] {
        for time in 1..=MOST_REPAIRS {
            former.repairs = count(&former, redrives).unwrap();
            assert!(former.repairs.repaired);
            assert_eq!(former.repairs.since_redrive, time);
        }
        let refusal = count(&former, redrives).unwrap_err();
        assert_eq!(refusal.name(), ErrorName::WeightsContested);
        let told = refusal.to_string();
        assert!(
            told.contains("set right 3 times, and the action is"),
            "{told}"
        );
    }
    let told = former.repairs.sentence().unwrap();
    assert!(told.contains("(set right 6 times, last found"), "{told}");
    assert!(!Repairs::before(Some(&former)).repaired);
}

#[test]
fn a_step_and_the_first_weights_of_an_epoch_are_no_repair() {
    let moved = at_weights((50, 50)).forward;
    let step = answered(confirmed(50, 50, true), None, None, 0);
    let next = Repairs::before(Some(&step)).count(Some(&step), &forward(0, 100), &moved, 0);
    assert_eq!(next, Ok(Repairs::default()));
    let first = Repairs::before(None).count(None, &forward(0, 100), &moved, 0);
    assert_eq!(first, Ok(Repairs::default()));
    let mut detaching = forward(0, 100);
    detaching.serving = Serving::AsItIs;
    let all = answered(confirmed(0, 100, true), None, None, 0);
    let detached = Repairs::before(Some(&all)).count(Some(&all), &detaching, &moved, 0);
    assert_eq!(detached, Ok(Repairs::default()));
}

#[test]
fn nothing_is_settled_while_a_call_may_arrive_that_gives_weight_back() {
    let settled = |switched: &Switched| switched.moments.settled_at;
    let tried_before = answered(confirmed(0, 100, false), None, Some(75), 0);
    assert_eq!(settled(&tried_before), Some(examples::after(75)));
    let again = answered(confirmed(0, 100, false), Some(&tried_before), None, 60);
    assert_eq!(
        settled(&again),
        Some(examples::after(75)),
        "it is remembered"
    );
    let long_over = answered(confirmed(0, 100, true), None, Some(-100), 0);
    assert_eq!(settled(&long_over), Some(examples::after(30)));
    let step = answered(confirmed(50, 50, true), None, Some(75), 0);
    assert_eq!(settled(&step), None);
}

#[test]
fn what_a_rollback_gave_back_does_not_bake() {
    let policy = examples::policy();
    assert_eq!(Spans::of(&policy, false).bake, 900);
    assert_eq!(Spans::of(&policy, true).bake, 0);
}

#[test]
fn an_action_that_is_not_as_set_is_told_with_what_is_there() {
    let wanted = forward(0, 100);
    assert_eq!(confirm(&at_weights((0, 100)).forward, &wanted), Ok(()));
    let refused = confirm(&at_weights((100, 0)).forward, &wanted).unwrap_err();
    assert_ne!(refused.wanted, refused.found);
}

#[test]
fn a_refused_action_of_more_than_two_groups_is_explained() {
    assert_eq!(limits(2), None);
    let told = limits(6).unwrap();
    assert!(
        told.contains("6 target groups: an ALB takes five"),
        "{told}"
    );
}
