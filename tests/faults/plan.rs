//! All trials and all impossible cells together: what each cell of the matrix is.

use std::collections::BTreeMap;

use crate::impossible;
use crate::matrix::{Cell, Outcome};
use crate::trial::Trial;
use crate::{aborts, aws, endpoints, ghosts, green, groups, instances, second, sessions, tasks};

/// What is done with a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It is run, and must end like this.
    Run(Outcome),
    /// It cannot be: why.
    Impossible(&'static str),
    /// Nobody has said.
    Missing,
}

/// Every trial.
pub(crate) fn trials() -> Vec<Trial> {
    [
        tasks::trials(),
        endpoints::trials(),
        aws::trials(),
        ghosts::trials(),
        instances::trials(),
        green::trials(),
        groups::trials(),
        sessions::trials(),
        aborts::trials(),
        second::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What is done with every cell.
///
/// # Errors
/// Every cell that is run twice, or is run and named impossible.
pub(crate) fn entries(trials: &[Trial]) -> Result<BTreeMap<Cell, Entry>, Vec<String>> {
    let mut entries: BTreeMap<Cell, Entry> = Cell::all()
        .map(|cell| {
            let reason = impossible::reason(cell);
            (cell, reason.map_or(Entry::Missing, Entry::Impossible))
        })
        .collect();
    let mut wrong = Vec::new();
    for trial in trials {
        for (cell, outcome) in &trial.expected {
            let before = entries.insert(*cell, Entry::Run(*outcome));
            if before != Some(Entry::Missing) {
                wrong.push(format!(
                    "{cell} is run by \"{}\" and is {before:?}",
                    trial.name
                ));
            }
        }
    }
    if wrong.is_empty() {
        Ok(entries)
    } else {
        Err(wrong)
    }
}
