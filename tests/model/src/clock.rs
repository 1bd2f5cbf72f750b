//! Time: a few moments around now. Now never moves; what is past becomes one moment, and a tick brings the rest nearer.
//!
//! The longest that a given-up call goes on is 75 s, which is one tick or two.

use ebbtide_rules::record::LATE_SECONDS;
use ebbtide_rules::weights::Moments;
use jiff::{SignedDuration, Timestamp};

/// Now, in every state.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);
/// Whatever is over.
pub(crate) const PAST: Timestamp = Timestamp::constant(1_790_000_000, 0);
/// Before everything.
pub(crate) const LONG_AGO: Timestamp = Timestamp::constant(1_700_000_000, 0);
/// What is over, and was not when the execution was last answered.
const JUST: Timestamp = Timestamp::constant(1_794_000_000, 0);
/// Whatever is never reached.
pub(crate) const FAR: Timestamp = Timestamp::constant(2_795_000_000, 0);
const FAR_SECONDS: i64 = 1_000_000;

/// How time is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    /// In how many ticks 75 s are over.
    pub ticks: u8,
    /// How many ticks back it matters when weights were confirmed.
    pub memory: u8,
}

impl Clock {
    /// How long a tick is, in seconds.
    pub(crate) fn tick(self) -> i64 {
        let ticks = i64::from(self.ticks.max(1));
        (LATE_SECONDS + ticks - 1) / ticks
    }

    /// How many whole ticks a wait lasts; a shorter one costs nothing, because everybody may be slow.
    pub(crate) fn ticks_of(self, seconds: u64) -> u8 {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        if seconds >= LATE_SECONDS {
            self.ticks
        } else {
            u8::try_from(seconds / self.tick()).unwrap_or(u8::MAX)
        }
    }

    /// A moment `ticks` later: past, near, or never.
    pub(crate) fn later(self, moment: Timestamp, ticks: u8) -> Timestamp {
        if moment.duration_since(NOW).as_secs() > FAR_SECONDS {
            return FAR;
        }
        let moment = moment - SignedDuration::from_secs(self.tick() * i64::from(ticks));
        if moment <= NOW { PAST } else { moment }
    }

    /// Until when calls may arrive: none where that was over when the execution was last answered, `since`.
    pub(crate) fn until(
        self,
        moment: Option<Timestamp>,
        since: Option<Timestamp>,
        ticks: u8,
    ) -> Option<Timestamp> {
        let moment = moment.filter(|moment| since.is_none_or(|since| *moment > since))?;
        let later = self.later(moment, ticks);
        Some(if later == PAST { JUST } else { later })
    }

    /// Moments that count from a confirmation.
    pub(crate) fn moments(self, moments: &Moments, ticks: u8) -> Moments {
        let later = |moment: Option<Timestamp>| moment.map(|moment| self.later(moment, ticks));
        let at = moments.at - SignedDuration::from_secs(self.tick() * i64::from(ticks));
        let oldest = NOW - SignedDuration::from_secs(self.tick() * i64::from(self.memory));
        Moments {
            at: at.max(oldest),
            settled_at: later(moments.settled_at),
            baked_at: later(moments.baked_at),
            deadline_at: moments.deadline_at.map(|_| FAR),
            step_ends_at: later(moments.step_ends_at),
        }
    }
}
