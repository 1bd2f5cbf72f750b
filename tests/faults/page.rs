//! The page `docs/fault-matrix.md`: the same words for the same code, so that a run that finds nothing new leaves no
//! difference. No times, no names that change.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::matrix::{Cell, Fault, Outcome, Stage};
use crate::plan::Entry;
use crate::table::shown;
use crate::trial::Verdict;

const HEAD: &str = "\
# The fault matrix

Every fault below meets every stage of a deployment, on the local cloud: the template and the state machine that ship, the
functions, server processes, WebSocket tunnels of real clients. `make test-faults` runs all of it, prints this matrix and
writes this page.
";

/// Writes it.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write(
    entries: &BTreeMap<Cell, Entry>,
    verdicts: &BTreeMap<Cell, Verdict>,
) -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fault-matrix.md");
    std::fs::write(path, text(entries, verdicts))
}

fn text(entries: &BTreeMap<Cell, Entry>, verdicts: &BTreeMap<Cell, Verdict>) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## The matrix\n\n");
    text.push_str(&row("", &Stage::ALL.map(|stage| stage.name().to_owned())));
    text.push_str(&row("---", &Stage::ALL.map(|_| "---".to_owned())));
    for fault in Fault::ALL {
        let cells = Stage::ALL.map(|stage| {
            let cell = Cell { fault, stage };
            let entry = entries.get(&cell).copied().unwrap_or(Entry::Missing);
            shown(entry, verdicts.get(&cell))
        });
        text.push_str(&row(fault.title(), &cells));
    }
    text.push_str("\n## The words\n\n| word | the deployment |\n| --- | --- |\n");
    for outcome in Outcome::ALL {
        text.push_str(&format!("| {outcome} | {} |\n", outcome.meaning()));
    }
    text
}

fn row(head: &str, cells: &[String]) -> String {
    format!("| {head} | {} |\n", cells.join(" | "))
}
