//! The bounds within which an agent is tried.

use super::Agents;
use super::variants::{Broken, Variant};

const fn one(name: &'static str) -> Agents {
    Agents {
        name,
        clients: 1,
        cookies: true,
        talks: false,
        closes: false,
        kills: 1,
        flushes: 0,
        variant: Variant::Shipped,
    }
}

/// What `make test` explores, in seconds.
pub const QUICK: [Agents; 1] = [Agents {
    closes: true,
    talks: true,
    cookies: false,
    kills: 0,
    ..one("quick: an agent")
}];

/// What `make prove` explores.
pub const FULL: [Agents; 4] = [
    Agents {
        clients: 3,
        kills: 2,
        ..one("an agent seals")
    },
    Agents {
        clients: 2,
        flushes: 1,
        ..one("an agent, its rules flushed")
    },
    Agents {
        closes: true,
        talks: true,
        kills: 2,
        ..one("an agent closes")
    },
    Agents {
        closes: true,
        talks: true,
        kills: 0,
        flushes: 1,
        ..one("an agent closes, its rules flushed")
    },
];

/// Where a broken agent is looked for.
pub(super) fn of_broken(broken: &Broken) -> Agents {
    let closes = broken.violates == super::properties::Rule::NothingLost.name();
    Agents {
        closes,
        talks: closes,
        variant: broken.variant,
        ..one(broken.name)
    }
}
