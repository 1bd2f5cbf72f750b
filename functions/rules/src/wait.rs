//! How long to wait between passes: late by a tenth at worst, never busy-waiting for a session of twenty hours.
//!
//! Owns the wait rule. Called by `check` for the state machine's next wait and by `drain` for the lease that must
//! outlast it.

use jiff::Timestamp;

/// The shortest wait, in seconds: below it a pass costs more than the waiting.
pub const SHORTEST_SECONDS: u64 = 2;
/// The longest wait after the bake, in seconds.
pub const LONGEST_SECONDS: u64 = 300;
/// The longest wait between two looks at a green whose switch a person holds back. One may last for three days, each look tests
/// green again, and an execution's history has room for 25,000 events.
pub const LONGEST_BEFORE_SWITCH_SECONDS: u64 = 400;
/// The longest wait where an Auto Scaling group is held: what somebody lets go is held again within a minute.
pub const LONGEST_OF_GROUP_SECONDS: u64 = 60;

/// Where a deployment stands between its switch and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Whether the load balancer has stopped sending new sessions to the retiring environment.
    pub settled: bool,
    /// Whether rollback is still one step away.
    pub baking: bool,
}

impl Stage {
    /// The stage at `now`; each border belongs to what follows it, and one that is not known yet has not been reached.
    ///
    /// The bake is over when the clock says so *and* the record does (`may_seal`): what cannot be taken back does not
    /// hang on one clock, which may be wrong.
    pub fn at(
        now: Timestamp,
        settled_at: Option<Timestamp>,
        baked_at: Option<Timestamp>,
        may_seal: bool,
    ) -> Self {
        Self {
            settled: reached(settled_at, now),
            baking: !(may_seal && reached(baked_at, now)),
        }
    }

    /// Whether a seal may be asked for: it cannot be taken back, so not while rollback is one step away, and not while
    /// the load balancer may still send real users.
    pub fn may_seal(self) -> bool {
        self.settled && !self.baking
    }
}

/// Whether a moment is there: the load balancer has settled, a step or the bake is over. One that is not known is not.
pub fn reached(border: Option<Timestamp>, now: Timestamp) -> bool {
    border.is_some_and(|border| now >= border)
}

/// The longest wait: `poll_seconds` while baking, 300 after, and never more than a minute for members of an Auto Scaling
/// group.
pub fn longest(baking: bool, poll_seconds: u64, in_group: bool) -> u64 {
    let longest = if baking {
        poll_seconds
    } else {
        LONGEST_SECONDS
    };
    if in_group {
        longest.min(LONGEST_OF_GROUP_SECONDS)
    } else {
        longest
    }
}

/// Seconds until the next pass: a tenth of the time since anything changed, from 2 to `longest`.
///
/// On a busy service something changes at every pass. So that its history lasts all the same, a wait is never below a
/// fiftieth of the time since `floor_from` (see [`floor_from`]): as late as 2 % of a drain that goes on anyway. Without
/// that moment there is no such floor.
pub fn seconds(
    now: Timestamp,
    changed_at: Timestamp,
    floor_from: Option<Timestamp>,
    longest: u64,
) -> u64 {
    let since = |then: Timestamp| u64::try_from(now.duration_since(then).as_secs()).unwrap_or(0);
    (since(changed_at) / 10)
        .max(floor_from.map_or(0, since) / 50)
        .min(longest)
        .max(SHORTEST_SECONDS)
}

/// From when the fiftieth counts: in a step of traffic (one that has an end) from when the step began, afterwards from
/// when the load balancer settled.
pub fn floor_from(
    step_ends_at: Option<Timestamp>,
    step_began_at: Option<Timestamp>,
    settled_at: Option<Timestamp>,
) -> Option<Timestamp> {
    if step_ends_at.is_some() {
        step_began_at
    } else {
        settled_at
    }
}

/// `wait` shortened so that the next pass does not miss a `milestone` (the end of a step of traffic, of settling, of the
/// bake) that is still to come, but never below the shortest wait. One that is not known yet does not count.
pub fn until(wait: u64, now: Timestamp, milestone: Option<Timestamp>) -> u64 {
    let Some(milestone) = milestone else {
        return wait;
    };
    let left = milestone.duration_since(now);
    if left.is_negative() || left.is_zero() {
        return wait;
    }
    let whole = u64::try_from(left.as_secs()).unwrap_or(0);
    let rounded_up = whole + u64::from(left.subsec_nanos() > 0);
    wait.min(rounded_up.max(SHORTEST_SECONDS))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

    fn ago(seconds: i64) -> Timestamp {
        NOW - SignedDuration::from_secs(seconds)
    }

    fn ahead(millis: i64) -> Timestamp {
        NOW + SignedDuration::from_millis(millis)
    }

    #[test]
    fn a_tenth_within_its_bounds() {
        let cases = [
            (0, true, 30, 2),
            (29, true, 30, 2),
            (30, true, 30, 3),
            (200, true, 30, 20),
            (3000, true, 30, 30),
            (3000, false, 30, 300),
            (2999, false, 30, 299),
            (72_000, false, 30, 300),
            (72_000, true, 2, 2),
            (72_000, true, 0, 2),
            (-5, true, 30, 2),
        ];
        for (unchanged, baking, poll, expected) in cases {
            assert_eq!(
                seconds(NOW, ago(unchanged), Some(NOW), longest(baking, poll, false)),
                expected,
                "{unchanged} s, baking {baking}, poll {poll}"
            );
        }
    }

    #[test]
    fn a_drain_that_changes_all_the_time_is_looked_at_less_and_less_often() {
        let cases = [
            (0, 2),
            (100, 2),
            (600, 12),
            (3_000, 60),
            (15_000, 300),
            (1_000_000, 300),
        ];
        for (settled, expected) in cases {
            assert_eq!(
                seconds(NOW, NOW, Some(ago(settled)), LONGEST_SECONDS),
                expected,
                "{settled} s after settling"
            );
        }
        assert_eq!(seconds(NOW, NOW, Some(ago(15_000)), 30), 30);
        assert_eq!(seconds(NOW, NOW, None, 300), 2, "no moment, no floor");
    }

    #[test]
    fn a_held_group_is_looked_at_every_minute() {
        let cases = [(true, 30, 30), (true, 300, 60), (false, 30, 60)];
        for (baking, poll, expected) in cases {
            assert_eq!(longest(baking, poll, true), expected, "{baking} {poll}");
        }
        assert_eq!(longest(false, 30, false), 300);
    }

    #[test]
    fn a_milestone_is_not_missed_and_a_past_one_does_not_count() {
        assert_eq!(until(30, NOW, Some(ahead(12_000))), 12);
        assert_eq!(until(30, NOW, Some(ahead(12_001))), 13);
        assert_eq!(until(30, NOW, Some(ahead(300))), 2);
        assert_eq!(until(30, NOW, Some(ahead(60_000))), 30);
        assert_eq!(until(30, NOW, Some(NOW)), 30);
        assert_eq!(until(30, NOW, Some(ago(1))), 30);
        assert_eq!(until(30, NOW, None), 30);
    }

    #[test]
    fn the_fiftieth_counts_from_the_step_and_after_it_from_the_settling() {
        let (step, settled) = (Some(ago(100)), Some(ago(50)));
        assert_eq!(floor_from(Some(ahead(1)), step, settled), step);
        assert_eq!(floor_from(Some(ahead(1)), None, settled), None);
        assert_eq!(floor_from(None, step, settled), settled);
        assert_eq!(floor_from(None, None, None), None);
    }

    #[test]
    fn a_border_belongs_to_what_follows() {
        let before = Stage::at(ago(1), Some(NOW), Some(NOW), true);
        assert_eq!(
            before,
            Stage {
                settled: false,
                baking: true
            }
        );
        assert!(!before.may_seal());
        assert!(Stage::at(NOW, Some(NOW), Some(NOW), true).may_seal());
    }

    #[test]
    fn a_seal_needs_the_settling_and_the_bake_to_be_over_and_the_record_to_say_so() {
        let past = Some(ago(1));
        let future = Some(ahead(1));
        let cases = [
            (past, past, true, true),
            (past, past, false, false),
            (future, past, true, false),
            (past, future, true, false),
            (None, past, true, false),
            (past, None, true, false),
            (None, None, true, false),
        ];
        for (settled, baked, may_seal, expected) in cases {
            let stage = Stage::at(NOW, settled, baked, may_seal);
            assert_eq!(
                stage.may_seal(),
                expected,
                "{settled:?} {baked:?} {may_seal}"
            );
            assert_eq!(stage.settled, settled == past);
            assert_eq!(stage.baking, !(may_seal && baked == past));
        }
    }

    proptest! {
        #[test]
        fn never_short_never_long_and_late_by_a_tenth_at_worst(
            unchanged in -100_i64..10_000_000,
            floor in proptest::option::of(-100_i64..10_000_000),
            baking: bool,
            poll in 0_u64..=300,
            milestone in proptest::option::of(-10_000_i64..10_000_000),
        ) {
            let wait = seconds(NOW, ago(unchanged), floor.map(ago), longest(baking, poll, false));
            let wait = until(wait, NOW, milestone.map(ahead));
            prop_assert!(wait >= SHORTEST_SECONDS);
            prop_assert!(wait <= LONGEST_SECONDS);
            prop_assert!(!baking || wait <= poll.max(SHORTEST_SECONDS));
            let tenth = u64::try_from(unchanged.max(0)).unwrap() / 10;
            let fiftieth = u64::try_from(floor.unwrap_or(0).max(0)).unwrap() / 50;
            prop_assert!(wait <= tenth.max(fiftieth).max(SHORTEST_SECONDS));
            if let Some(millis @ 1..) = milestone {
                let left = u64::try_from(millis).unwrap().div_ceil(1000);
                prop_assert!(wait <= left.max(SHORTEST_SECONDS));
            }
        }

        #[test]
        fn the_longer_nothing_changes_the_longer_the_wait(
            a in 0_i64..100_000,
            b in 0_i64..100_000,
            floor in proptest::option::of(-100_i64..100_000),
            baking: bool,
            poll in 0_u64..=300,
        ) {
            let longest = longest(baking, poll, false);
            let wait = |unchanged| seconds(NOW, ago(unchanged), floor.map(ago), longest);
            prop_assert!(wait(a.min(b)) <= wait(a.max(b)));
        }

        #[test]
        fn nothing_is_sealed_before_both_borders_and_the_record(
            now in 0_i64..1000,
            settled in proptest::option::of(0_i64..1000),
            baked in proptest::option::of(0_i64..1000),
            may_seal: bool,
        ) {
            let at = |second| ahead(second * 1000);
            let stage = Stage::at(at(now), settled.map(at), baked.map(at), may_seal);
            let over = |border: Option<i64>| border.is_some_and(|border| now >= border);
            prop_assert_eq!(stage.may_seal(), may_seal && over(settled) && over(baked));
        }
    }
}
