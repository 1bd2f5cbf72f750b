//! Every tunnel of this server, by name and by number, and who waits for one.
//!
//! Owns the rule of one tunnel per name: the newest takes the name and the one before retires. A tunnel keeps its
//! place here until its WebSocket is over, and its count until the last answer that came through it has left. Refuses
//! nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use ebbtide_endpoint::Count;

use super::tunnel::{Activity, InFlight, Phase, Tunnel};
use crate::sync::{Mutex, MutexGuard, Notify};

#[derive(Default)]
struct Inner {
    next: u64,
    /// In the order of their arrival.
    all: BTreeMap<u64, Arc<Tunnel>>,
    names: HashMap<Arc<str>, u64>,
    /// Their WebSocket is over while answers that came through them are on their way to users.
    ended: Vec<Arc<Tunnel>>,
    /// Whom to wake when a tunnel of the name arrives here or elsewhere; weighed by the number that waits.
    waiting: HashMap<Arc<str>, (Arc<Notify>, usize)>,
}

pub(crate) struct Registry {
    inner: Mutex<Inner>,
    idle_after: Duration,
}

impl Registry {
    pub(crate) fn new(idle_after: Duration) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            idle_after,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new tunnel takes the name; the one before retires. Whoever waits for the name wakes.
    pub(crate) fn open(&self, name: &str, opened_at: u64, now: Instant) -> Arc<Tunnel> {
        let mut inner = self.inner();
        let id = inner.next;
        inner.next += 1;
        let name: Arc<str> = name.into();
        let tunnel = Tunnel::new(id, name.clone(), opened_at, now);
        inner.all.insert(id, tunnel.clone());
        let before = inner.names.insert(name.clone(), id);
        if let Some(before) = before.and_then(|id| inner.all.get(&id)) {
            before.retire();
        }
        inner.wake(&name);
        tunnel
    }

    /// The tunnel's WebSocket is over.
    pub(crate) fn remove(&self, tunnel: &Tunnel) {
        let mut inner = self.inner();
        inner.ended.retain(|ended| ended.in_flight());
        let ended = inner.all.remove(&tunnel.id);
        inner.ended.extend(ended.filter(|ended| ended.in_flight()));
        if inner.names.get(&tunnel.name) == Some(&tunnel.id) {
            inner.names.remove(&tunnel.name);
        }
    }

    /// Begins a request on the tunnel that has the name, if it takes requests.
    pub(crate) fn begin(&self, name: &str, now: Instant) -> Option<InFlight> {
        let inner = self.inner();
        let id = inner.names.get(name)?;
        inner.all.get(id)?.begin(now, self.idle_after)
    }

    /// Another server says that it has had a tunnel of this name since `opened_at`: an older one here retires.
    /// True if one did.
    pub(crate) fn taken_elsewhere(&self, name: &str, opened_at: u64) -> bool {
        let inner = self.inner();
        let here = inner.names.get(name).and_then(|id| inner.all.get(id));
        let older =
            here.filter(|tunnel| tunnel.opened_at < opened_at && tunnel.phase() == Phase::Serving);
        if let Some(tunnel) = older {
            tunnel.retire();
        }
        let retired = older.is_some();
        inner.wake(name);
        retired
    }

    /// Registers an interest in the arrival of a tunnel of this name.
    pub(crate) fn wait(self: &Arc<Self>, name: &str) -> Waiter {
        let mut inner = self.inner();
        let name: Arc<str> = name.into();
        let (arrival, count) = inner.waiting.entry(name.clone()).or_default();
        *count += 1;
        Waiter {
            arrival: arrival.clone(),
            name,
            registry: self.clone(),
        }
    }

    /// Busy and idle tunnels, those in the middle of their close included, and those that ended with an answer on its
    /// way.
    pub(crate) fn count(&self, now: Instant) -> Count {
        let mut count = Count::default();
        let mut inner = self.inner();
        inner.ended.retain(|ended| ended.in_flight());
        for tunnel in inner.all.values().chain(&inner.ended) {
            match tunnel.activity(now, self.idle_after) {
                Activity::Idle { .. } => count.idle += 1,
                Activity::Busy { since } => {
                    count.busy += 1;
                    count.oldest_busy =
                        Some(count.oldest_busy.map_or(since, |oldest| oldest.min(since)));
                }
            }
        }
        count
    }

    /// Begins to close the tunnel of this number if it serves and is idle at this instant.
    pub(crate) fn close_if_idle(&self, id: u64, now: Instant, reason: String) -> bool {
        let tunnel = self.inner().all.get(&id).cloned();
        tunnel.is_some_and(|tunnel| tunnel.close_if_idle(now, self.idle_after, reason))
    }

    /// How many requests wait for a tunnel to arrive.
    pub(crate) fn waiting(&self) -> usize {
        self.inner().waiting.values().map(|(_, count)| count).sum()
    }

    /// The tunnels that serve and are idle, longest idle first.
    pub(crate) fn idle(&self, now: Instant) -> Vec<Arc<Tunnel>> {
        let mut idle: Vec<(Instant, Arc<Tunnel>)> = Vec::new();
        for tunnel in self
            .inner()
            .all
            .values()
            .filter(|tunnel| tunnel.phase() == Phase::Serving)
        {
            if let Activity::Idle { since } = tunnel.activity(now, self.idle_after) {
                idle.push((since, tunnel.clone()));
            }
        }
        idle.sort_by_key(|(since, tunnel)| (*since, tunnel.id));
        idle.into_iter().map(|(_, tunnel)| tunnel).collect()
    }
}

impl Inner {
    fn wake(&self, name: &str) {
        if let Some((arrival, _)) = self.waiting.get(name) {
            arrival.notify_waiters();
        }
    }
}

/// Wakes when a tunnel of its name arrives.
pub(crate) struct Waiter {
    pub(crate) arrival: Arc<Notify>,
    name: Arc<str>,
    registry: Arc<Registry>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut inner = self.registry.inner();
        if let Some((_, count)) = inner.waiting.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                inner.waiting.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(2);

    #[test]
    fn the_newest_has_the_name_and_the_one_before_is_still_counted() {
        let (registry, now) = (Registry::new(REST), Instant::now());
        let old = registry.open("a", 1, now);
        let request = registry.begin("a", now).unwrap();
        let new = registry.open("a", 2, now);
        assert_eq!(registry.begin("a", now).unwrap().tunnel().id, new.id);
        assert_eq!(registry.count(now).busy, 2);
        drop(request);
        assert!(matches!(
            old.phase(),
            Phase::Closing {
                code: crate::close::REPLACED,
                ..
            }
        ));
        registry.remove(&old);
        assert!(
            registry.begin("a", now).is_some(),
            "removing the old one leaves the new one its name"
        );
    }

    #[test]
    fn a_tunnel_that_ended_is_busy_until_its_last_answer_has_left() {
        let (registry, now) = (Registry::new(REST), Instant::now());
        let tunnel = registry.open("a", 1, now);
        let request = registry.begin("a", now).unwrap();
        tunnel.over(crate::close::NORMAL, "");
        registry.remove(&tunnel);
        assert_eq!(registry.count(now).busy, 1);
        drop(request);
        assert_eq!(registry.count(now), Count::default());
    }

    #[test]
    fn only_an_older_tunnel_gives_way_to_another_server() {
        let (registry, now) = (Registry::new(REST), Instant::now());
        registry.open("a", 5, now);
        assert!(!registry.taken_elsewhere("a", 4));
        assert!(!registry.taken_elsewhere("a", 5));
        assert!(!registry.taken_elsewhere("b", 9));
        assert!(registry.taken_elsewhere("a", 6));
        assert!(registry.begin("a", now).is_none());
    }

    #[test]
    fn idle_tunnels_come_longest_idle_first_and_busy_ones_not_at_all() {
        let (registry, now) = (Registry::new(REST), Instant::now());
        registry.open("young", 1, now + REST);
        registry.open("busy", 2, now);
        registry.open("old", 3, now);
        let _request = registry.begin("busy", now);
        let names: Vec<_> = registry
            .idle(now + REST * 2)
            .iter()
            .map(|tunnel| tunnel.name.to_string())
            .collect();
        assert_eq!(names, ["old", "young"]);
    }

    #[test]
    fn waiters_are_counted_and_forgotten() {
        let registry = Registry::new(REST);
        let (first, second) = (registry.wait("a"), registry.wait("a"));
        assert_eq!(registry.waiting(), 2);
        drop(first);
        drop(second);
        assert!(registry.inner().waiting.is_empty());
    }
}
