//! "It can end": from every state the service can become free again, by steps that are no faults.
//!
//! That is AG EF, which stateright's properties cannot say. So the same graph is explored once more, breadth first, with
//! its edges kept, and walked backwards from the states in which the service is free; whoever is not met cannot end.
//! Exploring again also counts the states a second time, independently of stateright.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use stateright::Model;

use crate::action::Action;
use crate::model::Deployments;
use crate::world::World;

/// What the walk found.
#[derive(Debug)]
pub struct Ending {
    /// How many states there are.
    pub states: usize,
    /// The shortest way to a state from which the service cannot become free, if there is one.
    pub stuck: Option<Vec<(World, Option<Action>)>>,
}

/// A fingerprint is a hash already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}

/// Explores a configuration and walks it backwards.
pub fn can_end(model: &Deployments) -> Ending {
    let graph = Graph::explore(model);
    let free = graph.backwards();
    let stuck = free.iter().position(|met| !met);
    Ending {
        states: free.len(),
        stuck: stuck.map(|state| graph.way_to(model, state)),
    }
}

#[derive(Default)]
struct Graph {
    /// By whom each state was first reached.
    parents: Vec<u32>,
    fingerprints: Vec<u64>,
    /// Edges that are no fault, as pairs of from and to.
    edges: Vec<(u32, u32)>,
    goals: Vec<u32>,
}

/// By another hash function than stateright's: states that one of the two mistook for each other change its count.
fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Graph {
    fn explore(model: &Deployments) -> Self {
        let mut graph = Self::default();
        let mut known: HashMap<u64, u32, BuildHasherDefault<Same>> = HashMap::default();
        let mut layer: Vec<(u32, World)> = Vec::new();
        for world in model.init_states() {
            known.insert(fingerprint(&world), 0);
            graph.add(&world, 0);
            layer.push((0, world));
        }
        let mut actions = Vec::new();
        while !layer.is_empty() {
            let mut next = Vec::new();
            for (from, world) in layer {
                model.actions(&world, &mut actions);
                for action in actions.drain(..) {
                    let Some(reached) = model.next_state(&world, action) else {
                        continue;
                    };
                    let print = fingerprint(&reached);
                    let to = *known
                        .entry(print)
                        .or_insert_with(|| short(graph.parents.len()));
                    if !action.is_fault() {
                        graph.edges.push((from, to));
                    }
                    if to as usize == graph.parents.len() {
                        graph.add(&reached, from);
                        next.push((to, reached));
                    }
                }
            }
            layer = next;
        }
        graph
    }

    fn add(&mut self, world: &World, parent: u32) {
        if Deployments::has_ended(world) {
            self.goals.push(short(self.parents.len()));
        }
        self.parents.push(parent);
        self.fingerprints.push(fingerprint(world));
    }

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

    fn way_to(&self, model: &Deployments, state: usize) -> Vec<(World, Option<Action>)> {
        let mut prints = vec![self.fingerprints[state]];
        let mut at = state;
        while at != 0 {
            at = self.parents[at] as usize;
            prints.push(self.fingerprints[at]);
        }
        prints.reverse();
        let mut way = Vec::new();
        let Some(mut world) = model.init_states().into_iter().next() else {
            return way;
        };
        for print in &prints[1..] {
            let mut actions = Vec::new();
            model.actions(&world, &mut actions);
            let step = actions.into_iter().find_map(|action| {
                let next = model.next_state(&world, action)?;
                (fingerprint(&next) == *print).then_some((action, next))
            });
            let Some((action, next)) = step else {
                break;
            };
            way.push((world, Some(action)));
            world = next;
        }
        way.push((world, None));
        way
    }
}
