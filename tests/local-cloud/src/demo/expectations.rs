//! What a demo must show to end with exit status 0.
//!
//! Owns the list; each expectation carries the numbers it was judged by. Pure.

use super::report::Report;

/// What the demo set out to do, as far as the expectations need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Tunnels that were to be opened.
    pub clients: usize,
    /// Sessions that must be busy at the switch.
    pub least_busy: usize,
    /// Requests that must be exceeded.
    pub least_requests: usize,
    /// Blue servers that must be gone.
    pub blue_servers: usize,
}

/// One expectation and whether it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expectation {
    /// What was expected, in words.
    pub text: &'static str,
    /// What was seen, in numbers.
    pub seen: String,
    /// Whether it held.
    pub held: bool,
}

/// Judges a report.
pub(super) fn judge(report: &Report, wanted: Wanted) -> Vec<Expectation> {
    let on_blue = report.busy_at_switch + report.idle_at_switch;
    let to_move = on_blue.saturating_sub(report.left_by_themselves);
    let is = |text, seen: usize, expected: usize| Expectation {
        text,
        seen: format!("{seen}, expected {expected}"),
        held: seen == expected,
    };
    let more = |text, seen: usize, least: usize| Expectation {
        text,
        seen: format!("{seen}, expected at least {least}"),
        held: seen >= least,
    };
    vec![
        Expectation {
            text: "the execution succeeded",
            seen: match &report.execution_cause {
                Some(cause) => format!("{}: {cause}", report.execution_status),
                None => report.execution_status.clone(),
            },
            held: report.execution_status == "SUCCEEDED",
        },
        is(
            "every client was served",
            report.sessions_opened,
            wanted.clients,
        ),
        is(
            "every client was on blue at the switch",
            on_blue,
            wanted.clients,
        ),
        more(
            "sessions were busy at the switch",
            report.busy_at_switch,
            wanted.least_busy,
        ),
        is("no session on blue was cut", report.busy_cut, 0),
        is("no session on green was cut", report.cut_on_green, 0),
        more(
            "requests were sent",
            report.requests_total,
            wanted.least_requests + 1,
        ),
        is("no request failed", report.requests_failed, 0),
        is(
            "every session on blue was closed gracefully",
            report.idle_closed_gracefully,
            to_move,
        ),
        is(
            "each of them reconnected to green",
            report.reconnected_to_green,
            report.idle_closed_gracefully,
        ),
        is(
            "every client was open at the end",
            report.open_at_end,
            wanted.clients,
        ),
        is(
            "every open client was on green",
            report.open_at_end_on_green,
            report.open_at_end,
        ),
        is(
            "every blue server was terminated",
            report.blue_terminated,
            wanted.blue_servers,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted {
        clients: 300,
        least_busy: 100,
        least_requests: 500,
        blue_servers: 3,
    };

    fn good() -> Report {
        Report {
            sessions_opened: 300,
            busy_at_switch: 110,
            idle_at_switch: 190,
            idle_closed_gracefully: 300,
            reconnected_to_green: 300,
            open_at_end: 300,
            open_at_end_on_green: 300,
            requests_total: 501,
            blue_terminated: 3,
            execution_status: "SUCCEEDED".into(),
            ..Report::default()
        }
    }

    fn failed(change: impl FnOnce(&mut Report)) -> Vec<&'static str> {
        let mut report = good();
        change(&mut report);
        judge(&report, WANTED)
            .into_iter()
            .filter(|each| !each.held)
            .map(|each| each.text)
            .collect()
    }

    #[test]
    fn a_good_report_meets_all() {
        assert!(failed(|_| ()).is_empty());
    }

    #[test]
    fn each_shortfall_is_named() {
        assert_eq!(
            failed(|report| report.execution_status = "FAILED".into()),
            ["the execution succeeded"]
        );
        assert_eq!(
            failed(|report| report.busy_cut = 1),
            ["no session on blue was cut"]
        );
        assert_eq!(
            failed(|report| report.cut_on_green = 1),
            ["no session on green was cut"]
        );
        assert_eq!(
            failed(|report| report.requests_failed = 1),
            ["no request failed"]
        );
        assert_eq!(
            failed(|report| report.requests_total = 500),
            ["requests were sent"]
        );
        assert_eq!(
            failed(|report| report.blue_terminated = 2),
            ["every blue server was terminated"]
        );
        assert_eq!(
            failed(|report| report.open_at_end_on_green = 299),
            ["every open client was on green"]
        );
        assert_eq!(
            failed(|report| report.reconnected_to_green = 299),
            ["each of them reconnected to green"]
        );
    }

    #[test]
    fn a_session_that_left_by_itself_need_not_be_closed() {
        let left = |report: &mut Report| {
            report.left_by_themselves = 1;
            report.idle_closed_gracefully = 299;
            report.reconnected_to_green = 299;
        };
        assert!(failed(left).is_empty());
    }

    #[test]
    fn a_demo_without_a_switch_is_no_success() {
        let nothing = judge(&Report::default(), WANTED);
        assert!(nothing.iter().filter(|each| !each.held).count() >= 5);
    }
}
