//! What the session endpoint is told of this server: its tunnels, and what else termination would cut.
//!
//! Owns what counts as busy, and how a tunnel is closed by an order. Reports and the standing order call it.

use std::sync::Arc;
use std::time::Duration;

use ebbtide_endpoint::{Count, SessionNumber, Sessions};

use super::carried::Carrying;
use super::registry::Registry;
use crate::close;
use crate::sync::now;

/// Clients come back at once: the slots have spread them already.
///
/// The pace is there for the servers that take the clients back, and closures keep to it in every second. A random wait
/// on top would undo that: with up to a second each, the clients of a second are 20 ± 2.6 at a pace of 20, and one
/// second in twenty-five has more than a fifth too many. (A closure at `s` falls into the second that ends at `t` with probability
/// `p = 1 - |t - 1 - s|`; summing `p (1 - p)` over all closures, the variance is a third of the pace.)
const COME_BACK_AFTER: Duration = Duration::ZERO;

/// All that this server holds.
pub(crate) struct Held {
    pub(crate) registry: Arc<Registry>,
    pub(crate) carrying: Carrying,
}

impl Sessions for Held {
    fn count(&self) -> Count {
        let now = now();
        let begun = self.carrying.begun();
        let (carried, carried_since) = self.carrying.count();
        let tunnels = self.registry.count(now);
        // A request whose tunnel dies is carried again. One that did so between the two looks would be in neither, so
        // what began meanwhile is added: too many for a moment, never too few.
        let begun_since = self.carrying.begun().saturating_sub(begun);
        let oldest_busy = [carried_since, tunnels.oldest_busy].into_iter().flatten();
        Count {
            busy: tunnels.busy + carried + begun_since,
            idle: tunnels.idle,
            oldest_busy: oldest_busy.min(),
        }
    }

    fn idle(&self) -> Vec<SessionNumber> {
        let idle = self.registry.idle(now());
        idle.iter().map(|tunnel| tunnel.id).collect()
    }

    fn close_if_idle(&self, session: SessionNumber) -> bool {
        let reason = close::reconnect_in(COME_BACK_AFTER);
        self.registry.close_if_idle(session, now(), reason)
    }
}
