//! Runs trials side by side and tells of each cell as soon as it is known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::matrix::Cell;
use crate::trial::{Trial, Verdict};

/// Runs them, `at_once` at a time, and hands back what became of their cells.
pub(crate) async fn run(trials: Vec<Trial>, at_once: usize) -> BTreeMap<Cell, Verdict> {
    let of: usize = trials.iter().map(|trial| trial.expected.len()).sum();
    let (began, places) = (Instant::now(), Arc::new(Semaphore::new(at_once)));
    let mut running = JoinSet::new();
    for trial in trials {
        let places = Arc::clone(&places);
        running.spawn(async move {
            let _place = places.acquire().await;
            let (name, verdicts) = (trial.name.clone(), trial.run().await);
            (name, verdicts)
        });
    }
    let mut all = BTreeMap::new();
    while let Some(ended) = running.join_next().await {
        let Ok((name, verdicts)) = ended else {
            continue;
        };
        println!("{:>5.0} s  {name}", began.elapsed().as_secs_f32());
        for (cell, verdict) in verdicts {
            all.insert(cell, verdict.clone());
            let done = all.len();
            match verdict {
                Verdict::Held(seen) => {
                    println!(
                        "   {done:>3}/{of}  {cell}: {} ({})",
                        seen.outcome, seen.evidence
                    );
                }
                Verdict::Failed(why) => println!("   {done:>3}/{of}  {cell}: FAILED: {why}"),
            }
        }
    }
    all
}
