//! Runs the checker over configurations and broken variants, and says what came of it.

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};

use crate::configurations;
use crate::ending;
use crate::graph::Graph;
use crate::model::Deployments;
use crate::properties::Rule;
use crate::story;
use crate::variants::Broken;

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
pub fn explore(model: &Deployments, threads: usize) -> Explored {
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
                violated.push((
                    property.name.to_owned(),
                    story::tell(&path.into_vec(), property.name),
                ));
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
        let ending = ending::can_end(model, threads);
        depth = ending.depth;
        let stuck = ending.stuck.filter(|_| !model.window);
        if let Some(way) = stuck {
            violated.push((
                Rule::CanEnd.name().to_owned(),
                story::tell(&way, Rule::CanEnd.name()),
            ));
        }
        if ending.states != states {
            let counts = format!(
                "{states} states by stateright, {} by the second count",
                ending.states
            );
            violated.push(("both counts agree".to_owned(), counts));
        }
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

/// The shortest counterexample of a broken variant: its length and its story; none if the variant was not caught.
pub fn catch(broken: &Broken, threads: usize) -> Option<(usize, String)> {
    let model = configurations::of_broken(broken);
    let rule = broken.violates;
    let way = if rule == Rule::CanEnd {
        ending::can_end(&model, threads).stuck?
    } else {
        let (graph, found) = Graph::explore(&model, threads, |world| !rule.holds(&model, world));
        graph.way_to(&model, found?)
    };
    Some((way.len() - 1, story::tell(&way, rule.name())))
}
