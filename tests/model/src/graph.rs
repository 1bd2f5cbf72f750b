//! A graph of everything that can happen, breadth first, layer by layer, with its edges kept.
//!
//! Beside stateright, which keeps no edges, and whose first counterexample is not a shortest one. The layers are explored by
//! several threads and put together by one, in the same order every time.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use stateright::Model;

use crate::action::Action;
use crate::model::Deployments;
use crate::world::World;

/// A way through the graph: each state, and the step that was taken there.
pub(crate) type Way = Vec<(World, Option<Action>)>;

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

/// Every state that was met, by number.
#[derive(Default)]
pub(crate) struct Graph {
    /// By whom each state was first reached.
    pub(crate) parents: Vec<u32>,
    fingerprints: Vec<u64>,
    /// Edges that are no fault, as pairs of from and to.
    pub(crate) edges: Vec<(u32, u32)>,
    /// The states in which the service is free.
    pub(crate) goals: Vec<u32>,
    /// How many steps lead to the furthest state.
    pub(crate) depth: usize,
}

/// By another hash function than stateright's: states that one of the two mistook for each other change its count.
fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// Every step from some states.
fn steps(
    model: &Deployments,
    known: &Known,
    from: &[(u32, World)],
    threads: usize,
) -> impl Iterator<Item = Step> + use<> {
    let part = |from: &[(u32, World)]| {
        let mut steps = Vec::new();
        let mut actions = Vec::new();
        for (from, world) in from {
            model.actions(world, &mut actions);
            steps.extend(actions.drain(..).filter_map(|action| {
                let reached = model.next_state(world, action)?;
                let print = fingerprint(&reached);
                Some(Step {
                    from: *from,
                    is_fault: action.is_fault(),
                    print,
                    reached: (!known.contains_key(&print)).then_some(reached),
                })
            }));
        }
        steps
    };
    let parts: Vec<Vec<Step>> = std::thread::scope(|scope| {
        let size = from.len().div_ceil(threads.max(1)).max(1);
        let started: Vec<_> = from
            .chunks(size)
            .map(|from| scope.spawn(move || part(from)))
            .collect();
        let ended = started.into_iter().map(|part| part.join());
        ended
            .map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    parts.into_iter().flatten()
}

fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What a state was known by before its layer was explored.
type Known = HashMap<u64, u32, BuildHasherDefault<Same>>;

/// A step to a state of this fingerprint; the state itself unless it is known.
struct Step {
    from: u32,
    is_fault: bool,
    print: u64,
    reached: Option<World>,
}

/// How many states are explored at once before what they lead to is added.
const AT_ONCE: usize = 20_000;

impl Graph {
    /// Explores a configuration, to its end or to the first state that is looked for: the number of that one.
    pub(crate) fn explore(
        model: &Deployments,
        threads: usize,
        is_looked_for: impl Fn(&World) -> bool,
    ) -> (Self, Option<usize>) {
        let mut graph = Self::default();
        let mut known = Known::default();
        let mut layer: Vec<(u32, World)> = Vec::new();
        for world in model.init_states() {
            known.insert(fingerprint(&world), 0);
            graph.add(&world, 0);
            layer.push((0, world));
        }
        while !layer.is_empty() {
            let mut next = Vec::new();
            for some in layer.chunks(AT_ONCE) {
                for step in steps(model, &known, some, threads) {
                    let new = short(graph.parents.len());
                    let to = *known.entry(step.print).or_insert(new);
                    if !step.is_fault {
                        graph.edges.push((step.from, to));
                    }
                    if let (true, Some(reached)) = (to == new, step.reached) {
                        graph.add(&reached, step.from);
                        if is_looked_for(&reached) {
                            return (graph, Some(to as usize));
                        }
                        next.push((to, reached));
                    }
                }
            }
            graph.depth += usize::from(!next.is_empty());
            layer = next;
        }
        (graph, None)
    }

    fn add(&mut self, world: &World, parent: u32) {
        if Deployments::has_ended(world) {
            self.goals.push(short(self.parents.len()));
        }
        self.parents.push(parent);
        self.fingerprints.push(fingerprint(world));
    }

    /// The shortest way to a state.
    pub(crate) fn way_to(&self, model: &Deployments, state: usize) -> Way {
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
