//! The bounds within which everything is tried.

use std::sync::LazyLock;

use ebbtide_rules::input::Verb;
use ebbtide_rules::plan::Gate;

use crate::clock::Clock;
use crate::model::{Comes, Deployments, Memory, Mishaps};
use crate::properties::Rule;
use crate::server::Endpoint;
use crate::variants::{Broken, Variant};

/// One server a side under one deployment; the others say what they change.
fn one(name: &'static str) -> Deployments {
    Deployments {
        name,
        blue: 1,
        green: 1,
        third: 0,
        launches: 0,
        sessions: 1,
        carried: 1,
        faults: 1,
        endpoint: Endpoint::Library,
        mishaps: Mishaps::All,
        strays: 1,
        minimum: 1,
        alarms: true,
        wishes: &[],
        approve: &[],
        steps: &[100],
        settle: 1,
        bake: 2,
        detached: false,
        window: false,
        whole_calls: false,
        clock: Clock {
            ticks: 1,
            memory: 2,
        },
        others: &[],
        variant: Variant::Shipped,
        memory: Memory::default(),
    }
}

/// Three environments of one server each: what matters is who may do what to which of them.
fn three(name: &'static str) -> Deployments {
    Deployments {
        third: 1,
        sessions: 0,
        carried: 0,
        mishaps: Mishaps::Calls,
        settle: 0,
        bake: 0,
        whole_calls: true,
        clock: Clock {
            ticks: 1,
            memory: 0,
        },
        others: &[Comes::Second],
        ..one(name)
    }
}

/// What `make test` explores, in seconds.
pub static QUICK: LazyLock<Vec<Deployments>> = LazyLock::new(|| {
    vec![
        Deployments {
            faults: 0,
            ..one("quick: 1 + 1")
        },
        Deployments {
            faults: 0,
            ..three("quick: two deployments overlap")
        },
        Deployments {
            faults: 0,
            ..with_agents("quick: agents")
        },
    ]
});

/// What `make prove` explores.
pub static FULL: LazyLock<Vec<Deployments>> = LazyLock::new(|| {
    let all = [ones(), overlaps(), agents()];
    all.into_iter().flatten().collect()
});

/// One server a side, each with an agent beside it.
fn with_agents(name: &'static str) -> Deployments {
    Deployments {
        endpoint: Endpoint::Agent,
        carried: 0,
        ..one(name)
    }
}

/// Deployments of servers that nobody changes.
fn agents() -> Vec<Deployments> {
    vec![
        with_agents("agents: 1 + 1"),
        Deployments {
            sessions: 2,
            faults: 0,
            ..with_agents("agents: 1 + 1, 2 sessions")
        },
        Deployments {
            blue: 2,
            green: 2,
            faults: 0,
            ..with_agents("agents: 2 + 2")
        },
    ]
}

/// One deployment on two environments, and what may come beside it.
fn ones() -> Vec<Deployments> {
    vec![
        one("1 + 1"),
        Deployments {
            sessions: 2,
            faults: 0,
            ..one("1 + 1, 2 sessions")
        },
        Deployments {
            faults: 2,
            sessions: 0,
            carried: 0,
            ..one("1 + 1, 2 faults")
        },
        Deployments {
            blue: 2,
            green: 2,
            faults: 0,
            ..one("2 + 2")
        },
        Deployments {
            wishes: &[Verb::RollBack],
            steps: &[50, 100],
            carried: 0,
            ..one("1 + 1, steps and wishes")
        },
        Deployments {
            wishes: &Verb::ALL,
            approve: &[Gate::Switch, Gate::Seal],
            sessions: 0,
            carried: 0,
            ..one("1 + 1, gates and every wish")
        },
        Deployments {
            wishes: &Verb::ALL,
            steps: &[50, 100],
            sessions: 0,
            carried: 0,
            faults: 0,
            ..one("1 + 1, steps and every wish")
        },
        Deployments {
            wishes: &[Verb::Pause, Verb::Resume, Verb::Promote],
            carried: 0,
            faults: 0,
            ..one("1 + 1, sessions and pauses")
        },
        Deployments {
            launches: 1,
            carried: 0,
            ..one("1 + 1, Auto Scaling launches")
        },
        Deployments {
            detached: true,
            carried: 0,
            ..one("1 + 1, a detached drain")
        },
        Deployments {
            wishes: &[Verb::RollBack],
            others: &[Comes::TakesOver(0, false), Comes::TakesOver(0, true)],
            carried: 0,
            sessions: 0,
            ..one("1 + 1, take-overs")
        },
        Deployments {
            others: &[Comes::Second],
            carried: 0,
            sessions: 0,
            ..one("1 + 1, two deployments")
        },
        Deployments {
            window: true,
            ..one("1 + 1, the window of rule 8")
        },
    ]
}

/// Two deployments and more on three environments: while one drains, the next begins.
fn overlaps() -> Vec<Deployments> {
    vec![
        three("overlap"),
        Deployments {
            detached: true,
            ..three("overlap, detached drains")
        },
        Deployments {
            others: &[Comes::Second, Comes::TakesOver(0, false)],
            ..three("overlap, the first is taken over")
        },
        Deployments {
            others: &[Comes::Second, Comes::TakesOver(0, true)],
            ..three("overlap, the first is taken back")
        },
        Deployments {
            others: &[Comes::Second, Comes::TakesOver(1, false)],
            ..three("overlap, the second is taken over")
        },
        Deployments {
            faults: 0,
            others: &[Comes::Second, Comes::Third],
            ..three("overlap, three deployments")
        },
    ]
}

/// Where a broken variant is looked for: as little as shows it.
pub fn of_broken(broken: &Broken) -> Deployments {
    let base = match broken.variant {
        Variant::LateWriteWins | Variant::RecordNotRead | Variant::SupersededAfterSwitch => {
            three(broken.name)
        }
        Variant::TwoWriters => Deployments {
            faults: 0,
            ..three(broken.name)
        },
        Variant::SharesFall => Deployments {
            steps: &[50, 100],
            sessions: 0,
            carried: 0,
            alarms: false,
            ..one(broken.name)
        },
        Variant::PauseForgotten => Deployments {
            wishes: &[Verb::Pause, Verb::Resume],
            sessions: 0,
            carried: 0,
            faults: 0,
            alarms: false,
            ..one(broken.name)
        },
        Variant::GateForgotten => Deployments {
            wishes: &[Verb::Resume],
            approve: &[Gate::Seal],
            sessions: 0,
            carried: 0,
            faults: 0,
            alarms: false,
            ..one(broken.name)
        },
        Variant::NotListedAgain => Deployments {
            launches: 1,
            sessions: 0,
            carried: 0,
            faults: 0,
            alarms: false,
            ..one(broken.name)
        },
        // A cut shows on the common road too, and that story is the one to tell.
        _ => Deployments {
            faults: u8::from(needs_a_fault(broken.variant)),
            alarms: broken.violates != Rule::NothingCut,
            ..one(broken.name)
        },
    };
    base.without(broken.variant)
}

/// Whether a variant does no harm while nothing else goes wrong.
fn needs_a_fault(variant: Variant) -> bool {
    matches!(
        variant,
        Variant::TimeoutIsZero
            | Variant::SealForgotten
            | Variant::SealedResumes
            | Variant::NoEpochAtRollback
    )
}
