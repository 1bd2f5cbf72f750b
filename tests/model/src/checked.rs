//! What is asked of a model beside what stateright asks: what it is called, where it has to be able to end, and how a way
//! through it is told.

use std::hash::Hash;

use stateright::Model;

/// A way through a model: each state, and the step that was taken there.
pub type Way<M> = Vec<(<M as Model>::State, Option<<M as Model>::Action>)>;

/// A model that [`crate::proof`] explores.
pub trait Checked:
    Model<State: Clone + Hash + PartialEq + Send + Sync, Action: Copy + PartialEq + Send + Sync>
    + Clone
    + Send
    + Sync
    + 'static
{
    /// What it is called.
    fn name(&self) -> &'static str;

    /// What must be able to happen from every state.
    fn ends(&self) -> Vec<End<Self>>;

    /// A way in words, and what is wrong at its end.
    fn tell(&self, way: &Way<Self>, wrong: &str) -> String;

    /// What it says of a model that everything holds.
    fn verdict(&self) -> &'static str {
        "all hold"
    }
}

/// Something that must be able to happen from every state: AG EF, which stateright's properties cannot say.
pub struct End<M: Model> {
    /// The promise in words.
    pub name: &'static str,
    /// Which steps may be taken on the way there.
    pub may_take: fn(M::Action) -> bool,
    /// Whether it has happened.
    pub is_met: fn(&M::State) -> bool,
}
