//! What is foreseen of which looks, and in which words.

use proptest::prelude::*;

use super::*;

/// 2026-11-18T10:40:00Z
const NOW: Timestamp = Timestamp::constant(1_794_998_400, 0);

fn after(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn seen(left: u64) -> Seen<'static> {
    Seen {
        environment: "tunnel-a",
        left,
        unknown: 0,
        baked_at: Some(NOW),
    }
}

/// A forecast, with what it was made of.
#[derive(Debug, PartialEq)]
struct Looked {
    forecast: Forecast,
    measured: Measured,
    counts: Counts,
}

impl std::ops::Deref for Looked {
    type Target = Forecast;

    fn deref(&self) -> &Forecast {
        &self.forecast
    }
}

impl Looked {
    fn in_short(&self) -> Option<String> {
        self.forecast.in_short(&self.counts)
    }
}

fn forecast(seen: &Seen<'_>, before: Option<&Looked>, now: Timestamp) -> Looked {
    let (forecast, measured) = super::forecast(seen, before.map(|it| &it.measured), now);
    let counts = Counts {
        busy: seen.left,
        unknown: seen.unknown,
        ..Counts::default()
    };
    Looked {
        forecast,
        measured,
        counts,
    }
}

/// The forecast after looking at these seconds and finding so many sessions left.
fn looks(looks: &[(i64, u64)]) -> Looked {
    let mut last = None;
    for (second, left) in looks {
        last = Some(forecast(&seen(*left), last.as_ref(), after(*second)));
    }
    last.unwrap()
}

#[test]
fn a_steady_rate_gives_the_end_and_says_so() {
    let first = looks(&[(0, 1000)]);
    assert_eq!((first.ends_at, first.per_second), (None, None));
    assert_eq!(first.text, "nothing measured yet: not foreseeable");
    assert_eq!(first.in_short(), None);
    let steady = looks(&[(0, 1000), (10, 992), (110, 912), (160, 872)]);
    assert!((steady.per_second.unwrap() - 0.8).abs() < 1e-9);
    assert_eq!(steady.ends_at, Some(after(160 + 1090)));
    assert_eq!(steady.text, "about 11:00 at 0.8 sessions a second");
    let short = "all ended about 11:00 at 0.8 sessions a second";
    assert_eq!(steady.in_short().unwrap(), short);
}

#[test]
fn an_observation_counts_half_after_ten_minutes() {
    // 60 in the first ten minutes, none in the next: 30 over 300 + 600 s.
    let halved = looks(&[(0, 100), (600, 40), (1200, 40)]);
    assert!((halved.per_second.unwrap() - 30.0 / 900.0).abs() < 1e-9);
}

#[test]
fn another_day_is_named_and_slow_rates_have_their_units() {
    let slow = looks(&[(0, 1000), (1000, 990)]);
    assert_eq!(slow.text, "about 2026-11-19 14:26 at 0.6 sessions a minute");
    assert_eq!(pace(1.0 / 3600.0), "1.0 sessions an hour");
    let never = looks(&[(0, 9_000_000), (3000, 8_999_999)]);
    assert_eq!(never.ends_at, None);
    assert_eq!(never.text, "not within 30 days at 1.2 sessions an hour");
}

#[test]
fn slow_is_told_from_stuck() {
    let mut quiet = vec![(0, 10), (60, 9)];
    quiet.extend((1..=36).map(|pass| (60 + pass * 300, 9)));
    let stuck = looks(&quiet);
    assert_eq!(stuck.ends_at, None);
    assert_eq!(stuck.text, "no session has ended for 3 h: not foreseeable");
    assert_eq!(stuck.in_short().as_deref(), Some(stuck.text.as_str()));
    quiet.push((60 + 37 * 300, 8));
    assert!(looks(&quiet).ends_at.is_some(), "one has ended again");
    quiet.push((60 + 37 * 300 + 5 * 86_400, 8));
    assert!(looks(&quiet).text.contains("for 5 days"));
}

#[test]
fn what_gets_more_has_no_end() {
    let more = looks(&[(0, 10), (60, 12)]);
    assert_eq!((more.ends_at, more.per_second), (None, Some(0.0)));
    assert_eq!(more.text, "sessions do not get fewer: not foreseeable");
}

#[test]
fn nothing_left_and_not_before_the_bake_is_over() {
    let baking = Seen {
        baked_at: Some(after(900)),
        ..seen(0)
    };
    let empty = forecast(&baking, None, NOW);
    assert_eq!(
        (empty.ends_at, empty.text.as_str(), empty.in_short()),
        (Some(after(900)), "nothing left", None)
    );
    let first = forecast(&Seen { left: 10, ..baking }, None, NOW);
    let soon = forecast(&Seen { left: 1, ..baking }, Some(&first), after(10));
    assert_eq!(soon.ends_at, Some(after(900)));
    let shared = Seen {
        baked_at: None,
        ..seen(5)
    };
    let shared = forecast(&shared, Some(&first), after(10));
    assert_eq!(shared.text, "traffic is still shared: not foreseeable");
    assert_eq!(shared.ends_at, None);
}

#[test]
fn sessions_on_unknown_servers_have_not_ended() {
    let silent = |left| Seen {
        unknown: 1,
        ..seen(left)
    };
    let first = looks(&[(0, 100), (100, 90)]);
    let unknown = forecast(&silent(10), Some(&first), after(200));
    assert_eq!(unknown.ends_at, None);
    assert_eq!(unknown.text, "unknown servers: not foreseeable");
    assert_eq!(unknown.in_short(), None, "the sentence names them already");
    assert_eq!(unknown.per_second, first.per_second);
    let back = forecast(&seen(80), Some(&unknown), after(300));
    assert_eq!(back.per_second, first.per_second);
    assert!(back.ends_at.is_some());
    let again = forecast(&seen(70), Some(&back), after(400));
    assert!((again.per_second.unwrap() - 0.1).abs() < 1e-9);
    let none_left = forecast(&silent(0), Some(&first), after(200));
    assert_eq!(
        (none_left.ends_at, none_left.text.as_str()),
        (None, unknown.text.as_str())
    );
}

#[test]
fn nothing_left_needs_no_rate() {
    let empty = looks(&[(0, 10), (10, 0)]);
    assert_eq!((empty.per_second, empty.in_short()), (Some(1.0), None));
    assert_eq!(empty.ends_at, Some(after(10)));
}

#[test]
fn two_looks_at_one_moment_measure_nothing() {
    let twice = looks(&[(0, 100), (0, 90), (100, 80)]);
    assert!((twice.per_second.unwrap() - 0.1).abs() < 1e-9);
}

#[test]
fn a_damaged_memory_gives_no_rate_that_json_could_not_carry() {
    let mut damaged = looks(&[(0, 100), (100, 90)]);
    damaged.measured.ended = 1e300;
    damaged.measured.seconds = 1e-300;
    let silent = Seen {
        unknown: 1,
        ..seen(10)
    };
    assert_eq!(
        forecast(&silent, Some(&damaged), after(200)).per_second,
        None
    );
}

#[test]
fn another_environment_begins_anew() {
    let blue = looks(&[(0, 100), (100, 90)]);
    let green = Seen {
        environment: "tunnel-b",
        ..seen(10)
    };
    assert_eq!(forecast(&green, Some(&blue), after(200)).per_second, None);
}

#[test]
fn a_clock_that_goes_back_measures_nothing() {
    let before = looks(&[(0, 100), (100, 90)]);
    let back = forecast(&seen(50), Some(&before), after(50));
    assert_eq!(back.per_second, before.per_second);
    assert!(back.ends_at >= Some(after(50)));
}

proptest! {
    #[test]
    fn whatever_is_seen_the_rate_is_finite_and_the_end_is_ahead(
        passes in proptest::collection::vec(
            (-400_000_i64..400_000, prop_oneof![0_u64..50, any::<u64>()], 0_usize..3, proptest::option::of(-9_000_i64..9_000)),
            1..40,
        ),
    ) {
        let mut last: Option<Looked> = None;
        let mut now = NOW;
        for (step, left, unknown, baked) in passes {
            // Clocks go back, too; mostly they do not.
            now += SignedDuration::from_secs(if step % 5 == 0 { step } else { step.abs() });
            let seen = Seen { environment: "tunnel-a", left, unknown: unknown.saturating_sub(1), baked_at: baked.map(after) };
            let forecast = forecast(&seen, last.as_ref(), now);
            if let Some(rate) = forecast.per_second {
                prop_assert!(rate.is_finite() && rate >= 0.0);
            }
            if let Some(ends_at) = forecast.ends_at {
                prop_assert!(ends_at >= now);
                prop_assert_eq!(seen.unknown, 0);
            }
            prop_assert!(!forecast.text.is_empty());
            let json = serde_json::to_string(&(&forecast.forecast, &forecast.measured)).unwrap();
            prop_assert!(json.len() < 600, "{}", json);
            let (read, measured): (Forecast, Measured) = serde_json::from_str(&json).unwrap();
            last = Some(Looked { forecast: read, measured, ..forecast });
        }
    }
}
