//! The world's state: servers, listener, record, executions, and calls that nobody waits for any more.
//!
//! Small on purpose: whatever tells two states apart multiplies their number. Numbers are bounded by the configuration.

use crate::server::Server;

/// The last stage that the owner wrote into the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Claimed is when nothing has been moved.
    Claimed,
    /// Superseding is when another's green is being cleared away.
    Superseding,
    /// Switching is when weight may have moved.
    Switching,
    /// Baking is when green has all the weight.
    Baking,
    /// Draining is when the bake is over.
    Draining,
    /// RollingBack is when the epoch was raised to go back.
    RollingBack,
    /// Released is when nobody owns the service.
    Released,
}

impl Stage {
    /// The record's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Superseding => "superseding",
            Self::Switching => "switching",
            Self::Baking => "baking",
            Self::Draining => "draining",
            Self::RollingBack => "rollingBack",
            Self::Released => "released",
        }
    }
}

/// The service's record in DynamoDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Recorded {
    /// The deployment that owns the service.
    pub owner: Option<u8>,
    /// Its execution.
    pub execution: u8,
    /// The fencing number.
    pub epoch: u8,
    /// The owner's stage.
    pub stage: Stage,
    /// Whether green may have had weight.
    pub switched: bool,
    /// The group that the owner calls blue.
    pub blue: u8,
    /// An operator's wish to roll back.
    pub wish: bool,
    /// The deployment whose green is being cleared away.
    pub clearing: Option<u8>,
    /// Which deployment ended last, and how.
    pub last: Option<(u8, Outcome)>,
}

/// How an execution ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Promoted is when green serves and blue is gone.
    Promoted,
    /// RolledBack is when blue serves and green is gone.
    RolledBack,
    /// Rejected is when green never had weight.
    Rejected,
    /// Superseded is when another execution owns the service.
    Superseded,
}

/// Whether an execution runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Waiting is when it has not been started, or plans again.
    Waiting,
    /// Running is when it runs.
    Running,
    /// Stopped is when it failed in a Task, or was aborted: it can be redriven, and taken over.
    Stopped,
    /// Ended is when it succeeded or reached a final Fail state.
    Ended(Outcome),
}

/// The states of the workflow that do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// ClaimService.
    Claim,
    /// SupersedeOwner.
    Supersede,
    /// WaitOutOwner.
    WaitOutOwner,
    /// ClearGreen.
    ClearGreen,
    /// TakeOver.
    TakeOver,
    /// WaitOutExecution and IsSwitched.
    WaitOutExecution,
    /// ListBlue.
    ListBlue,
    /// AttachGreen.
    AttachGreen,
    /// LaunchGreen.
    LaunchGreen,
    /// TestGreen.
    TestGreen,
    /// RejectGreen.
    RejectGreen,
    /// LetBlueBe.
    LetBlueBe,
    /// HoldBlue.
    HoldBlue,
    /// RecordSwitch.
    RecordSwitch,
    /// ConfirmSwitch.
    ConfirmSwitch,
    /// SwitchTargetGroup.
    SwitchTargetGroup,
    /// HoldBlueAgain, where a pass begins.
    HoldBlueAgain,
    /// ConfirmWeights.
    ConfirmWeights,
    /// DrainIdle.
    DrainIdle,
    /// CheckDrained.
    CheckDrained,
    /// RecordProgress and IsPassDone.
    RecordProgress,
    /// EndBake.
    EndBake,
    /// TerminateBlue.
    TerminateBlue,
    /// RollBack.
    RollBack,
    /// ResumeBlue.
    ResumeBlue,
    /// ResumeBlueAgain.
    ResumeBlueAgain,
    /// SwitchBack.
    SwitchBack,
    /// HoldGreen.
    HoldGreen,
    /// LetBlueGo.
    LetBlueGo,
    /// ReleaseService.
    ReleaseService,
}

/// An execution: where it is, and what of its document matters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Execution {
    /// Whether it runs.
    pub status: Status,
    /// The state that it is at, or is redriven at.
    pub at: At,
    /// Its deployment.
    pub deployment: u8,
    /// `plan.blue`.
    pub blue: u8,
    /// What the plan saw in the record: epoch, execution, stage, whether switched, whose green is being cleared.
    pub seen: Option<(u8, u8, Stage, bool, Option<u8>)>,
    /// `claim.epoch`.
    pub epoch: u8,
    /// `takeOver.then` is to roll back.
    pub then_roll_back: bool,
    /// `retiring`: the group, and its listed servers.
    pub retiring: Listed,
    /// `switch.weights.green`, once weights were confirmed.
    pub switched: Option<u8>,
    /// Since when: not settled, settled, baked.
    pub age: u8,
    /// Whether the last confirmation counted no bake: after a rollback, and after a take-over of a drain.
    pub bakeless: bool,
    /// `baked` exists.
    pub baked: bool,
    /// `rollback` exists.
    pub rolling: bool,
    /// `rejection` exists.
    pub rejected: bool,
    /// `resume.waiting`.
    pub waiting: u8,
    /// `check.sealed`.
    pub sealed: u8,
    /// `check.baking = false and check.settled = true`.
    pub may_terminate: bool,
    /// The call of the Task under way, if it has several steps.
    pub call: Option<Call>,
}

/// The retiring environment: its group, and a bit for each listed server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Listed {
    /// The group.
    pub group: u8,
    /// Its servers.
    pub servers: u8,
}

/// Where a server stands in a call of `check-drained`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// Unlisted is when the call does not concern it.
    Unlisted,
    /// ToAsk is when it will be asked to seal.
    ToAsk,
    /// Asked is when it was, and has not answered.
    Asked,
    /// Sealed is when it acknowledged its seal.
    Sealed,
    /// Held is when it did not seal.
    Held,
    /// Newer is when it has taken a higher epoch.
    Newer,
    /// Unknown is when nothing is known of it.
    Unknown,
}

/// What a call does, with the part of its payload that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Task {
    /// `hold-blue` on a group; its answer goes to the document or not.
    Hold(u8),
    /// `hold-blue` with `letGo`.
    LetGo(u8),
    /// `switch-target-group` to this weight of green's.
    Switch(u8),
    /// `launch-green`.
    Launch,
    /// `test-green` on these servers.
    Test(u8),
    /// `drain-idle`.
    Drain(Listed),
    /// `check-drained`, and whether it may seal.
    Check(Listed, bool),
    /// `terminate-blue`: the environment, the sealed, on the ground that it never served, and whose.
    Terminate {
        /// The environment, and what was listed before.
        listed: Listed,
        /// The acknowledged seals.
        sealed: u8,
        /// On the ground that the environment never had weight.
        never_served: bool,
        /// The deployment whose instances they are.
        of: u8,
    },
    /// `resume-blue` on these servers, and how many must open.
    Resume(u8, u8),
}

/// A Lambda call with its fence, between two of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    /// The execution that made it.
    pub execution: u8,
    /// Its deployment.
    pub deployment: u8,
    /// Its epoch.
    pub epoch: u8,
    /// `plan.blue`.
    pub blue: u8,
    /// What it is.
    pub task: Task,
    /// The age of the weights in its payload.
    pub age: u8,
    /// Whether those weights are a step, so that nothing ever settles.
    pub in_step: bool,
    /// Whether its payload counts no bake.
    pub bakeless: bool,
    /// How far it is: what each server has said.
    pub marks: Option<[Mark; 4]>,
    /// How far it is: which instances are still to be ended, and what comes next.
    pub ending: Option<(u8, Turn)>,
}

/// What `terminate-blue` does next; the record may change between any two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Turn {
    /// Deregister all that will be ended; the record was read for that.
    Deregister,
    /// Read the record for the first of them.
    Read,
    /// End it.
    End,
}

/// The whole world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// Every instance that there is or will be.
    pub servers: Vec<Server>,
    /// The two groups' weights.
    pub weights: [u8; 2],
    /// Which groups the load balancer sends new sessions to although they have no weight any more.
    pub stale: [bool; 2],
    /// Instances of each group that were lost without any deployment.
    pub lost: [u8; 2],
    /// The record.
    pub record: Recorded,
    /// The executions.
    pub executions: Vec<Execution>,
    /// Calls whose execution does not wait for them: late, repeated, or aborted.
    pub strays: Vec<Call>,
    /// The faults that may still happen.
    pub faults: u8,
    /// Rules that a step has broken.
    pub broken: u16,
}

impl Execution {
    /// One that has not begun to act, or acts no more.
    pub(crate) fn without_document(status: Status, deployment: u8) -> Self {
        Self {
            status,
            at: At::TestGreen,
            deployment,
            blue: 0,
            seen: None,
            epoch: 0,
            then_roll_back: false,
            retiring: Listed {
                group: 0,
                servers: 0,
            },
            switched: None,
            age: 0,
            bakeless: false,
            baked: false,
            rolling: false,
            rejected: false,
            waiting: 0,
            sealed: 0,
            may_terminate: false,
            call: None,
        }
    }
}

impl World {
    /// The servers of a set.
    pub(crate) fn of(&self, set: u8) -> impl Iterator<Item = usize> + use<> {
        (0..self.servers.len()).filter(move |server| set & (1 << server) != 0)
    }

    /// Whether an execution ended like this.
    pub fn has_ended(&self, outcome: Outcome) -> bool {
        self.executions
            .iter()
            .any(|execution| execution.status == Status::Ended(outcome))
    }

    /// Whether the load balancer may send a new session to a server.
    pub(crate) fn is_routed(&self, server: &Server) -> bool {
        let group = usize::from(server.group);
        server.registered && (self.weights[group] > 0 || self.stale[group])
    }

    /// Sets a group's weight; sessions may still come for a while to one that loses it.
    pub(crate) fn set_weight(&mut self, group: u8, weight: u8) {
        let index = usize::from(group);
        if weight == 0 && self.weights[index] > 0 {
            self.stale[index] = true;
        }
        if weight > 0 {
            self.stale[index] = false;
            for server in self
                .servers
                .iter_mut()
                .filter(|server| server.group == group)
            {
                server.served |= server.is_live();
            }
        }
        self.weights[index] = weight;
    }

    /// A number is used again for another instance, with an id of its own: nobody who knew the former means this one.
    pub(crate) fn forget(&mut self, number: usize) {
        let others = !(1 << number);
        for call in &mut self.strays {
            match &mut call.task {
                Task::Drain(listed) | Task::Check(listed, _) => listed.servers &= others,
                Task::Terminate { listed, sealed, .. } => {
                    listed.servers &= others;
                    *sealed &= others;
                }
                Task::Resume(servers, _) | Task::Test(servers) => *servers &= others,
                Task::Hold(_) | Task::LetGo(_) | Task::Switch(_) | Task::Launch => {}
            }
            if let Some(marks) = &mut call.marks {
                marks[number] = Mark::Unlisted;
            }
            if let Some((chosen, _)) = &mut call.ending {
                *chosen &= others;
            }
        }
    }
}
