//! Results on standard output: rows with colours where they are seen, JSON for programs.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use crate::failed::Failed;
use crate::rows::{Row, Tone, text, wrapped};

/// Prints a line. A reader that has gone, as `head` does, is no failure.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints rows; in a terminal in its width, and in colours if NO_COLOR is not set (no-color.org).
pub(crate) fn rows(rows: &[Row]) {
    let terminal = std::io::stdout().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    let width = crossterm::terminal::size().map_or(80, |(width, _)| usize::from(width));
    for row in rows {
        if !terminal {
            line(&text(row));
            continue;
        }
        for row in wrapped(row, width) {
            line(&if colours { coloured(&row) } else { text(&row) });
        }
    }
}

/// Prints a value as one line of JSON.
///
/// # Errors
/// When it is none.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failed> {
    let text = serde_json::to_string(value);
    line(&text.map_err(|error| Failed::Unreadable(error.to_string()))?);
    Ok(())
}

fn coloured(row: &Row) -> String {
    let pieces = row.iter().map(|(text, tone)| {
        let code = match tone {
            Tone::Plain => return text.clone(),
            Tone::Quiet => "2",
            Tone::Strong => "1",
            Tone::Blue => "34",
            Tone::Green => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    });
    pieces.collect()
}
