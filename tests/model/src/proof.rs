//! Runs the checker over configurations and broken variants, and says what came of it.

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries};

use crate::checked::Checked;
use crate::ending::can_end;
use crate::graph::Graph;

/// What exploring a configuration gave.
#[derive(Debug)]
pub struct Explored {
    /// Distinct states, by stateright.
    pub states: usize,
    /// Steps taken.
    pub steps: usize,
    /// How many steps lead to the furthest state, at least; exactly where nothing is violated.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// What was violated, each with a story.
    pub violated: Vec<(String, String)>,
    /// What should have happened in some state and did not.
    pub never: Vec<&'static str>,
}

/// Explores a configuration to its end.
pub fn explore<M: Checked>(model: &M, threads: usize) -> Explored {
    let began = Instant::now();
    let checker = model.clone().checker().threads(threads);
    let checker = checker
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let mut violated: Vec<(String, String)> = Vec::new();
    let mut never = Vec::new();
    for property in model.properties() {
        let found = checker.discovery(property.name);
        match (property.expectation.discovery_is_failure(), found) {
            (true, Some(path)) => {
                let told = model.tell(&path.into_vec(), property.name);
                violated.push((property.name.to_owned(), told));
            }
            (false, None) => never.push(property.name),
            _ => {}
        }
    }
    let (states, steps, mut depth) = (
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
    );
    // What the first check keeps is not needed by the second.
    drop(checker);
    if violated.is_empty() {
        (depth, violated) = ends(model, states, threads);
    }
    Explored {
        states,
        steps,
        depth,
        took: began.elapsed(),
        violated,
        never,
    }
}

/// The second exploration: how deep it is, and what is wrong with it, if stateright met so many states.
fn ends<M: Checked>(model: &M, states: usize, threads: usize) -> (usize, Vec<(String, String)>) {
    let (mut depth, mut violated) = (0, Vec::new());
    let ends = model.ends();
    let each = ends.iter().map(Some);
    for end in each.chain(ends.is_empty().then_some(None)) {
        let ending = can_end(model, end, threads);
        depth = ending.depth;
        if let (Some(end), Some(way)) = (end, ending.stuck) {
            violated.push((end.name.to_owned(), model.tell(&way, end.name)));
        }
        if ending.states != states {
            let counts = format!(
                "{states} states by stateright, {} by the second count",
                ending.states
            );
            violated.push(("both counts agree".to_owned(), counts));
        }
    }
    (depth, violated)
}

/// The shortest way to break a promise of a model, by the promise's name: its length and its story; none if it is kept.
pub fn catch<M: Checked>(model: &M, promise: &str, threads: usize) -> Option<(usize, String)> {
    let properties = model.properties();
    let always = properties.iter().find(|it| it.name == promise);
    let way = if let Some(always) = always {
        let breaks = |state: &M::State| !(always.condition)(model, state);
        let (graph, found) = Graph::explore(model, None, threads, breaks);
        graph.way_to(model, found?)
    } else {
        let end = model.ends().into_iter().find(|it| it.name == promise)?;
        can_end(model, Some(&end), threads).stuck?
    };
    Some((way.len() - 1, model.tell(&way, promise)))
}
