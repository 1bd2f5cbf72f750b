//! What is busy: from bytes and when they passed, as the kernel knows no more.
//!
//! Owns what is remembered of each connection between two looks. Pure: the sockets and the instant are given.

use std::collections::HashMap;
use std::time::Instant;

use ebbtide_endpoint::Count;

use crate::config::IdlePolicy;
use crate::sockets::{Socket, Traffic};

/// The connections that were there at the last look.
pub struct Sessions {
    policy: IdlePolicy,
    seen: HashMap<u64, Seen>,
    last: Count,
}

struct Seen {
    traffic: Option<Traffic>,
    /// When data last passed, pings not counted.
    data_at: Instant,
    /// The client sent that.
    client_spoke_last: bool,
    /// Since when it is busy.
    busy_since: Option<Instant>,
    /// It was closed, and the server has not finished that.
    leaving: bool,
}

impl Sessions {
    /// None were seen yet.
    pub fn new(policy: IdlePolicy) -> Self {
        Self {
            policy,
            seen: HashMap::new(),
            last: Count::default(),
        }
    }

    /// How many there were at the last look.
    pub fn last(&self) -> Count {
        self.last
    }

    /// Takes in a look at all of them, and counts.
    pub fn seen(&mut self, sockets: &[Socket], now: Instant) -> Count {
        let mut before = std::mem::take(&mut self.seen);
        let mut count = Count::default();
        for socket in sockets {
            let mut seen = self.follow(before.remove(&socket.cookie), socket, now);
            if self.is_idle(socket, &seen, now) {
                seen.busy_since = None;
                count.idle += 1;
            } else {
                let since = *seen.busy_since.get_or_insert(now);
                count.busy += 1;
                count.oldest_busy =
                    Some(count.oldest_busy.map_or(since, |oldest| oldest.min(since)));
            }
            self.seen.insert(socket.cookie, seen);
        }
        self.last = count;
        count
    }

    fn follow(&self, before: Option<Seen>, socket: &Socket, now: Instant) -> Seen {
        let mut seen = before.unwrap_or(Seen {
            traffic: None,
            data_at: now,
            client_spoke_last: false,
            busy_since: None,
            leaving: false,
        });
        let pings = |then: Traffic, traffic: Traffic| {
            let moved = (traffic.sent + traffic.received).saturating_sub(then.sent + then.received);
            moved <= self.policy.keepalive_bytes
        };
        match (seen.traffic, socket.traffic) {
            (Some(then), Some(traffic)) if pings(then, traffic) => {}
            (_, Some(traffic)) => {
                let silent = traffic.sent_ago.min(traffic.received_ago);
                seen.data_at = now.checked_sub(silent).unwrap_or(now);
                seen.client_spoke_last = traffic.received_ago < traffic.sent_ago;
            }
            (_, None) => seen.data_at = now,
        }
        seen.traffic = socket.traffic;
        seen
    }

    /// Those of the last look that were idle, longest idle first.
    pub fn idle(&self, sockets: Vec<Socket>) -> Vec<Socket> {
        let idle = |socket: &Socket| {
            self.seen
                .get(&socket.cookie)
                .filter(|seen| seen.busy_since.is_none())
        };
        let mut idle: Vec<_> = sockets
            .into_iter()
            .filter_map(|socket| Some((idle(&socket)?.data_at, socket)))
            .collect();
        idle.sort_by_key(|(data_at, _)| *data_at);
        idle.into_iter().map(|(_, socket)| socket).collect()
    }

    /// It was closed: until it is gone it counts as busy.
    pub fn leaves(&mut self, cookie: u64) {
        if let Some(seen) = self.seen.get_mut(&cookie) {
            seen.leaving = true;
        }
    }

    fn is_idle(&self, socket: &Socket, seen: &Seen, now: Instant) -> bool {
        let Some(after) = self.policy.after else {
            return false;
        };
        let silent = now.saturating_duration_since(seen.data_at);
        let waits =
            seen.client_spoke_last && self.policy.answer_within.is_none_or(|limit| silent < limit);
        let at_rest = socket.established
            && socket.inode != 0
            && socket.unread == 0
            && socket.unacknowledged == 0;
        at_rest && !seen.leaving && seen.traffic.is_some() && !waits && silent >= after
    }
}

#[cfg(test)]
#[path = "busy_tests.rs"]
mod tests;
