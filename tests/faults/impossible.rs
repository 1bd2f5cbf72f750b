//! The cells that cannot be, each with its reason.

use crate::matrix::{Cell, Fault, Stage};

/// Why a cell cannot be run; `None` if it can.
pub(crate) fn reason(cell: Cell) -> Option<&'static str> {
    let Cell { fault, stage } = cell;
    match fault {
        Fault::EndpointTimesOut
        | Fault::EndpointRefuses
        | Fault::EndpointUnauthorized
        | Fault::EndpointServerError
        | Fault::EndpointBrokenJson
        | Fault::EndpointNegative
        | Fault::EndpointAbsurd
        | Fault::EndpointOther
        | Fault::EndpointSlow => calls_no_server(stage),
        Fault::EndpointReplyLost => match stage {
            Stage::Plan => {
                Some("the plan reads and orders nothing: a lost reading is the row of no answer")
            }
            _ => calls_no_server(stage),
        },
        Fault::Ghost if stage == Stage::Plan => {
            Some("the plan only reads: a call of it that comes late can change nothing")
        }
        Fault::AwsThrottles | Fault::AwsDenies => calls_no_aws(stage),
        Fault::GreenDies | Fault::GreenHangs => match stage {
            Stage::Plan | Stage::Claim => Some("green has no servers before it is launched"),
            _ => None,
        },
        Fault::InstanceEnds
        | Fault::ProcessDies
        | Fault::Hangs
        | Fault::Restarts
        | Fault::AddressReused => (stage == Stage::Release)
            .then_some("no blue instance is left when a promotion releases the service"),
        Fault::GroupLaunches | Fault::GroupEnds | Fault::RefreshStarts | Fault::SizedToZero => {
            (stage == Stage::Release)
                .then_some("blue's group is empty and parked when a promotion releases the service")
        }
        Fault::ApplyResumes => suspends_nothing(stage),
        Fault::ApplySizes => match stage {
            Stage::Terminate | Stage::Release => None,
            _ => {
                Some("before the first server has ended the sizes are those that an apply restores")
            }
        },
        _ => None,
    }
}

fn suspends_nothing(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Switch | Stage::Drain | Stage::Check | Stage::Terminate | Stage::RollBack => None,
        Stage::Release => {
            Some("blue's group is empty and parked when a promotion releases the service")
        }
        _ => Some(
            "nothing is suspended before the group is held: the row of the failed health check",
        ),
    }
}

fn calls_no_server(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Claim | Stage::Release => {
            Some("a conditional write of the record; its function calls no server")
        }
        Stage::Launch | Stage::Hold | Stage::Switch | Stage::Terminate => {
            Some("its functions call AWS only, and no server")
        }
        Stage::Plan | Stage::Test | Stage::Drain | Stage::Check | Stage::RollBack => None,
    }
}

fn calls_no_aws(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Test | Stage::Drain | Stage::Check => {
            Some("its functions call servers only, and no AWS")
        }
        _ => None,
    }
}
