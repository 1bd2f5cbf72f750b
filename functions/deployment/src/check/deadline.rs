//! The drain's deadline: it calls an operator, and never cuts.

use jiff::{SignedDuration, Timestamp};

/// When the drain has to be over, in the execution's own terms: each redrive grants the term once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The first deadline.
    pub at: Timestamp,
    /// Seconds from the switch to it.
    pub term_seconds: u64,
    /// How often the execution was redriven.
    pub redrives: u64,
}

/// The drain is not over in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the drain's deadline was {ended}; still waiting for {waiting_for}. Nothing was cut, both environments serve. \
     Look at the servers named, then redrive this execution: each redrive moves the deadline on by {term_seconds} s"
)]
pub struct DeadlineExceeded {
    /// When the deadline was, redrives included.
    pub ended: Timestamp,
    /// What a redrive grants, in seconds.
    pub term_seconds: u64,
    /// What is being waited for.
    pub waiting_for: String,
}

impl Deadline {
    /// When the deadline is, redrives included.
    pub fn ends_at(&self) -> Timestamp {
        let granted = self.term_seconds.saturating_mul(self.redrives);
        let granted = SignedDuration::from_secs(i64::try_from(granted).unwrap_or(i64::MAX));
        self.at.checked_add(granted).unwrap_or(Timestamp::MAX)
    }

    /// Refuses to go on when it is over.
    ///
    /// # Errors
    /// When `now` is after the deadline.
    pub fn refuse(&self, now: Timestamp, waiting_for: &str) -> Result<(), DeadlineExceeded> {
        let ended = self.ends_at();
        if now <= ended {
            return Ok(());
        }
        Err(DeadlineExceeded {
            ended,
            term_seconds: self.term_seconds,
            waiting_for: waiting_for.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);

    fn refused(second: i64, redrives: u64) -> bool {
        let deadline = Deadline {
            at: AT,
            term_seconds: 600,
            redrives,
        };
        deadline
            .refuse(AT + SignedDuration::from_secs(second), "x")
            .is_err()
    }

    #[test]
    fn it_ends_at_its_second_and_each_redrive_grants_the_term_once_more() {
        assert!(!refused(-1, 0));
        assert!(!refused(0, 0));
        assert!(refused(1, 0));
        assert!(!refused(600, 1));
        assert!(refused(601, 1));
        assert!(!refused(1200, 2));
    }

    #[test]
    fn an_enormous_grant_has_no_end() {
        let deadline = Deadline {
            at: AT,
            term_seconds: u64::MAX,
            redrives: 2,
        };
        assert_eq!(deadline.ends_at(), Timestamp::MAX);
    }
}
