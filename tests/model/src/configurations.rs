//! The bounds within which everything is tried.

use crate::model::{Deployments, Second};
use crate::properties::Rule;
use crate::variants::{Broken, Variant};

/// One server a side under one deployment; the others say what they change.
const ONE: Deployments = Deployments {
    name: "1 blue, 1 green",
    blue: 1,
    green: 1,
    launches: 0,
    sessions: 1,
    carried: 1,
    faults: 1,
    strays: 1,
    minimum: 1,
    alarms: true,
    wishes: false,
    steps: &[100],
    window: false,
    second: Second::Nobody,
    variant: Variant::Shipped,
};

/// What `make test` explores, in seconds.
pub const QUICK: [Deployments; 3] = [
    Deployments {
        name: "quick: 1 + 1, a fault",
        ..ONE
    },
    Deployments {
        name: "quick: 1 + 1, a take-over",
        sessions: 0,
        faults: 1,
        second: Second::TakesOver,
        ..ONE
    },
    Deployments {
        name: "quick: 1 + 1, two deployments",
        sessions: 0,
        faults: 1,
        second: Second::Deploys,
        ..ONE
    },
];

/// What `make prove` explores.
pub const FULL: [Deployments; 7] = [
    Deployments {
        name: "1 + 1, 2 sessions, 3 faults",
        sessions: 2,
        faults: 3,

        ..ONE
    },
    Deployments {
        name: "2 + 2, 2 faults",
        blue: 2,
        green: 2,
        carried: 0,
        faults: 2,
        ..ONE
    },
    Deployments {
        name: "1 + 1, steps and wishes",
        wishes: true,
        steps: &[50, 100],
        faults: 2,
        ..ONE
    },
    Deployments {
        name: "1 + 1, Auto Scaling launches",
        launches: 1,
        carried: 0,
        faults: 2,
        ..ONE
    },
    Deployments {
        name: "1 + 1, a take-over",
        wishes: true,
        second: Second::TakesOver,
        carried: 0,
        faults: 2,
        ..ONE
    },
    Deployments {
        name: "1 + 1, two deployments",
        second: Second::Deploys,
        carried: 0,
        faults: 2,
        ..ONE
    },
    Deployments {
        name: "1 + 1, the window of rule 8",
        window: true,
        faults: 2,
        ..ONE
    },
];

/// Where a broken variant is looked for: as little as shows it.
pub fn of_broken(broken: &Broken) -> Deployments {
    Deployments {
        name: broken.name,
        launches: u8::from(broken.variant == Variant::NotListedAgain),
        // A cut shows on the common road too, and that story is the one to tell.
        alarms: broken.violates != Rule::NothingCut,
        ..ONE
    }
    .without(broken.variant)
}
