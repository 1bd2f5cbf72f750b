//! A trial: one cloud, one or more deployments, some cells. What it saw of a cell it writes into its ledger; that it
//! came to its end without a panic is part of every one of its cells.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use crate::matrix::{Cell, Fault, Outcome, Stage};

type Course = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Some cells that are run together, each with the outcome that the design demands.
pub(crate) struct Trial {
    /// What it does, as a sentence.
    pub(crate) name: String,
    /// Its cells, and how each must end.
    pub(crate) expected: BTreeMap<Cell, Outcome>,
    run: Box<dyn Fn(Ledger) -> Course + Send + Sync>,
}

impl Trial {
    /// A trial; `run` asserts by panicking and records every one of `cells`.
    pub(crate) fn new<F, Fut>(
        name: impl Into<String>,
        cells: &[(Fault, Stage, Outcome)],
        run: F,
    ) -> Self
    where
        F: Fn(Ledger) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let cells = cells.iter();
        Self {
            name: name.into(),
            expected: cells
                .map(|(fault, stage, outcome)| (cell(*fault, *stage), *outcome))
                .collect(),
            run: Box::new(move |ledger| Box::pin(run(ledger))),
        }
    }

    /// Runs it to its end, or to its first failed assertion.
    pub(crate) async fn run(&self) -> BTreeMap<Cell, Verdict> {
        let ledger = Ledger::default();
        let course = tokio::spawn((self.run)(ledger.clone()));
        let broken_off = match course.await {
            Ok(()) => None,
            Err(error) => Some(reason(error)),
        };
        let seen = ledger.entries();
        self.expected
            .iter()
            .map(|(cell, expected)| {
                let verdict = Verdict::of(*expected, seen.get(cell), broken_off.as_deref());
                (*cell, verdict)
            })
            .collect()
    }
}

/// A cell by its row and column.
pub(crate) fn cell(fault: Fault, stage: Stage) -> Cell {
    Cell { fault, stage }
}

fn reason(error: tokio::task::JoinError) -> String {
    let panic = match error.try_into_panic() {
        Ok(panic) => panic,
        Err(error) => return error.to_string(),
    };
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked without a word".to_owned())
}

/// What a trial saw of its cells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<BTreeMap<Cell, Seen>>>);

/// One entry: how it ended, and by what that was seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// As derived from what was observed.
    pub(crate) outcome: Outcome,
    /// What shows that the fault struck at this stage, and how it was met.
    pub(crate) evidence: String,
}

impl Ledger {
    /// Writes down how a cell ended. `evidence` says by what it is known that the fault struck at this stage.
    pub(crate) fn record(
        &self,
        fault: Fault,
        stage: Stage,
        outcome: Outcome,
        evidence: impl Into<String>,
    ) {
        let seen = Seen {
            outcome,
            evidence: evidence.into(),
        };
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let twice = entries.insert(cell(fault, stage), seen);
        assert!(twice.is_none(), "{} was recorded twice", cell(fault, stage));
    }

    fn entries(&self) -> BTreeMap<Cell, Seen> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What became of a cell.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// As the design demands.
    Held(Seen),
    /// Otherwise: why.
    Failed(String),
}

impl Verdict {
    fn of(expected: Outcome, seen: Option<&Seen>, broken_off: Option<&str>) -> Self {
        match (seen, broken_off) {
            (_, Some(why)) => Self::Failed(format!("the trial broke off: {why}")),
            (None, None) => Self::Failed("the trial said nothing of it".to_owned()),
            (Some(seen), None) if seen.outcome != expected => Self::Failed(format!(
                "{} and not {expected}: {}",
                seen.outcome, seen.evidence
            )),
            (Some(seen), None) => Self::Held(seen.clone()),
        }
    }
}
