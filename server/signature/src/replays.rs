//! A server's memory of what it has taken, so that nobody sends it a second time.

use std::collections::BTreeSet;

use crate::refused::Refused;

/// How far from now a request may have been signed, in seconds: clocks differ, and a call takes three seconds at most.
pub const SKEW_SECONDS: u64 = 30;

/// What was taken, as long as it could be sent again. It is not written down: what was signed before the start is refused.
///
/// Only what a known key has signed comes in here, so it grows by what the callers send within a minute and no more.
#[derive(Debug)]
pub struct Replays {
    /// Whatever was signed then or before is refused. It never goes back, if the clock does.
    horizon: u64,
    started: u64,
    taken: BTreeSet<(u64, String)>,
}

impl Replays {
    /// The memory of a server that starts now; in seconds since 1970.
    pub fn starting(now: u64) -> Self {
        Self {
            horizon: now,
            started: now,
            taken: BTreeSet::new(),
        }
    }

    /// Takes what was signed at `created`, once.
    ///
    /// # Errors
    /// If it is too old or ahead, of before the start, or was taken before.
    pub fn take(&mut self, created: u64, nonce: &str, now: u64) -> Result<(), Refused> {
        let skew = created.cast_signed().saturating_sub(now.cast_signed());
        if skew.unsigned_abs() > SKEW_SECONDS {
            return Err(Refused::Skewed(skew));
        }
        self.horizon = self.horizon.max(now.saturating_sub(SKEW_SECONDS + 1));
        if created <= self.started {
            return Err(Refused::BeforeStart);
        }
        if created <= self.horizon {
            return Err(Refused::Skewed(skew));
        }
        self.taken = self.taken.split_off(&(self.horizon + 1, String::new()));
        if self.taken.insert((created, nonce.to_owned())) {
            Ok(())
        } else {
            Err(Refused::Replayed)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_taken_twice_and_nothing_from_before_the_start() {
        let mut replays = Replays::starting(1_000);
        assert_eq!(replays.take(1_000, "a", 1_001), Err(Refused::BeforeStart));
        assert_eq!(replays.take(1_001, "a", 1_001), Ok(()));
        assert_eq!(replays.take(1_001, "a", 1_002), Err(Refused::Replayed));
        assert_eq!(replays.take(1_001, "b", 1_002), Ok(()));
    }

    #[test]
    fn what_was_signed_too_far_from_now_is_refused() {
        let mut replays = Replays::starting(1_000);
        assert_eq!(replays.take(2_030, "a", 2_000), Ok(()));
        assert_eq!(replays.take(2_031, "b", 2_000), Err(Refused::Skewed(31)));
        assert_eq!(replays.take(1_970, "c", 2_000), Ok(()));
        assert_eq!(replays.take(1_969, "d", 2_000), Err(Refused::Skewed(-31)));
        assert_eq!(
            replays.take(u64::MAX, "e", 2_000),
            Err(Refused::Skewed(-2_001))
        );
    }

    #[test]
    fn a_clock_that_goes_back_brings_nothing_back() {
        let mut replays = Replays::starting(1_000);
        assert_eq!(replays.take(1_100, "a", 1_100), Ok(()));
        assert_eq!(replays.take(1_200, "b", 1_200), Ok(()));
        // Forgotten, and refused for its age.
        assert!(replays.take(1_100, "a", 1_100).is_err());
    }

    proptest! {
        /// Whatever the clock does, a request is taken once at most, and what is remembered is of the last minute.
        #[test]
        fn each_request_is_taken_once_at_most(
            tries in proptest::collection::vec((1_000_u64..1_200, 0_u8..3, 1_000_u64..1_200), 1..200),
        ) {
            let mut replays = Replays::starting(1_000);
            let mut taken = BTreeSet::new();
            for (created, nonce, now) in tries {
                if replays.take(created, &nonce.to_string(), now).is_ok() {
                    prop_assert!(taken.insert((created, nonce)), "{created} {nonce} twice");
                    prop_assert!(created.abs_diff(now) <= SKEW_SECONDS);
                }
                prop_assert!(replays.taken.iter().all(|(created, _)| *created > replays.horizon));
            }
        }
    }
}
