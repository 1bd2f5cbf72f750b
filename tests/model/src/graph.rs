//! A graph of everything that can happen, breadth first, layer by layer, with its edges kept.
//!
//! Beside stateright, which keeps no edges, and whose first counterexample is not a shortest one. The layers are explored by
//! several threads and put together by one, in the same order every time.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use crate::checked::{Checked, End, Way};

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
    /// Edges that may be taken to the end, as pairs of from and to.
    pub(crate) edges: Vec<(u32, u32)>,
    /// The states that are such an end.
    pub(crate) goals: Vec<u32>,
    /// How many steps lead to the furthest state.
    pub(crate) depth: usize,
}

/// By another hash function than stateright's: states that one of the two mistook for each other change its count.
fn fingerprint(state: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Every step from some states.
fn steps<M: Checked>(
    model: &M,
    end: Option<&End<M>>,
    known: &Known,
    from: &[(u32, M::State)],
    threads: usize,
) -> impl Iterator<Item = Step<M::State>> + use<M> {
    let may_take = |action| end.is_some_and(|end| (end.may_take)(action));
    let part = |from: &[(u32, M::State)]| {
        let mut steps = Vec::new();
        let mut actions = Vec::new();
        for (from, state) in from {
            model.actions(state, &mut actions);
            steps.extend(actions.drain(..).filter_map(|action| {
                let reached = model.next_state(state, action)?;
                let print = fingerprint(&reached);
                Some(Step {
                    from: *from,
                    leads_on: may_take(action),
                    print,
                    reached: (!known.contains_key(&print)).then_some(reached),
                })
            }));
        }
        steps
    };
    let parts: Vec<Vec<Step<M::State>>> = std::thread::scope(|scope| {
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
struct Step<State> {
    from: u32,
    leads_on: bool,
    print: u64,
    reached: Option<State>,
}

/// How many states are explored at once before what they lead to is added.
const AT_ONCE: usize = 20_000;

impl Graph {
    /// Explores a configuration, to its end or to the first state that is looked for: the number of that one.
    pub(crate) fn explore<M: Checked>(
        model: &M,
        end: Option<&End<M>>,
        threads: usize,
        is_looked_for: impl Fn(&M::State) -> bool,
    ) -> (Self, Option<usize>) {
        let mut graph = Self::default();
        let mut known = Known::default();
        let mut layer: Vec<(u32, M::State)> = Vec::new();
        for state in model.init_states() {
            known.insert(fingerprint(&state), 0);
            graph.add(end, &state, 0);
            layer.push((0, state));
        }
        while !layer.is_empty() {
            let mut next = Vec::new();
            for some in layer.chunks(AT_ONCE) {
                for step in steps(model, end, &known, some, threads) {
                    let new = short(graph.parents.len());
                    let to = *known.entry(step.print).or_insert(new);
                    if step.leads_on {
                        graph.edges.push((step.from, to));
                    }
                    if let (true, Some(reached)) = (to == new, step.reached) {
                        graph.add(end, &reached, step.from);
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

    fn add<M: Checked>(&mut self, end: Option<&End<M>>, state: &M::State, parent: u32) {
        if end.is_some_and(|end| (end.is_met)(state)) {
            self.goals.push(short(self.parents.len()));
        }
        self.parents.push(parent);
        self.fingerprints.push(fingerprint(state));
    }

    /// The shortest way to a state.
    pub(crate) fn way_to<M: Checked>(&self, model: &M, state: usize) -> Way<M> {
        let mut prints = vec![self.fingerprints[state]];
        let mut at = state;
        while at != 0 {
            at = self.parents[at] as usize;
            prints.push(self.fingerprints[at]);
        }
        prints.reverse();
        let mut way = Vec::new();
        let Some(mut reached) = model.init_states().into_iter().next() else {
            return way;
        };
        for print in &prints[1..] {
            let mut actions = Vec::new();
            model.actions(&reached, &mut actions);
            let step = actions.into_iter().find_map(|action| {
                let next = model.next_state(&reached, action)?;
                (fingerprint(&next) == *print).then_some((action, next))
            });
            let Some((action, next)) = step else {
                break;
            };
            way.push((reached, Some(action)));
            reached = next;
        }
        way.push((reached, None));
        way
    }
}
