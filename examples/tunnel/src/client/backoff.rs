//! How long to wait before the next try: exponential, capped, with full jitter.
//!
//! Owns the arithmetic; randomness is an input. Full jitter, because thousands of clients lose the same server at the
//! same moment (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    limit: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        let first = first.min(most);
        Self {
            first,
            most,
            limit: first,
        }
    }

    /// A connection was made: the next loss is a new one.
    pub(crate) fn reset(&mut self) {
        self.limit = self.first;
    }

    /// The next wait: `random`, from 0 to 1, of a limit that doubles each time.
    pub(crate) fn next(&mut self, random: f64) -> Duration {
        self.next_within(self.most, random)
    }

    /// The same, of a limit that is no longer than `within`.
    pub(crate) fn next_within(&mut self, within: Duration, random: f64) -> Duration {
        let wait = self.limit.min(within).mul_f64(random.clamp(0.0, 1.0));
        self.limit = self.limit.saturating_mul(2).min(self.most);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(1);

    #[test]
    fn the_limit_doubles_up_to_the_cap() {
        let mut backoff = Backoff::new(FIRST, MOST);
        let waits: Vec<_> = (0..6).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.next(1.0), FIRST);
    }

    #[test]
    fn a_wait_within_a_bound_is_spread_over_all_of_it() {
        let mut backoff = Backoff::new(FIRST, MOST);
        let within = Duration::from_millis(300);
        let waits: Vec<_> = (0..4)
            .map(|_| backoff.next_within(within, 0.5).as_millis())
            .collect();
        assert_eq!(waits, [50, 100, 150, 150]);
    }

    #[test]
    fn a_wait_is_anything_from_nothing_to_the_limit() {
        let mut backoff = Backoff::new(FIRST, MOST);
        assert_eq!(backoff.next(0.0), Duration::ZERO);
        assert_eq!(backoff.next(0.5), FIRST);
        assert!(backoff.next(7.0) <= MOST);
    }
}
