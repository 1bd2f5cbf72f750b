//! The properties, and how a broken one is told.
//!
//! `EBBTIDE_CASES` says how many cases are drawn, `EBBTIDE_SEED` from which seed; without a seed every run draws others.
//! What is broken is told with its seed, its shortest sequence as JSON, and the story of that.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::BuildHasher;

use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestError, TestRunner};
use tokio::runtime::{Builder, Runtime};

use crate::ending;
use crate::event::{Case, cases};
use crate::rules::Broken;
use crate::run::run;
use crate::world::World;

/// The lines of a story that are told.
const MOST_LINES: usize = 400;

/// How often each state was entered, and each error met.
pub(crate) type Met = BTreeMap<String, u32>;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Runs a case; says what was broken and what had happened.
pub(crate) fn outcome(case: &Case, fair_end: bool) -> Result<Met, (Broken, Vec<String>)> {
    runtime().block_on(async {
        let mut world = World::new(&case.setup).await;
        let mut result = run(&mut world, case).await;
        if fair_end && result.is_ok() {
            result = ending::end(&mut world).await;
        }
        match result {
            Ok(()) => Ok(world.met),
            Err(broken) => Err((broken, world.story)),
        }
    })
}

fn check(property: &str, cases_by_default: u64, most_events: usize, fair_end: bool) {
    let count = number("EBBTIDE_CASES").unwrap_or(cases_by_default);
    let seed = number("EBBTIDE_SEED").unwrap_or_else(|| RandomState::new().hash_one(property));
    let config = Config {
        cases: u32::try_from(count).expect("that many cases"),
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 3_000,
        max_shrink_time: 40_000,
        ..Config::default()
    };
    println!("{property}: {count} cases from EBBTIDE_SEED={seed}");
    let met = RefCell::new(Met::new());
    let result = TestRunner::new(config).run(&cases(most_events), |case| {
        let outcome = outcome(&case, fair_end);
        let once = outcome.map_err(|(broken, _)| TestCaseError::fail(broken.to_string()))?;
        for (what, times) in once {
            *met.borrow_mut().entry(what).or_default() += times;
        }
        Ok(())
    });
    match result {
        Ok(()) => println!("met: {:?}", met.into_inner()),
        Err(TestError::Fail(how, case)) => {
            panic!("{how}\n{}", told(property, seed, &case, fair_end))
        }
        Err(TestError::Abort(reason)) => panic!("{property}: given up: {reason}"),
    }
}

fn told(property: &str, seed: u64, case: &Case, fair_end: bool) -> String {
    let mut told = format!("{property} is broken with EBBTIDE_SEED={seed}\n");
    let Err((broken, story)) = outcome(case, fair_end) else {
        let json = serde_json::to_string(case).expect("a case is JSON");
        return told + "and the shortest sequence, run again, does not break it: " + &json;
    };
    let json = serde_json::to_string(case).expect("a case is JSON");
    let from = story.len().saturating_sub(MOST_LINES);
    let _ = write!(
        told,
        "{broken}\n{} events: {json}\n{}",
        case.events.len(),
        story[from..].join("\n")
    );
    told
}

#[test]
fn no_rule_is_broken_whatever_happens() {
    check("no rule is broken", 60, 60, false);
}

#[test]
fn every_deployment_ends_when_nothing_more_goes_wrong() {
    check("every deployment ends", 40, 30, true);
}
