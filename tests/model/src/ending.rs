//! What can happen from every state: that a deployment can end, that what an agent refuses lapses.
//!
//! That is AG EF, which stateright's properties cannot say. So the same graph is explored once more, with its edges kept, and
//! walked backwards from the states in which it has happened; whoever is not met cannot end. Exploring again also counts the
//! states a second time, independently of stateright.

use crate::checked::{Checked, End, Way};
use crate::graph::Graph;

/// What the walk found.
pub(crate) struct Ending<M: Checked> {
    /// How many states there are.
    pub(crate) states: usize,
    /// How many steps lead to the furthest of them.
    pub(crate) depth: usize,
    /// The shortest way to a state from which it cannot happen, if there is one.
    pub(crate) stuck: Option<Way<M>>,
}

/// Explores a configuration and walks it backwards; without an end it only counts.
pub(crate) fn can_end<M: Checked>(model: &M, end: Option<&End<M>>, threads: usize) -> Ending<M> {
    let (graph, _) = Graph::explore(model, end, threads, |_| false);
    let stuck = end.and_then(|_| graph.backwards().iter().position(|met| !met));
    Ending {
        states: graph.parents.len(),
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
