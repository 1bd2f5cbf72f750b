//! A view as rows of toned text: what `status` and `watch` show, in a terminal and without one.

use ebbtide_rules::record::Halt;
use jiff::Timestamp;

use crate::view::{
    Acting, Bar, Deployment, Emptied, Event, Server, Side, Stands, View, clock, span,
};

/// How a piece of text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As any.
    Plain,
    /// Beside the point.
    Quiet,
    /// To be seen first.
    Strong,
    /// Of blue.
    Blue,
    /// Of green.
    Green,
    /// It asks for patience, or for a person.
    Warn,
    /// It went wrong.
    Bad,
}

/// A row: pieces of text, from left to right.
pub(crate) type Row = Vec<(String, Tone)>;

/// How much of an event's text is shown, in characters.
const LONGEST_EVENT: usize = 90;
/// How many cells a bar has.
const BAR: usize = 24;

/// The whole view, row by row.
pub(crate) fn rows(view: &View) -> Vec<Row> {
    let mut rows = vec![heading(view)];
    if view.front.is_none() {
        rows.push(free(view));
    }
    for deployment in view.deployments() {
        rows.push(Vec::new());
        rows.extend(deployment_rows(deployment, view.at));
    }
    if !view.events.is_empty() {
        rows.push(Vec::new());
        rows.push(vec![strong("last events")]);
        rows.extend(view.events.iter().map(|event| event_row(event, view)));
    }
    rows
}

/// The text of a row.
pub(crate) fn text(row: &Row) -> String {
    let text: String = row.iter().map(|(text, _)| text.as_str()).collect();
    text.trim_end().to_owned()
}

/// A row in lines of at most `width` characters, broken between words; what goes on stays within the tree.
pub(crate) fn wrapped(row: &Row, width: usize) -> Vec<Row> {
    let long = |text: &str| text.chars().count();
    let whole: usize = row.iter().map(|(text, _)| long(text)).sum();
    if whole <= width {
        return vec![row.clone()];
    }
    let nothing = plain("");
    let ((label, tone), pieces) = match row.as_slice() {
        [label, pieces @ ..] if !pieces.is_empty() => (label, pieces),
        all => (&nothing, all),
    };
    let indent = long(label);
    let branch = if label.starts_with('│') { "│" } else { "" };
    let mut lines = vec![vec![(label.clone(), *tone)]];
    let mut used = indent;
    for (text, tone) in pieces {
        for word in text.split_inclusive(' ') {
            if used > indent && used + long(word.trim_end()) > width {
                lines.push(vec![quiet(format!("{branch:<indent$}"))]);
                used = indent;
            }
            used += long(word);
            if let Some(line) = lines.last_mut() {
                line.push((word.to_owned(), *tone));
            }
        }
    }
    lines
}

fn plain(text: impl Into<String>) -> (String, Tone) {
    (text.into(), Tone::Plain)
}

fn quiet(text: impl Into<String>) -> (String, Tone) {
    (text.into(), Tone::Quiet)
}

fn strong(text: impl Into<String>) -> (String, Tone) {
    (text.into(), Tone::Strong)
}

fn heading(view: &View) -> Row {
    vec![
        strong(view.service.clone()),
        quiet(format!(
            "  stack {}, epoch {}, {}",
            view.stack,
            view.epoch,
            clock(view.at, view.at)
        )),
    ]
}

fn free(view: &View) -> Row {
    let last = view.last.as_ref();
    let last = last.map(|last| match last.outcome.as_str() {
        "Promoted" => "the last one was promoted".to_owned(),
        outcome => format!("the last one ended as {outcome}: {}", last.reason),
    });
    let words = last.map_or(String::new(), |last| format!("; {last}"));
    vec![plain(format!(
        "the front is free, the next deployment may start{words}"
    ))]
}

fn deployment_rows(deployment: &Deployment, now: Timestamp) -> Vec<Row> {
    let is_front = !deployment.sides.is_empty() || deployment.phase == "detaching";
    let role = if is_front {
        "● front    "
    } else {
        "○ retiring "
    };
    let mut rows = vec![
        vec![plain(role), strong(deployment.name.clone())],
        labelled("stage", plain(deployment.stage.clone())),
    ];
    rows.extend(deployment.sides.iter().map(side_row));
    rows.extend(deployment.bars.iter().map(|bar| bar_row(bar, now)));
    rows.extend(deployment.stands.iter().map(|it| stands_row(it, now)));
    let warned = |label, text: &String| labelled(label, (text.clone(), Tone::Warn));
    rows.extend(deployment.wishes.iter().map(|wish| warned("wish", wish)));
    rows.extend(waiting_rows(deployment));
    if deployment.repairs > 0 {
        let times = format!(
            "{} times moved by somebody else and set right",
            deployment.repairs
        );
        rows.push(warned("weights", &times));
    }
    rows.extend(acting_rows(&deployment.acting, deployment.stopped, now));
    if let Some(emptied) = &deployment.empties {
        rows.extend(emptied_rows(emptied, now));
    }
    rows.extend(deployment.warnings.iter().map(|it| warned("warned", it)));
    let advice = deployment.advice.iter();
    rows.extend(advice.map(|it| labelled("do", (it.clone(), Tone::Strong))));
    rows
}

/// What is being waited for, a row for each part of the sentence; the forecast is among them where sessions are left.
fn waiting_rows(deployment: &Deployment) -> Vec<Row> {
    let waiting = deployment.waiting_for.as_deref().unwrap_or_default();
    let mut labels = std::iter::once("waits for").chain(std::iter::repeat(""));
    let parts = waiting.split("; ").filter(|part| !part.is_empty());
    parts
        .zip(&mut labels)
        .map(|(part, label)| labelled(label, plain(part)))
        .collect()
}

fn labelled(label: &str, text: (String, Tone)) -> Row {
    vec![quiet(format!("│ {label:<10}")), text]
}

fn side_row(side: &Side) -> Row {
    let tone = if side.role == "blue" {
        Tone::Blue
    } else {
        Tone::Green
    };
    let healthy = side.healthy.map_or_else(
        || format!("{} planned", side.planned),
        |healthy| format!("{healthy} of {} healthy", side.planned),
    );
    let version = side.version.as_ref();
    let version = version.map_or(String::new(), |version| format!("  version {version}"));
    let mut row = labelled(&side.role, (side.environment.clone(), tone));
    row.push(plain(format!(
        "  weight {:>3}  {healthy}{version}",
        side.weight
    )));
    row
}

fn stands_row(stands: &Stands, now: Timestamp) -> Row {
    let asked = stands.asked.as_ref();
    let asked = asked.map_or(String::new(), |asked| format!(" by {asked}"));
    let what = match stands.at {
        Halt::Switch => "waits at the gate before the switch".to_owned(),
        Halt::Seal => "waits at the gate before the first seal".to_owned(),
        Halt::Pause => format!("is paused{asked}"),
    };
    let until = match stands.left_seconds {
        0 => "over".to_owned(),
        left => format!("{} left, until {}", span(left), clock(stands.until, now)),
    };
    let mut row = labelled("STANDS", (what, Tone::Warn));
    row.push(plain(format!("; {until}")));
    row
}

fn bar_row(bar: &Bar, now: Timestamp) -> Row {
    let full = usize::from(bar.percent) * BAR / 100;
    let drawn = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
    let left = match bar.left_seconds {
        0 => "over".to_owned(),
        left => format!("{} left, until {}", span(left), clock(bar.ends_at, now)),
    };
    let tone = if bar.what == "deadline" && bar.percent >= 50 {
        Tone::Warn
    } else {
        Tone::Plain
    };
    let mut row = labelled(&bar.what, (drawn, tone));
    row.push(plain(format!("  {left}")));
    row
}

fn acting_rows(acting: &Acting, stopped: bool, now: Timestamp) -> Vec<Row> {
    let state = acting.state.as_ref().map(|state| {
        let since = acting.since.filter(|_| acting.runs);
        let since = since.map_or(String::new(), |since| {
            format!(" since {}", clock(since, now))
        });
        format!(", {state}{since}")
    });
    let next = acting.next_pass_at.filter(|_| acting.runs);
    let next = next.map_or(String::new(), |next| {
        format!(", next pass {}", clock(next, now))
    });
    let part = match acting.part {
        1 => String::new(),
        part => format!(", part {part}"),
    };
    let tone = if stopped { Tone::Bad } else { Tone::Plain };
    let mut row = labelled("execution", (acting.status.clone(), tone));
    row.push(plain(format!(
        "{}{next}, pass {}{part}",
        state.unwrap_or_default(),
        acting.passes
    )));
    row.push(quiet(format!("  {}", acting.execution)));
    let why = [&acting.error, &acting.cause];
    let why: Vec<&str> = why.into_iter().flatten().map(String::as_str).collect();
    let why =
        (!acting.runs && !why.is_empty()).then(|| labelled("error", (why.join(": "), Tone::Bad)));
    [row].into_iter().chain(why).collect()
}

fn emptied_rows(emptied: &Emptied, now: Timestamp) -> Vec<Row> {
    let mut parts = vec![
        format!("{} busy", emptied.busy),
        format!("{} idle", emptied.idle),
        format!("{} closed", emptied.closed),
    ];
    if emptied.oldest_busy_seconds > 0 {
        parts.push(format!("oldest busy {}", span(emptied.oldest_busy_seconds)));
    }
    if emptied.sealed > 0 {
        parts.push(format!("{} of {} sealed", emptied.sealed, emptied.asked));
    }
    if emptied.terminated > 0 {
        parts.push(format!("{} terminated", emptied.terminated));
    }
    let mut counts = labelled("sessions", strong(emptied.environment.clone()));
    counts.push(plain(format!("  {}", parts.join(", "))));
    if emptied.unknown > 0 {
        let silent = format!(", {} of {} unknown", emptied.unknown, emptied.asked);
        counts.push((silent, Tone::Bad));
    }
    counts.push(quiet(format!("  at {}", clock(emptied.at, now))));
    let mut rows = vec![counts];
    let last = emptied.servers.len().saturating_sub(1);
    for (place, server) in emptied.servers.iter().enumerate() {
        let is_last = place == last && emptied.more == 0;
        rows.push(server_row(server, if is_last { "└" } else { "├" }, now));
    }
    if emptied.more > 0 {
        rows.push(labelled("", quiet(format!("└ and {} more", emptied.more))));
    }
    rows
}

fn server_row(server: &Server, branch: &str, now: Timestamp) -> Row {
    let mut row = labelled("", quiet(format!("{branch} ")));
    row.push(plain(format!("{:<20}", server.instance)));
    let tone = match server.is.as_str() {
        "unknown" => Tone::Bad,
        "draining" => Tone::Warn,
        _ => Tone::Plain,
    };
    row.push((format!("{:<9}", server.is), tone));
    row.push(plain(match (&server.reason, server.unknown_since) {
        (Some(reason), Some(since)) => {
            let long = span(server.unknown_seconds.unwrap_or(0));
            format!("since {} ({long}): {reason}", clock(since, now))
        }
        _ if server.is == "ending" => String::new(),
        _ => held(server),
    }));
    row
}

fn held(server: &Server) -> String {
    let held = format!("{:>5} busy {:>6} idle", server.busy, server.idle);
    match server.oldest_busy_seconds {
        0 => held,
        oldest => format!("{held}   oldest {}", span(oldest)),
    }
}

fn event_row(event: &Event, view: &View) -> Row {
    let several = view.deployments().count() > 1;
    let of = if several {
        format!("{}  ", event.execution)
    } else {
        String::new()
    };
    let tone = if event.bad { Tone::Bad } else { Tone::Plain };
    vec![
        quiet(format!("  {}  {of}", clock(event.at, view.at))),
        quiet(format!("{:<18} ", event.state)),
        (cut(&event.text), tone),
    ]
}

/// The beginning of a long text; a cause is told whole where its execution is.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_EVENT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(row: &Row, width: usize) -> Vec<String> {
        wrapped(row, width).iter().map(text).collect()
    }

    #[test]
    fn a_long_row_is_broken_between_words_and_stays_in_the_tree() {
        let row = labelled("error", plain("one two three four"));
        assert_eq!(lines(&row, 80), ["│ error     one two three four"]);
        let broken = [
            "│ error     one two",
            "│           three",
            "│           four",
        ];
        assert_eq!(lines(&row, 20), broken);
        // A word that is longer than the line is not broken
        let narrow = [
            "│ error     one",
            "│           two",
            "│           three",
            "│           four",
        ];
        assert_eq!(lines(&row, 5), narrow);
        assert_eq!(
            lines(&vec![plain("one two three")], 8),
            ["one two", "three"]
        );
    }

    #[test]
    fn a_long_event_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let cut = cut(&"ü".repeat(200));
        assert_eq!(cut.chars().count(), LONGEST_EVENT + 1);
    }
}
