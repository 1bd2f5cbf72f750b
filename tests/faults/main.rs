//! The fault matrix: every fault meets every stage of a deployment on a local cloud with real servers and real tunnels.
//!
//! `cargo test --workspace --test faults` runs all of it, prints the matrix and writes `docs/fault-matrix.md`. Arguments
//! after `--` choose: `hangs` a row, `drain` a column, `hangs:drain` a cell (and the trial's other cells with it);
//! `--list` names the trials and runs none; `--jobs N` runs N at once.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expected by failing"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;

mod aborts;
mod aws;
mod endpoints;
mod gates;
mod ghosts;
mod green;
mod groups;
mod impossible;
mod instances;
mod made;
mod matrix;
mod page;
mod plan;
mod roads;
mod runner;
mod second;
mod sessions;
mod stand;
mod story;
mod table;
mod tasks;
mod trial;
mod users;

use matrix::{Cell, Fault, Stage};
use plan::Entry;
use trial::{Trial, Verdict};

/// What was asked for.
struct Asked {
    filter: Vec<String>,
    list: bool,
    jobs: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(why) => return refuse(&[why]),
    };
    let all = plan::trials();
    let entries = match plan::entries(&all) {
        Ok(entries) => entries,
        Err(wrong) => return refuse(&wrong),
    };
    let whole = asked.filter.is_empty();
    let missing = missing(&entries);
    if whole && !missing.is_empty() {
        return refuse(&[format!("neither run nor named impossible: {missing}")]);
    }
    let named = |cell: &Cell| cell.is_named_by(&asked.filter);
    let chosen = |trial: &Trial| trial.expected.keys().any(named);
    let trials: Vec<Trial> = all.into_iter().filter(chosen).collect();
    if asked.list {
        list(&trials);
        return ExitCode::SUCCESS;
    }
    // A failed assertion is told with its cells; of the rest only the place is wanted.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        eprintln!("   a trial breaks off at {}", place.unwrap_or_default());
    }));
    let verdicts = runner::run(trials, asked.jobs).await;
    println!("\n{}\n", table::print(&entries, &verdicts));
    let failed = |verdict: &&Verdict| matches!(verdict, Verdict::Failed(_));
    let failures = verdicts.values().filter(failed).count();
    println!("{} cells run, {failures} failed", verdicts.len());
    match (failures, whole) {
        (0, true) => match page::write(&entries, &verdicts) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&[format!("the page was not written: {error}")]),
        },
        (0, false) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The cells of which nobody has said what they are.
fn missing(entries: &BTreeMap<Cell, Entry>) -> String {
    let missing = entries
        .iter()
        .filter(|(_, entry)| **entry == Entry::Missing);
    let names: Vec<_> = missing.map(|(cell, _)| cell.to_string()).collect();
    names.join(", ")
}

fn asked() -> Result<Asked, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut asked = Asked {
        filter: Vec::new(),
        list: false,
        // Most of a trial is waiting: three at once for every core.
        jobs: 3 * cores,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--list" => asked.list = true,
            "--jobs" => {
                let jobs = words.next().and_then(|jobs| jobs.parse().ok());
                asked.jobs = jobs
                    .filter(|jobs| *jobs > 0)
                    .ok_or("--jobs wants a number")?;
            }
            _ if Cell::all().any(|cell| cell.is_named_by(std::slice::from_ref(&word))) => {
                asked.filter.push(word);
            }
            _ => return Err(unknown(&word)),
        }
    }
    Ok(asked)
}

fn unknown(word: &str) -> String {
    let faults = Fault::ALL.map(Fault::name).join(", ");
    let stages = Stage::ALL.map(Stage::name).join(", ");
    format!("{word} is no fault ({faults}), no stage ({stages}) and no fault:stage")
}

fn list(trials: &[Trial]) {
    for trial in trials {
        println!("{}", trial.name);
        for (cell, outcome) in &trial.expected {
            println!("    {cell}: {outcome}");
        }
    }
}

fn refuse(why: &[String]) -> ExitCode {
    for line in why {
        eprintln!("{line}");
    }
    ExitCode::FAILURE
}
