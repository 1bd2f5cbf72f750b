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

use super::Counts;

/// After so many seconds an observation counts half.
const HALF_LIFE_SECONDS: f64 = 600.0;
/// When no session has ended for so long, the rate of before says nothing any more: it has been halved six times.
const QUIET: SignedDuration = SignedDuration::from_hours(1);
/// An end beyond is no estimate; a rate that leads there is noise.
const FARTHEST_SECONDS: f64 = 30.0 * 86_400.0;

/// Said in a step, where the sentence of the check names the step anyway.
const SHARED: &str = "traffic is still shared: not foreseeable";

/// The estimate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// When no session will be left; none when that is not foreseeable.
    pub ends_at: Option<Timestamp>,
    /// Sessions that end per second, all servers together; none when nothing was measured.
    pub per_second: Option<f64>,
    /// The same in words.
    pub text: String,
}

/// What was measured so far; the next forecast goes on from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
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

impl Measured {
    /// The name of the environment whose servers were counted.
    pub fn environment(&self) -> &str {
        &self.environment
    }
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
enum Prospect {
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

/// Makes the forecast, and says what it was made of; `before` is what was measured until the last one, if that was of this
/// deployment.
pub fn forecast(
    seen: &Seen<'_>,
    before: Option<&Measured>,
    now: Timestamp,
) -> (Forecast, Measured) {
    let before = before.filter(|measured| measured.environment == seen.environment);
    let measured = measure(seen, before, now);
    let prospect = prospect(seen, &measured, now);
    let forecast = Forecast {
        ends_at: prospect.ends_at(),
        per_second: measured.rate().map(|rate| rate.max(0.0)),
        text: prospect.text(now),
    };
    (forecast, measured)
}

impl Forecast {
    /// What the sentence of the check adds to its numbers; nothing when they say it all.
    pub(super) fn in_short(&self, counts: &Counts) -> Option<String> {
        let left = counts.unknown == 0 && counts.busy + counts.idle > 0;
        let measured = left && self.per_second.is_some();
        (measured && self.text != SHARED).then(|| match self.ends_at {
            Some(_) => format!("all ended {}", self.text),
            None => self.text.clone(),
        })
    }
}

fn measure(seen: &Seen<'_>, before: Option<&Measured>, now: Timestamp) -> Measured {
    let left = (seen.unknown == 0).then_some(seen.left);
    let mut measured = Measured {
        environment: seen.environment.to_owned(),
        at: now,
        left,
        ended: 0.0,
        seconds: 0.0,
        quiet_since: now,
    };
    let Some(before) = before else {
        return measured;
    };
    measured.ended = before.ended;
    measured.seconds = before.seconds;
    measured.quiet_since = before.quiet_since.min(now);
    let elapsed = now.duration_since(before.at).as_secs_f64();
    // A server that fell silent took its sessions out of the count, and none of them ended.
    if let (Some(earlier), Some(left)) = (before.left, left)
        && elapsed > 0.0
    {
        let kept = 0.5_f64.powf(elapsed / HALF_LIFE_SECONDS);
        measured.ended = finite(before.ended * kept + earlier as f64 - left as f64);
        measured.seconds = finite(before.seconds * kept + elapsed);
        if left < earlier {
            measured.quiet_since = now;
        }
    }
    measured
}

/// A number that JSON could not carry would make the next check unreadable.
fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

impl Measured {
    fn rate(&self) -> Option<f64> {
        // Neither is one that nothing was measured for, nor what a damaged document makes.
        let rate = self.ended / self.seconds;
        rate.is_finite().then_some(rate)
    }
}

fn prospect(seen: &Seen<'_>, measured: &Measured, now: Timestamp) -> Prospect {
    let Some(baked_at) = seen.baked_at else {
        return Prospect::Shared;
    };
    if seen.unknown > 0 {
        return Prospect::Unknown;
    }
    if seen.left == 0 {
        return Prospect::NothingLeft(baked_at.max(now));
    }
    let Some(rate) = measured.rate() else {
        return Prospect::NothingMeasured;
    };
    let quiet = now.duration_since(measured.quiet_since);
    if quiet >= QUIET {
        return Prospect::Quiet(quiet);
    }
    if rate <= 0.0 {
        return Prospect::NotFewer;
    }
    let seconds = seen.left as f64 / rate;
    let end = SignedDuration::try_from_secs_f64(seconds)
        .ok()
        .filter(|_| seconds <= FARTHEST_SECONDS)
        .and_then(|left| now.checked_add(left).ok());
    match end {
        Some(end) => Prospect::Ends(end.max(baked_at), rate),
        None => Prospect::Slow(rate),
    }
}

impl Prospect {
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
mod tests;
