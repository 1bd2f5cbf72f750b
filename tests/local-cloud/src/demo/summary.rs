//! The table that closes a demo, and the expectations that were not met.
//!
//! Owns its words. Pure.

use std::fmt::Write as _;

use super::expectations::Expectation;
use super::observe::Millis;
use super::page;
use super::report::Report;

/// The closing table.
pub(super) fn table(report: &Report) -> String {
    let millis =
        |value: Option<Millis>| value.map_or_else(|| "–".to_owned(), |value| value.to_string());
    let lines = [
        ("sessions opened", report.sessions_opened.to_string()),
        (
            "at the switch",
            format!(
                "{} busy, {} idle",
                report.busy_at_switch, report.idle_at_switch
            ),
        ),
        (
            "cut",
            format!(
                "{} on blue, {} on green",
                report.busy_cut, report.cut_on_green
            ),
        ),
        (
            "closed while idle",
            report.idle_closed_gracefully.to_string(),
        ),
        ("moved to green", report.reconnected_to_green.to_string()),
        (
            "open at the end",
            format!(
                "{}, {} of them on green",
                report.open_at_end, report.open_at_end_on_green
            ),
        ),
        (
            "requests",
            format!(
                "{} ({} on blue, {} on green), {} repeated, {} failed",
                report.requests_total,
                report.requests_on_blue,
                report.requests_on_green,
                report.requests_repeated,
                report.requests_failed
            ),
        ),
        (
            "reconnection",
            format!(
                "p50 {} ms, p99 {} ms",
                millis(report.reconnect_millis.p50),
                millis(report.reconnect_millis.p99)
            ),
        ),
        (
            "blue terminated",
            format!(
                "{} of {}",
                report.blue_terminated, report.peaks.blue.servers
            ),
        ),
        (
            "drain overhead",
            report
                .drain_overhead_seconds
                .map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.1} s")),
        ),
        (
            "execution",
            format!(
                "{}, {} events",
                report.execution_status, report.history_events
            ),
        ),
        ("wall time", format!("{:.1} s", report.wall_seconds)),
    ];
    lines.iter().fold(
        format!("\n{}\n\n", page::title(report)),
        |mut text, (name, value)| {
            let _ = writeln!(text, "  {name:<20}{value}");
            text
        },
    )
}

/// What was expected and not seen; nothing when all held.
pub(super) fn unmet(report: &Report, judged: &[Expectation]) -> Option<String> {
    let unmet: Vec<&Expectation> = judged.iter().filter(|each| !each.held).collect();
    if unmet.is_empty() {
        return None;
    }
    let mut text = format!(
        "{} of {} expectations did not hold:\n",
        unmet.len(),
        judged.len()
    );
    for each in unmet {
        let _ = writeln!(text, "  {}: {}", each.text, each.seen);
    }
    for failure in &report.failures {
        let _ = writeln!(text, "  - {failure}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_counts_and_survives_their_absence() {
        let text = table(&Report {
            requests_total: 4_242,
            ..Report::default()
        });
        assert!(
            text.contains("4242 (0 on blue, 0 on green), 0 repeated, 0 failed"),
            "{text}"
        );
        assert!(text.contains("p50 – ms"), "{text}");
    }

    #[test]
    fn only_unmet_expectations_are_told_with_what_was_seen() {
        let held = Expectation {
            text: "one",
            seen: "1".into(),
            held: true,
        };
        let broken = Expectation {
            text: "two",
            seen: "3, expected 2".into(),
            held: false,
        };
        let report = Report {
            failures: vec!["client x was cut".into()],
            ..Report::default()
        };
        assert_eq!(unmet(&report, std::slice::from_ref(&held)), None);
        let text = unmet(&report, &[held, broken]).expect("one is unmet");
        assert!(
            text.contains("1 of 2")
                && text.contains("two: 3, expected 2")
                && text.contains("client x was cut")
        );
        assert!(!text.contains("one:"));
    }
}
