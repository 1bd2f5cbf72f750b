//! What keeps this server busy without belonging to one of its sessions: handshakes under way, and requests that wait
//! for a tunnel or are passed on to another server.
//!
//! Owns their number and age. The report adds them to the busy sessions.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::sync::{Mutex, MutexGuard};

#[derive(Default)]
struct Inner {
    next: u64,
    since: BTreeMap<u64, Instant>,
}

/// All that is carried at this moment.
#[derive(Clone, Default)]
pub(crate) struct Carrying(Arc<Mutex<Inner>>);

impl Carrying {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more, until the returned value is dropped.
    pub(crate) fn begin(&self, now: Instant) -> Carried {
        let mut inner = self.inner();
        let id = inner.next;
        inner.next += 1;
        inner.since.insert(id, now);
        Carried {
            id,
            all: self.clone(),
        }
    }

    /// How many, and since when the oldest.
    pub(crate) fn count(&self) -> (u64, Option<Instant>) {
        let inner = self.inner();
        // Numbers are given in order of time, so the first is the oldest.
        (
            inner.since.len() as u64,
            inner.since.first_key_value().map(|(_, since)| *since),
        )
    }

    /// How many have ever begun.
    pub(crate) fn begun(&self) -> u64 {
        self.inner().next
    }
}

/// One handshake or request that no session of this server counts.
pub(crate) struct Carried {
    id: u64,
    all: Carrying,
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.all.inner().since.remove(&self.id);
    }
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_oldest_is_known_until_it_ends() {
        let (all, now) = (Carrying::default(), Instant::now());
        let first = all.begin(now);
        let later = now + Duration::from_secs(1);
        let _second = all.begin(later);
        assert_eq!(all.count(), (2, Some(now)));
        drop(first);
        assert_eq!(all.count(), (1, Some(later)));
    }
}
