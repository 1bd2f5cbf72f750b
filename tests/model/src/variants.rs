//! The shipped protocol, and what it would be without one of its mechanisms.
//!
//! A variant replaces one decision or one mechanism of the world; all the rest is the shipped code.

use crate::properties::Rule;

/// Which protocol is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Shipped is the real one.
    Shipped,
    /// TimeoutIsZero is when a server that does not answer counts as empty.
    TimeoutIsZero,
    /// NoSeal is when a count of zero is a licence to terminate.
    NoSeal,
    /// RecheckNotSeal is when, instead of a seal, the count is read once more just before the end.
    RecheckNotSeal,
    /// SealNotAtomic is when a server first counts and then seals.
    SealNotAtomic,
    /// SealForgotten is when a restarted server does not know its seal.
    SealForgotten,
    /// CarriedNotCounted is when a request carried for another server counts as nothing.
    CarriedNotCounted,
    /// NoEpochAtRollback is when a rollback keeps the epoch.
    NoEpochAtRollback,
    /// SealedResumes is when a sealed server obeys an order to open.
    SealedResumes,
    /// DrainUnsettled is when draining does not wait for the load balancer.
    DrainUnsettled,
    /// RecordNotRead is when functions act without reading the service's record.
    RecordNotRead,
    /// SharesFall is when weights come from the document, a call may give blue a larger share, and comes however late.
    SharesFall,
    /// NotListedAgain is when the instances are listed once, and not again in every pass.
    NotListedAgain,
    /// SealedBeforeTheBakeEnds is when the end of the bake is written after the first seal.
    SealedBeforeTheBakeEnds,
    /// LateWriteWins is when the record is written whatever is there.
    LateWriteWins,
    /// SupersededAfterSwitch is when a deployment that ended after its switch is superseded like one before it.
    SupersededAfterSwitch,
    /// PauseForgotten is when a deployment goes on although it is paused.
    PauseForgotten,
    /// GateForgotten is when a deployment passes a gate that nobody has opened.
    GateForgotten,
    /// TwoWriters is when whoever empties an environment may set the forward action, beside the front's holder.
    TwoWriters,
}

/// A broken variant, and what must go wrong with it.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    /// Which.
    pub variant: Variant,
    /// In words.
    pub name: &'static str,
    /// What it violates.
    pub violates: Rule,
}

/// Every broken variant.
pub const BROKEN: [Broken; 18] = [
    broken(
        Variant::TimeoutIsZero,
        "a time-out is read as zero",
        Rule::NothingCut,
    ),
    broken(
        Variant::NoSeal,
        "no seal: a count of zero is enough",
        Rule::NothingCut,
    ),
    broken(
        Variant::RecheckNotSeal,
        "counted again instead of sealed",
        Rule::NothingCut,
    ),
    broken(
        Variant::SealNotAtomic,
        "the seal is not atomic",
        Rule::NothingCut,
    ),
    broken(
        Variant::SealForgotten,
        "the seal is forgotten at a restart",
        Rule::NothingCut,
    ),
    broken(
        Variant::CarriedNotCounted,
        "carried requests are not counted",
        Rule::NothingCut,
    ),
    broken(
        Variant::SealedResumes,
        "a sealed server can be resumed",
        Rule::NothingCut,
    ),
    broken(
        Variant::NoEpochAtRollback,
        "no new epoch at a rollback",
        Rule::MinimumServes,
    ),
    broken(
        Variant::DrainUnsettled,
        "drained before the load balancer has settled",
        Rule::NobodyTurnedAway,
    ),
    broken(
        Variant::RecordNotRead,
        "the record is not read before acting",
        Rule::ReplacedIsRefused,
    ),
    broken(
        Variant::SharesFall,
        "green's share may fall within an epoch",
        Rule::MinimumServes,
    ),
    broken(
        Variant::NotListedAgain,
        "instances are not listed again after holding",
        Rule::CanEnd,
    ),
    broken(
        Variant::SealedBeforeTheBakeEnds,
        "the bake ends on record after the first seal",
        Rule::RollbackBeforeSeal,
    ),
    broken(
        Variant::LateWriteWins,
        "a late write wins: the table is written without compare-and-set",
        Rule::OwnersAreAnswered,
    ),
    broken(
        Variant::SupersededAfterSwitch,
        "an owner is superseded after its switch",
        Rule::SwitchedKeepsFront,
    ),
    broken(
        Variant::PauseForgotten,
        "a deployment goes on although it is paused",
        Rule::PausedStands,
    ),
    broken(
        Variant::GateForgotten,
        "a deployment passes a gate that nobody has opened",
        Rule::PausedStands,
    ),
    broken(
        Variant::TwoWriters,
        "the forward action has two writers",
        Rule::OneOwner,
    ),
];

const fn broken(variant: Variant, name: &'static str, violates: Rule) -> Broken {
    Broken {
        variant,
        name,
        violates,
    }
}
