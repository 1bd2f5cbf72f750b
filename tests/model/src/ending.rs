//! "It can end": from every state the service can become free again, by steps that are no faults.
//!
//! That is AG EF, which stateright's properties cannot say. So the same graph is explored once more, with its edges kept, and
//! walked backwards from the states in which the service is free; whoever is not met cannot end. Exploring again also counts
//! the states a second time, independently of stateright.

use crate::graph::{Graph, Way};
use crate::model::Deployments;

/// What the walk found.
#[derive(Debug)]
pub(crate) struct Ending {
    /// How many states there are.
    pub(crate) states: usize,
    /// How many steps lead to the furthest of them.
    pub(crate) depth: usize,
    /// The shortest way to a state from which the service cannot become free, if there is one.
    pub(crate) stuck: Option<Way>,
}

/// Explores a configuration and walks it backwards.
pub(crate) fn can_end(model: &Deployments, threads: usize) -> Ending {
    let (graph, _) = Graph::explore(model, threads, |_| false);
    let free = graph.backwards();
    let stuck = free.iter().position(|met| !met);
    Ending {
        states: free.len(),
        depth: graph.depth,
        stuck: stuck.map(|state| graph.way_to(model, state)),
    }
}

impl Graph {
    /// Which states lead to a goal.
    fn backwards(&self) -> Vec<bool> {
        let states = self.parents.len();
        let mut starts = vec![0_u32; states + 1];
        for (_, to) in &self.edges {
            starts[*to as usize + 1] += 1;
        }
        for state in 0..states {
            starts[state + 1] += starts[state];
        }
        let mut fill = starts.clone();
        let mut before = vec![0_u32; self.edges.len()];
        for (from, to) in &self.edges {
            before[fill[*to as usize] as usize] = *from;
            fill[*to as usize] += 1;
        }
        let mut met = vec![false; states];
        let mut open = self.goals.clone();
        while let Some(state) = open.pop() {
            let state = state as usize;
            if !std::mem::replace(&mut met[state], true) {
                open.extend(&before[starts[state] as usize..starts[state + 1] as usize]);
            }
        }
        met
    }
}
