//! The matrix as it is printed: stages across, faults down.

use std::collections::BTreeMap;

use crate::matrix::{Cell, Fault, Stage};
use crate::plan::Entry;
use crate::trial::Verdict;

/// What a cell shows.
pub(crate) fn shown(entry: Entry, verdict: Option<&Verdict>) -> String {
    match (entry, verdict) {
        (_, Some(Verdict::Held(seen))) => seen.outcome.word().to_owned(),
        (_, Some(Verdict::Failed(_))) => "FAILED".to_owned(),
        (Entry::Impossible(_), None) => "–".to_owned(),
        (Entry::Run(_), None) => "not run".to_owned(),
        (Entry::Missing, None) => "MISSING".to_owned(),
    }
}

/// The whole matrix, one line for each fault.
pub(crate) fn print(entries: &BTreeMap<Cell, Entry>, verdicts: &BTreeMap<Cell, Verdict>) -> String {
    let first = Fault::ALL.map(|fault| fault.title().len());
    let first = first.into_iter().max().unwrap_or_default();
    let mut lines = vec![line(
        first,
        "",
        &Stage::ALL.map(|stage| stage.name().to_owned()),
    )];
    for fault in Fault::ALL {
        let cells = Stage::ALL.map(|stage| {
            let cell = Cell { fault, stage };
            let entry = entries.get(&cell).copied().unwrap_or(Entry::Missing);
            shown(entry, verdicts.get(&cell))
        });
        lines.push(line(first, fault.title(), &cells));
    }
    lines.join("\n")
}

fn line(first: usize, head: &str, cells: &[String]) -> String {
    let mut line = format!("{head:<first$}");
    for cell in cells {
        line.push_str(&format!("  {cell:<9}"));
    }
    line.trim_end().to_owned()
}
