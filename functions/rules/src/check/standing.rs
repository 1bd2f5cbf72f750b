//! Where one server stands: sealed for this deployment, holding something, or unknown; and whom to ask for a seal.

use crate::Fence;
use crate::report::{Admission, Reading, Refusal, Reply, SessionReport, UnknownReason};
use crate::wait::Stage;

/// Where a server stands at the end of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Sealed is when it acknowledged its seal in this pass, for this deployment's epoch: the licence to terminate it.
    Sealed(SessionReport),
    /// Held is when it answered and gave no such acknowledgement: it holds sessions, or was not asked.
    Held(SessionReport),
    /// Unknown is when nothing is known of it; it may hold anything.
    Unknown(UnknownReason),
}

impl Standing {
    /// What it reported, if it did.
    pub fn report(&self) -> Option<&SessionReport> {
        match self {
            Self::Sealed(report) | Self::Held(report) => Some(report),
            Self::Unknown(_) => None,
        }
    }
}

/// Whether a server with this reading is asked to seal: it counts nothing, and a seal may be asked for at all.
///
/// One that is sealed already is asked again, because only an acknowledgement of this pass counts, for this epoch.
pub fn whom_to_seal(reading: &Reading, stage: Stage) -> bool {
    stage.may_seal() && reading.report().is_some_and(SessionReport::counts_nothing)
}

/// Where a server stands after its reading and, if it was asked, its answer to the seal.
///
/// The answer is the younger of the two, so it wins: what was empty when read may be in use when asked.
pub fn standing(reading: Reading, seal: Option<Reply>, fence: &Fence) -> Standing {
    match (reading, seal) {
        (Reading::Unknown(reason), _) | (_, Some(Reply::Unknown(reason))) => {
            Standing::Unknown(reason)
        }
        (Reading::Report(report), None) => Standing::Held(report),
        (Reading::Report(_), Some(Reply::Report(report))) => acknowledged(report, fence),
        (
            Reading::Report(_),
            Some(Reply::Refused(Refusal::InUse | Refusal::StaleEpoch, report)),
        ) => Standing::Held(report),
        (Reading::Report(_), Some(Reply::Refused(Refusal::Sealed, _))) => {
            Standing::Unknown(UnknownReason::Contradiction("sealed, it refuses to seal"))
        }
    }
}

/// An acknowledgement is a report of a sealed, empty server that took exactly this deployment's epoch.
fn acknowledged(report: SessionReport, fence: &Fence) -> Standing {
    if report.epoch > fence.epoch {
        return Standing::Held(report);
    }
    if report.epoch < fence.epoch {
        return Standing::Unknown(UnknownReason::Contradiction(
            "asked to seal, it did not take the epoch",
        ));
    }
    if report.admission != Admission::Sealed || !report.counts_nothing() {
        return Standing::Unknown(UnknownReason::Contradiction(
            "asked to seal, it agreed and is not sealed",
        ));
    }
    Standing::Sealed(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::examples::{fence, report};

    const MAY_SEAL: Stage = Stage {
        settled: true,
        baking: false,
    };

    fn empty(admission: Admission, epoch: u64) -> SessionReport {
        SessionReport {
            epoch,
            ..report("i-0a", admission, 0, 0)
        }
    }

    fn stands(seal: Option<Reply>) -> Standing {
        let read = empty(Admission::Draining, 5);
        standing(Reading::Report(read), seal, &fence())
    }

    #[test]
    fn only_a_server_that_counts_nothing_is_asked_and_only_after_settling_and_bake() {
        let counts = |busy, idle| Reading::Report(report("i-0a", Admission::Draining, busy, idle));
        assert!(whom_to_seal(&counts(0, 0), MAY_SEAL));
        assert!(!whom_to_seal(&counts(1, 0), MAY_SEAL));
        assert!(!whom_to_seal(&counts(0, 1), MAY_SEAL));
        assert!(!whom_to_seal(
            &Reading::Unknown(UnknownReason::TimedOut),
            MAY_SEAL
        ));
        for stage in [
            Stage {
                settled: false,
                baking: false,
            },
            Stage {
                settled: true,
                baking: true,
            },
            Stage {
                settled: false,
                baking: true,
            },
        ] {
            assert!(!whom_to_seal(&counts(0, 0), stage));
        }
    }

    #[test]
    fn a_server_sealed_before_is_asked_again() {
        for epoch in [4, 5] {
            assert!(whom_to_seal(
                &Reading::Report(empty(Admission::Sealed, epoch)),
                MAY_SEAL
            ));
        }
    }

    #[test]
    fn a_report_alone_is_never_a_seal() {
        assert!(matches!(stands(None), Standing::Held(_)));
        let sealed = Reading::Report(empty(Admission::Sealed, 5));
        assert!(matches!(
            standing(sealed, None, &fence()),
            Standing::Held(_)
        ));
    }

    #[test]
    fn an_acknowledgement_is_sealed_empty_and_of_this_epoch() {
        let acknowledged = |report| stands(Some(Reply::Report(report)));
        assert!(matches!(
            acknowledged(empty(Admission::Sealed, 5)),
            Standing::Sealed(_)
        ));
        for not in [
            empty(Admission::Sealed, 4),
            empty(Admission::Draining, 5),
            empty(Admission::Open, 5),
            report("i-0a", Admission::Sealed, 1, 0),
            report("i-0a", Admission::Sealed, 0, 1),
        ] {
            assert!(matches!(acknowledged(not), Standing::Unknown(_)));
        }
        assert!(matches!(
            acknowledged(empty(Admission::Sealed, 6)),
            Standing::Held(_)
        ));
    }

    #[test]
    fn in_use_at_the_instant_of_sealing_is_held_with_what_it_holds_now() {
        let busy = report("i-0a", Admission::Draining, 1, 0);
        let standing = stands(Some(Reply::Refused(Refusal::InUse, busy.clone())));
        assert_eq!(standing, Standing::Held(busy));
    }

    #[test]
    fn a_seal_without_a_well_formed_answer_is_unknown_whatever_was_read() {
        for answer in [
            Reply::Unknown(UnknownReason::TimedOut),
            Reply::Unknown(UnknownReason::Status(500)),
            Reply::Refused(Refusal::Sealed, empty(Admission::Sealed, 5)),
        ] {
            assert!(matches!(stands(Some(answer)), Standing::Unknown(_)));
        }
    }

    #[test]
    fn unknown_stays_unknown() {
        let read = Reading::Unknown(UnknownReason::Refused);
        let unknown = Standing::Unknown(UnknownReason::Refused);
        assert_eq!(standing(read.clone(), None, &fence()), unknown);
        let sealed = Reply::Report(empty(Admission::Sealed, 5));
        assert_eq!(standing(read, Some(sealed), &fence()), unknown);
    }
}
