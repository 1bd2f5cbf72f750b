//! The matrix: stages across, faults down, and what a cell can say. Knows no cloud.

use std::fmt;

use Fault as F;
use Stage as S;

/// A stage of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Input, roles, preflight, blue's servers asked.
    Plan,
    /// The front is taken.
    Claim,
    /// Green is attached and started.
    Launch,
    /// Green's servers are asked and take the epoch.
    Test,
    /// Blue is protected and listed.
    Hold,
    /// Weights move, and are confirmed while baking.
    Switch,
    /// Idle sessions are asked to leave.
    Drain,
    /// Servers are counted and asked to seal.
    Check,
    /// Sealed servers end.
    Terminate,
    /// Blue is opened again, weights move back, green is drained.
    RollBack,
    /// The environment is let go, its group detached.
    Release,
}

impl Stage {
    /// From left to right.
    pub(crate) const ALL: [Self; 11] = [
        S::Plan,
        S::Claim,
        S::Launch,
        S::Test,
        S::Hold,
        S::Switch,
        S::Drain,
        S::Check,
        S::Terminate,
        S::RollBack,
        S::Release,
    ];

    /// The head of its column; also what a filter names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            S::Plan => "plan",
            S::Claim => "claim",
            S::Launch => "launch",
            S::Test => "test",
            S::Hold => "hold",
            S::Switch => "switch",
            S::Drain => "drain",
            S::Check => "check",
            S::Terminate => "terminate",
            S::RollBack => "roll-back",
            S::Release => "release",
        }
    }

    /// The Tasks of the state machine that make it up; the first one is where a gate stands.
    pub(crate) fn tasks(self) -> &'static [&'static str] {
        match self {
            S::Plan => &["PlanDeployment", "TestBlue", "AskBlue"],
            S::Claim => &["ClaimService"],
            S::Launch => &["LaunchGreen", "AttachGreen"],
            S::Test => &["TestGreen", "AskGreen"],
            S::Hold => &["HoldRetiring"],
            S::Switch => &["SwitchTargetGroup", "AskService", "RecordSwitch"],
            S::Drain => &["DrainIdle"],
            S::Check => &["CheckDrained", "DecidePass"],
            S::Terminate => &["TerminateBlue"],
            S::RollBack => &["ResumeBlue", "SwitchBack", "LetBlueGo", "ResumeBlueAgain"],
            S::Release => &["ReleaseService", "DetachRetired"],
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A function dies, or its Task fails, before it has done anything.
    DiesBefore,
    /// It has done everything, and its reply is lost.
    ReplyLost,
    /// A call that was given up arrives late.
    Ghost,
    /// A session endpoint takes the call and never answers.
    EndpointTimesOut,
    /// It refuses the connection.
    EndpointRefuses,
    /// It answers 401.
    EndpointUnauthorized,
    /// It answers 500.
    EndpointServerError,
    /// It answers with half a document.
    EndpointBrokenJson,
    /// It reports negative counts.
    EndpointNegative,
    /// It reports counts that no machine can hold.
    EndpointAbsurd,
    /// It answers with an empty report of another instance.
    EndpointOther,
    /// It answers byte by byte, slower than the whole time-out.
    EndpointSlow,
    /// The order arrives, its answer does not.
    EndpointReplyLost,
    /// AWS throttles.
    AwsThrottles,
    /// AWS denies.
    AwsDenies,
    /// EC2 terminates a blue instance behind the deployment's back.
    InstanceEnds,
    /// A blue server's process dies, its instance runs on.
    ProcessDies,
    /// A blue server hangs.
    Hangs,
    /// A blue server's process restarts.
    Restarts,
    /// A blue instance's address is another server's now.
    AddressReused,
    /// A green server's process dies, its instance runs on.
    GreenDies,
    /// A green server hangs.
    GreenHangs,
    /// New sessions arrive.
    SessionsArrive,
    /// Idle sessions turn busy.
    SessionsTurnBusy,
    /// Blue's Auto Scaling group launches one more.
    GroupLaunches,
    /// It finds a member unhealthy.
    GroupEnds,
    /// Somebody starts an instance refresh of it.
    RefreshStarts,
    /// An operator wants it to have no members.
    SizedToZero,
    /// An apply resumes all of its processes, and a health check fails.
    ApplyResumes,
    /// An apply restores its sizes.
    ApplySizes,
    /// The operator stops the execution.
    OperatorAborts,
    /// A second deployment starts.
    SecondDeployment,
}

impl Fault {
    /// From top to bottom.
    pub(crate) const ALL: [Self; 32] = [
        F::DiesBefore,
        F::ReplyLost,
        F::Ghost,
        F::EndpointTimesOut,
        F::EndpointRefuses,
        F::EndpointUnauthorized,
        F::EndpointServerError,
        F::EndpointBrokenJson,
        F::EndpointNegative,
        F::EndpointAbsurd,
        F::EndpointOther,
        F::EndpointSlow,
        F::EndpointReplyLost,
        F::AwsThrottles,
        F::AwsDenies,
        F::InstanceEnds,
        F::ProcessDies,
        F::Hangs,
        F::Restarts,
        F::AddressReused,
        F::GreenDies,
        F::GreenHangs,
        F::SessionsArrive,
        F::SessionsTurnBusy,
        F::GroupLaunches,
        F::GroupEnds,
        F::RefreshStarts,
        F::SizedToZero,
        F::ApplyResumes,
        F::ApplySizes,
        F::OperatorAborts,
        F::SecondDeployment,
    ];

    /// What a filter names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            F::DiesBefore => "dies-before",
            F::ReplyLost => "reply-lost",
            F::Ghost => "ghost",
            F::EndpointTimesOut => "endpoint-times-out",
            F::EndpointRefuses => "endpoint-refuses",
            F::EndpointUnauthorized => "endpoint-401",
            F::EndpointServerError => "endpoint-500",
            F::EndpointBrokenJson => "endpoint-broken-json",
            F::EndpointNegative => "endpoint-negative",
            F::EndpointAbsurd => "endpoint-absurd",
            F::EndpointOther => "endpoint-other-instance",
            F::EndpointSlow => "endpoint-slow",
            F::EndpointReplyLost => "endpoint-reply-lost",
            F::AwsThrottles => "aws-throttles",
            F::AwsDenies => "aws-denies",
            F::InstanceEnds => "instance-ends",
            F::ProcessDies => "process-dies",
            F::Hangs => "hangs",
            F::Restarts => "restarts",
            F::AddressReused => "address-reused",
            F::GreenDies => "green-dies",
            F::GreenHangs => "green-hangs",
            F::SessionsArrive => "sessions-arrive",
            F::SessionsTurnBusy => "sessions-turn-busy",
            F::GroupLaunches => "group-launches",
            F::GroupEnds => "group-ends",
            F::RefreshStarts => "refresh-starts",
            F::SizedToZero => "sized-to-zero",
            F::ApplyResumes => "apply-resumes",
            F::ApplySizes => "apply-sizes",
            F::OperatorAborts => "operator-aborts",
            F::SecondDeployment => "second-deployment",
        }
    }

    /// The head of its row.
    pub(crate) fn title(self) -> &'static str {
        match self {
            F::DiesBefore => "a function dies before its effect",
            F::ReplyLost => "its effect is done, the reply is lost",
            F::Ghost => "a call that was given up arrives late",
            F::EndpointTimesOut => "session endpoint: no answer",
            F::EndpointRefuses => "session endpoint: connection refused",
            F::EndpointUnauthorized => "session endpoint: 401",
            F::EndpointServerError => "session endpoint: 500",
            F::EndpointBrokenJson => "session endpoint: broken JSON",
            F::EndpointNegative => "session endpoint: negative counts",
            F::EndpointAbsurd => "session endpoint: absurd counts",
            F::EndpointOther => "session endpoint: another instance's report",
            F::EndpointSlow => "session endpoint: byte by byte",
            F::EndpointReplyLost => "session endpoint: order taken, answer lost",
            F::AwsThrottles => "AWS throttles",
            F::AwsDenies => "AWS denies",
            F::InstanceEnds => "EC2 terminates a blue instance",
            F::ProcessDies => "a blue server's process dies",
            F::Hangs => "a blue server hangs (SIGSTOP)",
            F::Restarts => "a blue server's process restarts",
            F::AddressReused => "a blue instance's address is another's",
            F::GreenDies => "a green server's process dies",
            F::GreenHangs => "a green server hangs (SIGSTOP)",
            F::SessionsArrive => "sessions arrive",
            F::SessionsTurnBusy => "idle sessions turn busy",
            F::GroupLaunches => "blue's group launches one more",
            F::GroupEnds => "a member of blue's group fails its health check",
            F::RefreshStarts => "an instance refresh of blue's group starts",
            F::SizedToZero => "an operator wants blue's group to be empty",
            F::ApplyResumes => "an apply resumes blue's group, a health check fails",
            F::ApplySizes => "an apply restores the sizes of blue's group",
            F::OperatorAborts => "the operator stops the execution",
            F::SecondDeployment => "a second deployment starts",
        }
    }
}

/// How a deployment met a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Retry is when it tried again by itself, and ended as it would have without the fault.
    Retry,
    /// NoOp is when it ended as it would have without the fault, and had nothing to repeat.
    NoOp,
    /// Block is when it went no further until the operator acted, and then ended as it would have without the fault.
    Block,
    /// RollBack is when it gave the traffic back to blue.
    RollBack,
    /// Gone is when an instance that EC2 had terminated was dropped, and it ended as it would have without the fault.
    Gone,
    /// Refused is when a deployment, or a call, was turned away by name before it touched anything of the owner's.
    Refused,
    /// Rejected is when green was ended before it had weight, and blue serves as before.
    Rejected,
}

impl Outcome {
    /// All, in the order of the legend.
    pub(crate) const ALL: [Self; 7] = [
        Self::NoOp,
        Self::Retry,
        Self::Block,
        Self::Gone,
        Self::Refused,
        Self::Rejected,
        Self::RollBack,
    ];

    /// What a cell says.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::NoOp => "no-op",
            Self::Block => "block",
            Self::RollBack => "roll back",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
        }
    }

    /// What the word means.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Retry => {
                "it tried again by itself and, when the fault was over, ended as it would have without it"
            }
            Self::NoOp => "nothing had to be repeated; it ended as it would have without the fault",
            Self::Block => {
                "it went no further until the operator acted (a redrive, the end of an instance in EC2, what it had asked for of an Auto Scaling group), and then ended as it would have without the fault"
            }
            Self::RollBack => "traffic went back to blue, green was drained and ended",
            Self::Gone => {
                "EC2 said that the instance was terminated, so it was dropped; the rest went on"
            }
            Self::Refused => {
                "a deployment, or a late call, was turned away by name and changed nothing"
            }
            Self::Rejected => {
                "green, which never had weight, was ended; blue serves as before, and the service is free"
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// Where a fault meets a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    /// The row.
    pub(crate) fault: Fault,
    /// The column.
    pub(crate) stage: Stage,
}

impl Cell {
    /// All cells, row by row.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let of = |fault| {
            Stage::ALL
                .into_iter()
                .map(move |stage| Self { fault, stage })
        };
        Fault::ALL.into_iter().flat_map(of)
    }

    /// Whether one of these words names its row, its column, or `row:column`; no words name every cell.
    pub(crate) fn is_named_by(self, filter: &[String]) -> bool {
        filter.is_empty()
            || filter.iter().any(|word| match word.split_once(':') {
                Some((fault, stage)) => fault == self.fault.name() && stage == self.stage.name(),
                None => word == self.fault.name() || word == self.stage.name(),
            })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.fault.name(), self.stage.name())
    }
}
