//! An estimate of the end, from the rate at which sessions end: it lets an operator tell slow from stuck.
//!
//! Owns an estimate and nothing else: no decision hangs on it. It refuses to guess while a server is unknown (what it
//! holds is not counted), in a step of traffic (sessions still arrive), and when nothing has ended for an hour.
//!
//! The rate is smoothed: amounts and seconds are both halved every ten minutes, and their quotient is the rate. Ten
//! minutes are two of the longest waits, so that one burst between two passes does not move the estimate for long, and
//! a drain that slows down is seen within the hour. Taking the quotient of two halved sums, rather than halving the
//! rate itself, needs no first guess and weighs a wait of 300 s more than one of 2 s.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// After so many seconds an observation counts half.
const HALF_LIFE_SECONDS: f64 = 600.0;
/// When no session has ended for so long, the rate of before says nothing any more: it has been halved six times.
const QUIET: SignedDuration = SignedDuration::from_hours(1);
/// An end beyond is no estimate; a rate that leads there is noise.
const FARTHEST_SECONDS: f64 = 30.0 * 86_400.0;

/// Said in a step, where the sentence of the check names the step anyway.
const SHARED: &str = "traffic is still shared: not foreseeable";

/// The estimate, and what the next one needs of this one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// When no session will be left; none when that is not foreseeable.
    pub ends_at: Option<Timestamp>,
    /// Sessions that end per second, all servers together; none when nothing was measured.
    pub per_second: Option<f64>,
    /// The same in words.
    pub text: String,
    /// What the next forecast needs.
    #[serde(default)]
    pub memory: Option<Memory>,
}

/// What one forecast leaves to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// The environment that was looked at; another one has nothing to do with it.
    environment: String,
    /// When.
    at: Timestamp,
    /// Sessions left then; none when a server was unknown.
    left: Option<u64>,
    /// Sessions that ended, less those that came, halved every ten minutes.
    ended: f64,
    /// The seconds in which they did, likewise.
    seconds: f64,
    /// Since when no session has ended.
    quiet_since: Timestamp,
}

/// What a forecast is made of.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The environment's name.
    pub environment: &'a str,
    /// Busy and idle sessions on the servers that answered.
    pub left: u64,
    /// How many servers are unknown.
    pub unknown: usize,
    /// Before when it cannot be over: the end of the bake.
    pub baked_at: Option<Timestamp>,
}

/// What there is to say.
enum Outlook {
    /// In a step of traffic.
    Shared,
    Unknown,
    NothingLeft(Timestamp),
    NothingMeasured,
    Quiet(SignedDuration),
    NotFewer,
    Slow(f64),
    Ends(Timestamp, f64),
}

/// Makes the forecast; `previous` is the one before, if it was of this deployment.
pub fn forecast(seen: &Seen<'_>, previous: Option<&Forecast>, now: Timestamp) -> Forecast {
    let before = previous
        .and_then(|forecast| forecast.memory.as_ref())
        .filter(|memory| memory.environment == seen.environment);
    let memory = remember(seen, before, now);
    let outlook = outlook(seen, &memory, now);
    Forecast {
        ends_at: outlook.ends_at(),
        per_second: memory.rate().map(|rate| rate.max(0.0)),
        text: outlook.text(now),
        memory: Some(memory),
    }
}

impl Forecast {
    /// What the sentence of the check adds to its numbers; nothing when they say it all.
    pub(super) fn in_short(&self) -> Option<String> {
        let memory = self.memory.as_ref()?;
        let measured = memory.left.is_some_and(|left| left > 0) && self.per_second.is_some();
        (measured && self.text != SHARED).then(|| match self.ends_at {
            Some(_) => format!("all ended {}", self.text),
            None => self.text.clone(),
        })
    }
}

fn remember(seen: &Seen<'_>, before: Option<&Memory>, now: Timestamp) -> Memory {
    let left = (seen.unknown == 0).then_some(seen.left);
    let mut memory = Memory {
        environment: seen.environment.to_owned(),
        at: now,
        left,
        ended: 0.0,
        seconds: 0.0,
        quiet_since: now,
    };
    let Some(before) = before else {
        return memory;
    };
    memory.ended = before.ended;
    memory.seconds = before.seconds;
    memory.quiet_since = before.quiet_since.min(now);
    let elapsed = now.duration_since(before.at).as_secs_f64();
    // A server that fell silent took its sessions out of the count, and none of them ended.
    if let (Some(earlier), Some(left)) = (before.left, left)
        && elapsed > 0.0
    {
        let kept = 0.5_f64.powf(elapsed / HALF_LIFE_SECONDS);
        memory.ended = finite(before.ended * kept + earlier as f64 - left as f64);
        memory.seconds = finite(before.seconds * kept + elapsed);
        if left < earlier {
            memory.quiet_since = now;
        }
    }
    memory
}

/// A memory that JSON could not carry would make the next check unreadable.
fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

impl Memory {
    fn rate(&self) -> Option<f64> {
        let rate = self.ended / self.seconds;
        (self.seconds > 0.0 && rate.is_finite()).then_some(rate)
    }
}

fn outlook(seen: &Seen<'_>, memory: &Memory, now: Timestamp) -> Outlook {
    let Some(baked_at) = seen.baked_at else {
        return Outlook::Shared;
    };
    if seen.unknown > 0 {
        return Outlook::Unknown;
    }
    if seen.left == 0 {
        return Outlook::NothingLeft(baked_at.max(now));
    }
    let Some(rate) = memory.rate() else {
        return Outlook::NothingMeasured;
    };
    let quiet = now.duration_since(memory.quiet_since);
    if quiet >= QUIET {
        return Outlook::Quiet(quiet);
    }
    if rate <= 0.0 {
        return Outlook::NotFewer;
    }
    let seconds = seen.left as f64 / rate;
    let end = SignedDuration::try_from_secs_f64(seconds)
        .ok()
        .filter(|_| seconds <= FARTHEST_SECONDS)
        .and_then(|left| now.checked_add(left).ok());
    match end {
        Some(end) => Outlook::Ends(end.max(baked_at), rate),
        None => Outlook::Slow(rate),
    }
}

impl Outlook {
    fn ends_at(&self) -> Option<Timestamp> {
        match self {
            Self::NothingLeft(at) | Self::Ends(at, _) => Some(*at),
            _ => None,
        }
    }

    fn text(&self, now: Timestamp) -> String {
        match self {
            Self::Shared => SHARED.to_owned(),
            Self::Unknown => "unknown servers: not foreseeable".to_owned(),
            Self::NothingLeft(_) => "nothing left".to_owned(),
            Self::NothingMeasured => "nothing measured yet: not foreseeable".to_owned(),
            Self::Quiet(quiet) => {
                format!("no session has ended for {}: not foreseeable", span(*quiet))
            }
            Self::NotFewer => "sessions do not get fewer: not foreseeable".to_owned(),
            Self::Slow(rate) => format!("not within 30 days at {}", pace(*rate)),
            Self::Ends(at, rate) => format!("about {} at {}", minute(*at, now), pace(*rate)),
        }
    }
}

/// A rate in the unit in which it is at least a tenth.
fn pace(per_second: f64) -> String {
    let (count, unit) = if per_second >= 0.1 {
        (per_second, "a second")
    } else if per_second * 60.0 >= 0.1 {
        (per_second * 60.0, "a minute")
    } else {
        (per_second * 3600.0, "an hour")
    };
    format!("{count:.1} sessions {unit}")
}

fn span(duration: SignedDuration) -> String {
    match duration.as_hours() {
        hours @ ..48 => format!("{hours} h"),
        hours => format!("{} days", hours / 24),
    }
}

/// The minute, with the date when it is of another day.
fn minute(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (at.to_zoned(TimeZone::UTC), now.to_zoned(TimeZone::UTC));
    if at.date() == now.date() {
        at.strftime("%H:%M").to_string()
    } else {
        at.strftime("%Y-%m-%d %H:%M").to_string()
    }
}

#[cfg(test)]
mod tests {
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

    /// The forecast after looking at these seconds and finding so many sessions left.
    fn looks(looks: &[(i64, u64)]) -> Forecast {
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
    fn another_environment_and_a_check_without_a_forecast_begin_anew() {
        let blue = looks(&[(0, 100), (100, 90)]);
        let green = Seen {
            environment: "tunnel-b",
            ..seen(10)
        };
        assert_eq!(forecast(&green, Some(&blue), after(200)).per_second, None);
        let old = Forecast::default();
        assert_eq!(
            forecast(&seen(10), Some(&old), NOW),
            forecast(&seen(10), None, NOW)
        );
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
            let mut last: Option<Forecast> = None;
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
                let json = serde_json::to_string(&forecast).unwrap();
                prop_assert!(json.len() < 600, "{}", json);
                let read: Forecast = serde_json::from_str(&json).unwrap();
                prop_assert!(read.memory.is_some());
                last = Some(read);
            }
        }
    }
}
