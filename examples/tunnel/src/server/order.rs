//! A standing drain order: when the next idle session may be closed.
//!
//! Owns the arithmetic of slots and lease, with the time as an input. `drain` asks it and closes; control gives it.

use std::time::{Duration, Instant};

/// How much later than its slot a session may be closed without delaying the next slot: what timers are late by.
const TIMER_SLACK: Duration = Duration::from_millis(10);

/// Close one idle session in each slot until the lease ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Order {
    slot: Duration,
    until: Instant,
    /// When the last slot was due that a session was closed in.
    used: Option<Instant>,
}

/// What an [`Order`] allows at some instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allows {
    /// One session may be closed.
    Close,
    /// None before this instant.
    Wait(Instant),
    /// The lease has ended: nothing, ever.
    Nothing,
}

impl Order {
    /// The order in force after a new one arrived: pace and lease are the new one's, slots go on from the last.
    pub(crate) fn given(
        before: Option<Self>,
        per_second: f64,
        lease: Duration,
        now: Instant,
    ) -> Self {
        let used = before
            .filter(|order| now < order.until)
            .and_then(|order| order.used);
        Self {
            slot: slot(per_second),
            until: now + lease,
            used,
        }
    }

    pub(crate) fn allows(&self, now: Instant) -> Allows {
        match self.due() {
            _ if now >= self.until => Allows::Nothing,
            Some(due) if now < due => Allows::Wait(due.min(self.until)),
            _ => Allows::Close,
        }
    }

    /// A session was closed in the slot that is open now.
    pub(crate) fn close(&mut self, now: Instant) {
        let earliest = now.checked_sub(TIMER_SLACK).unwrap_or(now);
        // A slot that found nobody idle is not made up for by a burst.
        self.used = Some(self.due().map_or(now, |due| due.max(earliest)));
    }

    fn due(&self) -> Option<Instant> {
        self.used.map(|used| used + self.slot)
    }
}

/// The length of a slot; at most a day, so that instants do not overflow.
fn slot(per_second: f64) -> Duration {
    Duration::from_secs_f64((1.0 / per_second).clamp(0.000_001, 86_400.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    fn closures(order: &mut Order, from: Instant, step: Duration, steps: u32) -> Vec<Duration> {
        let mut closed = Vec::new();
        for n in 0..steps {
            let now = from + step * n;
            if order.allows(now) == Allows::Close {
                order.close(now);
                closed.push(now - from);
            }
        }
        closed
    }

    #[test]
    fn sessions_are_closed_in_equal_slots() {
        let now = Instant::now();
        let mut order = Order::given(None, 20.0, LEASE, now);
        let closed = closures(&mut order, now, Duration::from_millis(1), 1000);
        assert_eq!(closed.len(), 20);
        assert!(
            closed
                .windows(2)
                .all(|pair| pair[1] - pair[0] == Duration::from_millis(50)),
            "{closed:?}"
        );
    }

    #[test]
    fn late_timers_do_not_slow_the_pace() {
        let now = Instant::now();
        let mut order = Order::given(None, 20.0, LEASE, now);
        // 7 ms apart: most slots are met some milliseconds late.
        let closed = closures(&mut order, now, Duration::from_millis(7), 143);
        assert_eq!(closed.len(), 20, "{closed:?}");
    }

    #[test]
    fn a_quiet_time_is_not_followed_by_a_burst() {
        let now = Instant::now();
        let mut order = Order::given(None, 10.0, LEASE, now);
        order.close(now);
        let later = now + Duration::from_secs(10);
        let closed = closures(&mut order, later, Duration::from_millis(1), 500);
        assert!(closed.len() <= 6, "{closed:?}");
    }

    #[test]
    fn a_repeat_changes_nothing_but_the_lease() {
        let now = Instant::now();
        let mut order = Order::given(None, 0.1, LEASE, now);
        order.close(now);
        let second = Duration::from_secs(1);
        let repeated = Order::given(Some(order), 0.1, LEASE, now + second);
        assert_eq!(
            repeated.allows(now + second),
            Allows::Wait(now + second * 10)
        );
        assert_eq!(repeated.until, now + second + LEASE);
        assert_eq!(
            Order {
                until: order.until,
                ..repeated
            },
            order
        );
    }

    #[test]
    fn a_new_pace_counts_from_the_last_closure() {
        let now = Instant::now();
        let mut order = Order::given(None, 0.1, LEASE, now);
        order.close(now);
        let faster = Order::given(Some(order), 2.0, LEASE, now);
        assert_eq!(
            faster.allows(now),
            Allows::Wait(now + Duration::from_millis(500))
        );
    }

    #[test]
    fn nothing_is_allowed_once_the_lease_has_ended() {
        let now = Instant::now();
        let order = Order::given(None, 20.0, LEASE, now);
        assert_eq!(order.allows(now + LEASE), Allows::Nothing);
        assert_eq!(
            order.allows(now + LEASE - Duration::from_millis(1)),
            Allows::Close
        );
    }

    #[test]
    fn extreme_paces_do_not_overflow() {
        let now = Instant::now();
        for per_second in [f64::MIN_POSITIVE, 1e-300, 1e300] {
            let mut order = Order::given(None, per_second, LEASE, now);
            order.close(now);
            assert_ne!(order.allows(now), Allows::Nothing);
        }
    }
}
