//! A server's memory of what it has taken, so that nobody sends it a second time.

use std::collections::BTreeSet;

use crate::refused::Refused;

/// How long ago a request may have been signed, in seconds: clocks differ, and a call takes three seconds at most.
pub const SKEW_SECONDS: u64 = 30;

/// How far ahead its signer's clock may be, in seconds. Less, because a server that starts waits for as long: what such a
/// signer sent before the start would be taken a second time after it.
pub const AHEAD_SECONDS: u64 = 2;

/// What was taken, as long as it could be sent again. It is not written down: what may have been signed before the start, by
/// a clock that is ahead, is refused.
///
/// Only what a known key has signed comes in here, so it grows by what the callers send within a minute and no more.
#[derive(Debug)]
pub struct Replays {
    /// Whatever was signed then or before is refused. It never goes back, if the clock does.
    horizon: u64,
    /// Whatever was signed then or before may have come in before the start.
    started: u64,
    taken: BTreeSet<(u64, String)>,
}

impl Replays {
    /// The memory of a server that starts now; in seconds since 1970.
    pub fn starting(now: u64) -> Self {
        Self {
            horizon: now,
            started: now.saturating_add(AHEAD_SECONDS),
            taken: BTreeSet::new(),
        }
    }

    /// Takes what was signed at `created`, once.
    ///
    /// # Errors
    /// If it is too old or ahead, of before the start, or was taken before.
    pub fn take(&mut self, created: u64, nonce: &str, now: u64) -> Result<(), Refused> {
        let skew = created.cast_signed().saturating_sub(now.cast_signed());
        let most = if skew > 0 {
            AHEAD_SECONDS
        } else {
            SKEW_SECONDS
        };
        if skew.unsigned_abs() > most {
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
    fn nothing_is_taken_twice() {
        let mut replays = Replays::starting(1_000);
        assert_eq!(replays.take(1_003, "a", 1_003), Ok(()));
        assert_eq!(replays.take(1_003, "a", 1_004), Err(Refused::Replayed));
        assert_eq!(replays.take(1_003, "b", 1_004), Ok(()));
    }

    /// A signer whose clock is two seconds ahead has signed for 1,002 before the start at 1,000.
    #[test]
    fn what_may_have_been_signed_before_the_start_is_refused() {
        let mut replays = Replays::starting(1_000);
        for created in [999, 1_000, 1_002] {
            assert_eq!(replays.take(created, "a", 1_001), Err(Refused::BeforeStart));
        }
        assert_eq!(replays.take(1_003, "a", 1_001), Ok(()));
    }

    #[test]
    fn what_was_signed_too_far_from_now_is_refused() {
        let mut replays = Replays::starting(1_000);
        assert_eq!(replays.take(2_002, "a", 2_000), Ok(()));
        assert_eq!(replays.take(2_003, "b", 2_000), Err(Refused::Skewed(3)));
        assert_eq!(replays.take(1_970, "c", 2_000), Ok(()));
        assert_eq!(replays.take(1_969, "d", 2_000), Err(Refused::Skewed(-31)));
        assert_eq!(
            replays.take(u64::MAX, "e", 2_000),
            Err(Refused::Skewed(-2_001))
        );
    }

    #[test]
    fn what_can_no_longer_come_in_is_forgotten() {
        let mut replays = Replays::starting(1_000);
        for now in 1_100..1_200 {
            assert_eq!(replays.take(now, "a", now), Ok(()));
        }
        let oldest = replays.taken.first().map(|(created, _)| *created);
        assert_eq!(oldest, Some(1_199 - SKEW_SECONDS));
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
                    prop_assert!(created <= now + AHEAD_SECONDS && now <= created + SKEW_SECONDS);
                    // Not even by a clock that is as far ahead as one may be.
                    prop_assert!(created > 1_000 + AHEAD_SECONDS);
                }
                prop_assert!(replays.taken.iter().all(|(created, _)| *created > replays.horizon));
            }
        }
    }
}
