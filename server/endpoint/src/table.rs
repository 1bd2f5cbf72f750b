//! The sessions of a server, for everybody who has no table of their own: busy while they work and for a while after.
//!
//! Owns the one lock under which a session becomes busy and is found idle. Refuses work to a session that is being closed.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::admission::Place;
use crate::sessions::{Count, SessionNumber, Sessions};
use crate::sync::{Mutex, MutexGuard, now};

/// All sessions of one server process.
pub struct Table {
    idle_after: Duration,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    next: SessionNumber,
    /// In the order of their arrival.
    all: BTreeMap<SessionNumber, Entry>,
}

struct Entry {
    working: usize,
    /// When the busy spell began that lasts now or was the last.
    busy_since: Instant,
    /// When it opened, or its last work ended.
    free_since: Instant,
    leaving: watch::Sender<bool>,
}

impl Entry {
    fn is_idle(&self, now: Instant, idle_after: Duration) -> bool {
        self.working == 0 && now.saturating_duration_since(self.free_since) >= idle_after
    }

    fn is_leaving(&self) -> bool {
        *self.leaving.borrow()
    }
}

impl Table {
    /// An empty table. A session is idle once nothing was done on it for `idle_after`: choose it so that a reconnection
    /// after such a pause is not noticed.
    pub fn new(idle_after: Duration) -> Arc<Self> {
        Arc::new(Self {
            idle_after,
            entries: Mutex::default(),
        })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session has begun, on the place that its handshake took ([`crate::Endpoint::enter_session`]). It counts as busy until
    /// it was silent for as long as any other. Open it before the handshake is answered, as its place: what is connected and
    /// not counted yet is a session that a report does not tell of.
    pub fn open(self: &Arc<Self>, place: Place) -> Session {
        let mut entries = self.entries();
        let number = entries.next;
        entries.next += 1;
        let (leaving, asked) = watch::channel(false);
        // Read under the lock, as everywhere here: an instant is never older than what it is compared with.
        let now = now();
        let entry = Entry {
            working: 0,
            busy_since: now,
            free_since: now,
            leaving,
        };
        entries.all.insert(number, entry);
        Session {
            table: self.clone(),
            number,
            asked,
            _place: place,
        }
    }
}

impl Sessions for Table {
    fn count(&self) -> Count {
        let entries = self.entries();
        let now = now();
        let mut count = Count::default();
        for entry in entries.all.values() {
            if entry.is_idle(now, self.idle_after) {
                count.idle += 1;
            } else {
                count.busy += 1;
                let oldest = count.oldest_busy.unwrap_or(now).min(entry.busy_since);
                count.oldest_busy = Some(oldest);
            }
        }
        count
    }

    fn idle(&self) -> Vec<SessionNumber> {
        let entries = self.entries();
        let now = now();
        let idle = |entry: &Entry| entry.is_idle(now, self.idle_after) && !entry.is_leaving();
        let mut idle: Vec<_> = entries
            .all
            .iter()
            .filter(|(_, entry)| idle(entry))
            .collect();
        idle.sort_by_key(|(_, entry)| entry.free_since);
        idle.into_iter().map(|(number, _)| *number).collect()
    }

    fn close_if_idle(&self, session: SessionNumber) -> bool {
        let entries = self.entries();
        let now = now();
        let entry = entries.all.get(&session);
        let Some(entry) = entry.filter(|entry| entry.is_idle(now, self.idle_after)) else {
            return false;
        };
        !entry.leaving.send_replace(true)
    }
}

/// One session. It counts until it is dropped, and keeps its place in admission until then.
pub struct Session {
    table: Arc<Table>,
    number: SessionNumber,
    asked: watch::Receiver<bool>,
    // Dropped after this has left the table.
    _place: Place,
}

impl Session {
    /// Begins a piece of work on what its client asked for: it is busy until that is dropped, and for a while after. None
    /// once it is being closed: say goodbye as after [`Session::asked_to_leave`], which may not have been noticed yet. What
    /// the client said meanwhile was not done; one that wants an answer asks again on its next connection.
    #[must_use]
    pub fn begin(&self) -> Option<Work> {
        let mut entries = self.table.entries();
        let now = now();
        let entry = entries.all.get_mut(&self.number)?;
        if entry.is_leaving() {
            return None;
        }
        if entry.is_idle(now, self.table.idle_after) {
            entry.busy_since = now;
        }
        entry.working += 1;
        Some(Work {
            table: self.table.clone(),
            number: self.number,
        })
    }

    /// Waits until it is to be closed: tell its client to reconnect at once (WebSocket close code 1012). May be dropped and
    /// called again, and returns at once if the session was asked before.
    pub async fn asked_to_leave(&self) {
        // An error is the end of the table, and so of the session.
        let _ = self.asked.clone().wait_for(|leaving| *leaving).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.table.entries().all.remove(&self.number);
    }
}

/// A piece of work on a session, until it is dropped.
pub struct Work {
    table: Arc<Table>,
    number: SessionNumber,
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut entries = self.table.entries();
        let now = now();
        if let Some(entry) = entries.all.get_mut(&self.number) {
            entry.working -= 1;
            entry.free_since = now;
        }
    }
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
mod tests {
    use super::*;
    use crate::admission::{Admission, State};

    const NEVER: Duration = Duration::from_secs(86_400);

    fn open(table: &Arc<Table>) -> Session {
        table.open(Admission::new(State::start(false)).enter_session().unwrap())
    }

    #[test]
    fn a_session_is_busy_while_it_works_and_for_a_while_after() {
        let table = Table::new(Duration::ZERO);
        let session = open(&table);
        assert_eq!((table.count().busy, table.count().idle), (0, 1));
        let work = session.begin();
        assert_eq!((table.count().busy, table.count().idle), (1, 0));
        assert!(table.count().oldest_busy.is_some());
        assert!(!table.close_if_idle(0) && table.idle().is_empty());
        drop(work);
        assert_eq!(table.idle(), [0]);
        let table = Table::new(NEVER);
        let session = open(&table);
        drop(session.begin());
        assert!(!table.close_if_idle(0), "it has just worked");
        drop(session);
        assert_eq!(table.count(), Count::default());
    }

    #[test]
    fn the_oldest_busy_spell_counts_and_a_new_one_begins_after_a_rest() {
        let table = Table::new(NEVER);
        let (first, _second) = (open(&table), open(&table));
        let oldest = table.count().oldest_busy;
        drop(first.begin());
        assert_eq!(table.count().oldest_busy, oldest, "the spell goes on");
        let table = Table::new(Duration::ZERO);
        let (before, session) = (Instant::now(), open(&table));
        let _work = session.begin();
        assert!(
            table
                .count()
                .oldest_busy
                .is_some_and(|since| since >= before)
        );
    }

    #[tokio::test]
    async fn a_session_that_leaves_takes_no_work_and_is_asked_once() {
        let table = Table::new(Duration::ZERO);
        let (session, other) = (open(&table), open(&table));
        assert_eq!(table.idle(), [0, 1]);
        tokio::select! {
            biased;
            () = session.asked_to_leave() => panic!("nobody asked"),
            () = std::future::ready(()) => {}
        }
        assert!(table.close_if_idle(0));
        assert!(!table.close_if_idle(0) && !table.close_if_idle(7));
        session.asked_to_leave().await;
        session.asked_to_leave().await;
        assert!(session.begin().is_none() && other.begin().is_some());
        assert_eq!((table.idle(), table.count().idle), (vec![1], 2));
    }
}
