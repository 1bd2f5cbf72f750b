//! Moments and spans, as people read them.

use jiff::Timestamp;

/// A span of seconds in its two largest units.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn two(large: u64, unit: &str, small: u64, smaller: &str) -> String {
    match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {smaller}"),
    }
}

/// The time of day in UTC, with the date where it is not that of `now`.
pub(crate) fn clock(moment: Timestamp, now: Timestamp) -> String {
    let (text, today) = (format!("{moment:.0}"), format!("{now:.0}"));
    match (text.split_once('T'), today.split_once('T')) {
        (Some((date, time)), Some((same, _))) if date == same => time.to_owned(),
        _ => text,
    }
}

/// Whole seconds from one moment to a later one; 0 where it is not later.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_in_two_units() {
        let spans = [0, 59, 60, 61, 3600, 3660, 86_399, 90_000].map(span);
        let read = [
            "0 s",
            "59 s",
            "1 min",
            "1 min 1 s",
            "1 h",
            "1 h 1 min",
            "23 h 59 min",
            "1 d 1 h",
        ];
        assert_eq!(spans, read);
    }

    #[test]
    fn a_moment_of_another_day_has_its_date() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let before: Timestamp = "2026-11-21T23:59:59.7Z".parse().unwrap();
        assert_eq!(clock(now, now), "10:00:00Z");
        assert_eq!(clock(before, now), "2026-11-21T23:59:59Z");
        assert_eq!(seconds_between(before, now), 36_000);
        assert_eq!(seconds_between(now, before), 0);
    }
}
