//! `report.html`: one file that draws what happened and needs nothing from anywhere else.
//!
//! Owns its words; what its charts show comes from [`super::drawing`], and how it looks is `page.html`, `page.css` and
//! `page.js`, which are put into the file. Figures and the judgement are written as text, so that the page says what
//! happened even where scripts do not run. Pure.

use std::fmt::Write as _;

use super::drawing::drawing;
use super::expectations::Expectation;
use super::observe::{Millis, Observation};
use super::report::Report;
use super::rows::MOST_ROWS;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page.
pub(super) fn write(
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
        ("{{service}}", escape(&report.service)),
        ("{{lede}}", escape(&lede(report))),
        ("{{figures}}", figures(report)),
        ("{{rows}}", escape(&rows_note(seen.clients.len()))),
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
pub(super) fn title(report: &Report) -> String {
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
        "{} blue servers were replaced by {} green ones while {} sessions were open, {} of them in use when the \
         listener switched.",
        report.blue_terminated,
        report.peaks.green.servers,
        grouped(report.busy_at_switch + report.idle_at_switch),
        grouped(report.busy_at_switch),
    );
    if report.busy_cut + report.cut_on_green == 0 {
        text.push_str(" Each was handed over only when nothing was using it.");
    }
    if report.execution_status != "SUCCEEDED" {
        let _ = write!(text, " The execution is {}.", report.execution_status);
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
        (grouped(cut), "sessions cut", cut > 0),
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

fn rows_note(clients: usize) -> String {
    if clients > MOST_ROWS {
        format!(
            "One line for each of {} sessions out of {}, every cut one among them, in the order they left blue.",
            grouped(MOST_ROWS),
            grouped(clients)
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
            "<tr><td>{}</td><td>{} s</td><td>{:.1} s</td></tr>",
            stage.name,
            format!("{at:+.1}").replace('-', "−"),
            stage.seconds
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
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
