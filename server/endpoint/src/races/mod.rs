//! A server's races, explored: the code that ships, on a checker that decides which task goes on at every step.
//!
//! Each race is one small story (a seal and a handshake, a drain and a request) told in thousands of orders, half of
//! them drawn at random, half with few changes of task at chosen steps (PCT). `cargo test --package ebbtide-endpoint
//! --features races --lib races -- --nocapture` tells how many and what happened in them. A failure prints its schedule;
//! with `RACES_REPLAY=<schedule>` and the race's name that order is told again. `RACES_TIMES=10` explores ten times as
//! many, `RACES_SEED=7` others.
//!
//! The endpoint's own races are here. A server that takes locks, tasks and time from [`crate::sync`] explores its own
//! with [`explore`], as Ebbtide's tunnel does.

#[cfg(test)]
mod admission;
mod disk;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod standing;
mod truth;
#[cfg(test)]
mod world;

pub use disk::Disk;
pub use truth::{Open, Truth};

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use shuttle::future::{block_on, spawn, yield_now};
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

use crate::sync;

/// A schedule longer than this goes round in circles: somebody waits for what never comes.
const STEPS: usize = 100_000;
/// How many changes of task a PCT schedule chooses; few are enough for most mistakes.
const CHANGES: usize = 3;
/// No schedule lasts longer than this, so that nobody who pings once a day is taken for dead.
const HORIZON: Duration = Duration::from_secs(3600);
const SEED: u64 = 0x1eb_b71d_e000;

thread_local! {
    static HAPPENED: RefCell<BTreeMap<&'static str, u64>> = RefCell::default();
}

/// Notes that this happened in a schedule: a race in which it never does explores less than it says.
pub fn happened(what: &'static str) {
    HAPPENED.with_borrow_mut(|all| *all.entry(what).or_default() += 1);
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.trim().parse().ok()
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 512 * 1024;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    config.silence_warnings = true;
    config
}

/// Tells the race in so many orders of each kind. All that must be able to happen has to have happened in one.
///
/// # Panics
/// When an order breaks what the race asserts, or something never happened.
pub fn explore<F>(name: &str, schedules: usize, must: &[&str], race: fn() -> F)
where
    F: Future<Output = ()> + 'static,
{
    explore_until(HORIZON, name, schedules, must, race);
}

/// The same while time stands still.
///
/// # Panics
/// As [`explore`].
pub fn explore_timeless<F>(name: &str, schedules: usize, must: &[&str], race: fn() -> F)
where
    F: Future<Output = ()> + 'static,
{
    explore_until(Duration::ZERO, name, schedules, must, race);
}

fn explore_until<F>(horizon: Duration, name: &str, schedules: usize, must: &[&str], race: fn() -> F)
where
    F: Future<Output = ()> + 'static,
{
    let once = move || {
        sync::begin();
        drop(spawn(async move {
            loop {
                sync::pass(horizon).await;
                yield_now().await;
            }
        }));
        block_on(race());
    };
    if let Some(schedule) = setting::<String>("RACES_REPLAY") {
        run(ReplayScheduler::new_from_encoded(&schedule), once);
        return;
    }
    HAPPENED.take();
    let schedules = schedules * setting::<usize>("RACES_TIMES").unwrap_or(1);
    let seed = setting("RACES_SEED").unwrap_or(SEED);
    let begun = Instant::now();
    let mut explored = run(RandomScheduler::new_from_seed(seed, schedules), once);
    explored += run(PctScheduler::new_from_seed(seed, CHANGES, schedules), once);
    tell(name, explored, begun, must);
}

fn run<S: Scheduler + 'static>(
    scheduler: S,
    race: impl Fn() + Copy + Send + Sync + 'static,
) -> usize {
    Runner::new(scheduler, config()).run(race)
}

fn tell(name: &str, explored: usize, begun: Instant, must: &[&str]) {
    let happened = HAPPENED.take();
    let took = begun.elapsed().as_secs_f64();
    let story: Vec<String> = happened
        .iter()
        .map(|(what, times)| format!("{what} {times}"))
        .collect();
    println!(
        "  {name}: {explored} schedules, {took:.1} s: {}",
        story.join(", ")
    );
    for what in must {
        assert!(
            happened.contains_key(what),
            "{name}: never {what:?}, in {explored} schedules"
        );
    }
}
