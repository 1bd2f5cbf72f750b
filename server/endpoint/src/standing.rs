//! A standing drain order: when the next idle session may be closed.
//!
//! Owns the arithmetic of slots and lease, with time and chance as inputs. `drain` asks it and closes; control gives it.

use std::time::{Duration, Instant};

/// How much later than its slot a session may be closed without delaying the next slot: what timers are late by.
const TIMER_SLACK: Duration = Duration::from_millis(10);

/// Close one idle session in each slot until the lease ends.
///
/// Whatever orders come, no stretch of time sees more closures than the paces in force add up to over it, plus one.
/// A retiring environment of `n` servers so closes at most `n` more than its pace in any second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Standing {
    slot: Duration,
    until: Instant,
    /// When the next slot begins, or since when it is open.
    due: Instant,
}

/// What a [`Standing`] order allows at some instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allows {
    /// One session may be closed.
    Close,
    /// None before this instant.
    Wait(Instant),
    /// The lease has ended: nothing, ever.
    Nothing,
}

impl Standing {
    /// The order in force after a new one arrived: pace and lease are the new one's, the slots go on.
    ///
    /// `phase`, from 0 to 1, is how much of a slot passes before the first one begins. It should be random: servers
    /// are ordered at the same moment, and slots in step would close one session on each of them at once, again and
    /// again.
    pub(crate) fn given(
        before: Option<Self>,
        per_second: f64,
        lease: Duration,
        phase: f64,
        now: Instant,
    ) -> Self {
        let slot = slot(per_second);
        let due = match before.filter(|order| now < order.until) {
            Some(order) => order.due_at_pace(slot, now),
            None => now + slot.mul_f64(phase.clamp(0.0, 1.0)),
        };
        Self {
            slot,
            until: now + lease,
            due,
        }
    }

    pub(crate) fn allows(&self, now: Instant) -> Allows {
        if now >= self.until {
            Allows::Nothing
        } else if now < self.due {
            Allows::Wait(self.due.min(self.until))
        } else {
            Allows::Close
        }
    }

    /// A session was closed in the slot that is open now.
    pub(crate) fn close(&mut self, now: Instant) {
        let earliest = now.checked_sub(TIMER_SLACK).unwrap_or(now);
        // A slot that found nobody idle is not made up for by a burst.
        self.due = self.due.max(earliest) + self.slot;
    }

    /// When the next slot begins if slots have this length from now on: what is left of the current one is left of it
    /// still. Counted anew from the last closure, a faster pace would be due at once on most servers together.
    fn due_at_pace(&self, slot: Duration, now: Instant) -> Instant {
        let left = self.due.saturating_duration_since(now);
        if slot == self.slot || left.is_zero() {
            return self.due;
        }
        now + left.mul_f64(slot.div_duration_f64(self.slot))
    }
}

/// The length of a slot; at most a day, so that instants do not overflow.
fn slot(per_second: f64) -> Duration {
    Duration::from_secs_f64((1.0 / per_second).clamp(0.000_001, 86_400.0))
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "pace_tests.rs"]
mod pace_tests;
