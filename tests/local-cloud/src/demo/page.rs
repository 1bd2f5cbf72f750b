//! `report.html`: one file that draws what happened and needs nothing from anywhere else.
//!
//! Owns what the page is given: the sessions over time, every server's admission, every session's life. How that looks
//! is `page.html`, `page.css` and `page.js`, which are put into the file. Figures and the judgement are written as
//! text, so that the page says what happened even where scripts do not run. Pure.

use std::fmt::Write as _;

use serde::Serialize;

use super::expectations::Expectation;
use super::observe::{Environment, Millis, Observation};
use super::report::{Report, counts_over_time};
use super::rows::{Row, rows};
use super::stages;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// More points than a screen has columns say nothing more.
const MOST_POINTS: usize = 1_500;
/// More servers than this are not drawn one by one.
const MOST_SERVERS: usize = 40;
/// More sessions than this are not drawn one by one; every cut one is among those that are.
pub(super) const MOST_ROWS: usize = 600;

/// What the page's script draws.
#[derive(Debug, Serialize)]
struct Drawing<'a> {
    /// Time that the axis calls 0.
    zero: Millis,
    /// End of the time drawn.
    end: Millis,
    /// What `zero` is.
    zero_is: &'static str,
    /// Name, start, end.
    stages: Vec<(&'static str, Millis, Millis)>,
    /// Time and label.
    marks: Vec<(Millis, &'static str)>,
    /// Time, busy, idle.
    blue: Vec<(Millis, u64, u64)>,
    green: Vec<(Millis, u64, u64)>,
    servers: Vec<Strip<'a>>,
    rows: Vec<Row<'a>>,
    sessions: usize,
}

/// One server's admission over time.
#[derive(Debug, PartialEq, Serialize)]
struct Strip<'a> {
    instance: &'a str,
    environment: Environment,
    /// Start, end, admission; `unknown` when it gave no report.
    spans: Vec<(Millis, Millis, &'a str)>,
}

/// Writes the page.
pub fn write(
    seen: &Observation,
    report: &Report,
    judged: &[Expectation],
    at: jiff::Timestamp,
) -> String {
    let title = title(report);
    let parts = [
        ("{{title}}", escape(&title)),
        (
            "{{when}}",
            escape(&at.strftime("%-d %B %Y, %H:%M UTC").to_string()),
        ),
        ("{{lede}}", escape(&lede(report))),
        ("{{figures}}", figures(report)),
        ("{{rows}}", escape(&rows_note(seen.tunnels.len()))),
        ("{{stages}}", stage_rows(report)),
        ("{{expectations}}", expectation_rows(judged)),
        ("{{failures}}", failures(report)),
        (
            "{{json}}",
            escape(&serde_json::to_string_pretty(report).unwrap_or_default()),
        ),
        ("{{style}}", STYLE.to_owned()),
        ("{{script}}", SCRIPT.to_owned()),
        (
            "{{drawing}}",
            embed(&serde_json::to_string(&drawing(seen, report)).unwrap_or_default()),
        ),
    ];
    fill(PAGE, &parts)
}

/// What happened, in one line.
pub fn title(report: &Report) -> String {
    let cut = report.busy_cut + report.cut_on_green;
    if report.switched_at_seconds.is_none() {
        return format!("Traffic was never switched: no session moved, {cut} cut");
    }
    let moved = report.reconnected_to_green;
    format!(
        "{} {} moved, {cut} cut",
        grouped(moved),
        if moved == 1 { "session" } else { "sessions" }
    )
}

fn lede(report: &Report) -> String {
    if report.switched_at_seconds.is_none() {
        return format!(
            "The execution ended {} before any weight moved to green.",
            report.execution_status
        );
    }
    let mut text = format!(
        "{} blue servers were replaced by {} green ones while {} sessions were open. {} of them were in use when the \
         listener switched; each worked on until it paused by itself and was handed over only then.",
        report.peaks.blue.servers,
        report.peaks.green.servers,
        grouped(report.busy_at_switch + report.idle_at_switch),
        grouped(report.busy_at_switch),
    );
    if report.execution_status != "SUCCEEDED" {
        let _ = write!(text, " The execution ended {}.", report.execution_status);
    }
    text
}

fn figures(report: &Report) -> String {
    let cut = report.busy_cut + report.cut_on_green;
    let millis = |value: Option<Millis>| {
        value.map_or_else(
            || "–".to_owned(),
            |value| format!("{} ms", grouped_u64(value)),
        )
    };
    let figures = [
        (
            grouped(report.busy_at_switch),
            "sessions busy at the switch",
            false,
        ),
        (grouped(cut), "of all sessions cut", cut > 0),
        (
            grouped(report.reconnected_to_green),
            "sessions moved from blue to green",
            false,
        ),
        (
            format!(
                "{} of {}",
                grouped(report.requests_failed),
                grouped(report.requests_total)
            ),
            "requests failed",
            report.requests_failed > 0,
        ),
        (
            millis(report.reconnect_millis.p50),
            "between close on blue and reconnection on green, median",
            false,
        ),
        (
            millis(report.reconnect_millis.p99),
            "the same, 99th percentile",
            false,
        ),
        (
            report
                .drain_overhead_seconds
                .map_or_else(|| "–".to_owned(), |value| format!("{value:.1} s")),
            "from blue’s last busy session to its last server’s end",
            report.drain_overhead_seconds.is_none(),
        ),
        (
            format!(
                "{} of {}",
                report.blue_terminated, report.peaks.blue.servers
            ),
            "blue servers terminated",
            report.blue_terminated < report.peaks.blue.servers,
        ),
    ];
    figures
        .iter()
        .fold(String::new(), |mut html, (value, words, bad)| {
            let class = if *bad { " class=\"bad\"" } else { "" };
            let _ = write!(
                html,
                "<div{class}><dd>{}</dd><dt>{words}</dt></div>",
                escape(value)
            );
            html
        })
}

fn rows_note(tunnels: usize) -> String {
    if tunnels > MOST_ROWS {
        format!(
            "One line for each of {} sessions out of {}, every cut one among them, in the order they left blue.",
            grouped(MOST_ROWS),
            grouped(tunnels)
        )
    } else {
        "One line for each session, in the order they left blue.".to_owned()
    }
}

fn stage_rows(report: &Report) -> String {
    report.stages.iter().fold(String::new(), |mut html, stage| {
        let at = stage.at_seconds - report.switched_at_seconds.unwrap_or(0.0);
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{at:+.1} s</td><td>{:.1} s</td></tr>",
            stage.name, stage.seconds
        );
        html
    })
}

fn expectation_rows(judged: &[Expectation]) -> String {
    judged.iter().fold(String::new(), |mut html, each| {
        let (class, word) = if each.held {
            ("held", "held")
        } else {
            ("broken", "broken")
        };
        let (text, seen) = (escape(each.text), escape(&each.seen));
        let _ = write!(
            html,
            "<tr class=\"{class}\"><td>{text}</td><td>{seen}</td><td>{word}</td></tr>"
        );
        html
    })
}

fn failures(report: &Report) -> String {
    if report.failures.is_empty() {
        return String::new();
    }
    let items = report
        .failures
        .iter()
        .fold(String::new(), |mut html, failure| {
            let _ = write!(html, "<li>{}</li>", escape(failure));
            html
        });
    format!("<section class=\"failures\"><h2>What went wrong</h2><ul>{items}</ul></section>")
}

fn drawing<'a>(seen: &'a Observation, report: &Report) -> Drawing<'a> {
    let (zero, zero_is) = match (seen.switched_at, seen.execution.started_at) {
        (Some(at), _) => (at, "the switch"),
        (None, Some(at)) => (at, "the execution’s start"),
        (None, None) => (0, "the first tunnel"),
    };
    Drawing {
        zero,
        end: seen.ended_at.max(1),
        zero_is,
        stages: stages::stages(&seen.execution, seen.ended_at)
            .into_iter()
            .map(|stage| (stage.name, stage.from, stage.to))
            .collect(),
        marks: marks(seen, report),
        blue: thinned(counts_over_time(seen, Environment::Blue)),
        green: thinned(counts_over_time(seen, Environment::Green)),
        servers: strips(seen),
        rows: rows(seen),
        sessions: seen.tunnels.len(),
    }
}

fn marks(seen: &Observation, report: &Report) -> Vec<(Millis, &'static str)> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds of a demo, never negative"
    )]
    let millis = |seconds: Option<f64>| seconds.map(|seconds| (seconds * 1000.0) as Millis);
    let mut marks: Vec<_> = [
        (seen.switched_at, "switch"),
        (seen.settled_at, "settled"),
        (seen.baked_at, "bake over"),
        (
            millis(report.last_busy_on_blue_ended_at_seconds),
            "blue’s last busy session ends",
        ),
        (millis(report.blue_gone_at_seconds), "blue gone"),
    ]
    .into_iter()
    .filter_map(|(at, label)| at.filter(|at| *at <= seen.ended_at).map(|at| (at, label)))
    .collect();
    marks.sort_by_key(|(at, _)| *at);
    marks
}

fn strips(seen: &Observation) -> Vec<Strip<'_>> {
    let mut strips: Vec<Strip<'_>> = seen
        .servers
        .iter()
        .map(|(instance, server)| Strip {
            instance,
            environment: server.environment,
            spans: Vec::new(),
        })
        .collect();
    for sample in &seen.samples {
        let Some(strip) = strips
            .iter_mut()
            .find(|strip| strip.instance == sample.instance)
        else {
            continue;
        };
        let gone = seen
            .servers
            .get(&sample.instance)
            .and_then(|server| server.terminated_at);
        let admission = sample
            .counts
            .as_ref()
            .map_or("unknown", |counts| counts.admission.as_str());
        if admission == "unknown" && gone.is_some_and(|gone| gone <= sample.at) {
            continue;
        }
        match strip.spans.last_mut() {
            Some(last) if last.2 == admission => last.1 = sample.at,
            Some(last) => {
                last.1 = sample.at;
                strip.spans.push((sample.at, sample.at, admission));
            }
            None => strip.spans.push((sample.at, sample.at, admission)),
        }
    }
    strips.sort_by_key(|strip| (strip.environment, strip.spans.first().map(|span| span.0)));
    strips.truncate(MOST_SERVERS);
    strips
}

// Keeps the ends and drops points between, evenly.
fn thinned(points: Vec<(Millis, u64, u64)>) -> Vec<(Millis, u64, u64)> {
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points
        .into_iter()
        .enumerate()
        .filter(|(at, _)| at % step == 0 || *at == last)
        .map(|(_, point)| point)
        .collect()
}

// Replaces each placeholder of the page, never one that a replacement brought in.
fn fill(page: &str, parts: &[(&str, String)]) -> String {
    let mut filled =
        String::with_capacity(page.len() + parts.iter().map(|(_, part)| part.len()).sum::<usize>());
    let mut rest = page;
    while let Some(start) = rest.find("{{") {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        let length = rest.find("}}").map_or(rest.len(), |end| end + 2);
        match parts.iter().find(|(name, _)| *name == &rest[..length]) {
            Some((_, part)) => filled.push_str(part),
            None => filled.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    filled + rest
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

// Inside a script element only `<` can end it or begin a comment.
fn embed(json: &str) -> String {
    json.replace('<', "\\u003c")
}

fn grouped(number: usize) -> String {
    grouped_u64(number as u64)
}

fn grouped_u64(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
