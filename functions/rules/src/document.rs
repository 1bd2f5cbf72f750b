//! The document that travels between the states, as a type: every state adds its own key, and no other key is known.
//!
//! Each function gets the whole document with the word for what it is to do, and picks what it needs here; a key that is
//! missing where it is needed is refused by its name. Owns what a call whose outcome nobody knows leaves behind.

mod handed_on;
mod needs;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::check::Check;
use crate::drain::Drained;
use crate::green_test::GreenTest;
use crate::launch::Launched;
use crate::plan::Plan;
use crate::record::{Answer, LATE_SECONDS};
use crate::resume::Resumed;
use crate::service::Service;
use crate::shape::Retiring;
use crate::terminate::Terminated;
use crate::weights::Switched;

pub use needs::{Incomplete, NotAsked, WrongAct};

/// What every Task hands to its function.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Invocation {
    /// What is to be done.
    pub act: Act,
    /// The ARN of the execution.
    pub execution: String,
    /// The state.
    pub state: String,
    /// How often this Task was tried before: more than never, and an earlier call may still arrive.
    pub retries: u32,
    /// How often the execution was redriven.
    pub redrives: u64,
    /// Everything that the execution knows.
    pub document: Document,
}

/// What a function is to do, one word for each Task of the definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// keep-record: begin what was planned.
    Claim,
    /// keep-record: go on with what another execution has handed on.
    Adopt,
    /// keep-record: may weight move?
    Switch,
    /// keep-record: what follows this pass?
    Pass,
    /// keep-record: let the next execution go on.
    HandOn,
    /// keep-record: leave.
    Release,
    /// test-green: read blue's servers before anything is touched.
    TestBlue,
    /// test-green: try green's servers.
    TestGreen,
    /// ask-service: make the checks where users reach the service, before anything is touched.
    AskBlue,
    /// ask-service: make them where green alone is reached, before it has any weight.
    AskGreen,
    /// ask-service: make them where users reach the service, while steps and bake last.
    AskService,
    /// launch-green.
    Launch,
    /// switch-target-group: green into the forward action, at weight 0.
    Attach,
    /// switch-target-group: the weights of this step.
    Weigh,
    /// switch-target-group: blue's weight back.
    WeighBack,
    /// switch-target-group: what is gone out of the forward action.
    Detach,
    /// hold-blue: hold what retires, and list it.
    Hold,
    /// hold-blue: give blue back what holding took.
    LetGo,
    /// drain-idle.
    Drain,
    /// check-drained.
    Check,
    /// resume-blue: open blue, as many servers as have to be.
    Resume,
    /// resume-blue: ask those again that are not open.
    ResumeAgain,
    /// terminate-blue: end a green that never served.
    EndUnserved,
    /// terminate-blue: end what has sealed in this pass.
    EndSealed,
}

/// Everything that an execution knows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Document {
    /// The execution's input.
    pub requested: Value,
    /// Present where another execution has handed this document on.
    pub continued: Option<Value>,
    /// PlanDeployment's answer.
    pub plan: Option<Plan>,
    /// The last answer of keep-record.
    pub record: Option<Answer>,
    /// TestBlue's answer.
    pub blue_test: Option<GreenTest>,
    /// AskBlue's answer.
    pub blue_service: Option<Service>,
    /// AttachGreen's answer.
    pub attach: Option<Told<Switched>>,
    /// LaunchGreen's answer.
    pub green: Option<Told<Launched>>,
    /// TestGreen's answer.
    pub test: Option<GreenTest>,
    /// AskGreen's answer.
    pub green_service: Option<Service>,
    /// Why TestGreen or AskGreen failed.
    pub rejection: Option<Failure>,
    /// EndGreen's answer.
    pub rejected: Option<Told<Terminated>>,
    /// The answer of LetBlueBe or LetBlueGo.
    pub held: Option<Told<Retiring>>,
    /// HoldRetiring's answer.
    pub retiring: Option<Told<Retiring>>,
    /// SwitchTargetGroup's answer.
    pub switch: Option<Told<Switched>>,
    /// Why SwitchTargetGroup failed: green is unhealthy.
    pub ill: Option<Failure>,
    /// AskService's answer.
    pub service: Option<Service>,
    /// DrainIdle's answer.
    pub drain: Option<Drained>,
    /// CheckDrained's answer.
    pub check: Option<Check>,
    /// TerminateBlue's answer.
    pub terminate: Option<Told<Terminated>>,
    /// ResumeBlue's answer.
    pub resume: Option<Resumed>,
    /// SwitchBack's answer.
    pub back: Option<Told<Switched>>,
    /// DetachRetired's answer.
    pub detached: Option<Told<Switched>>,
}

/// What a function that changes AWS has answered, and until when an earlier call of it may still arrive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told<T> {
    /// The answer.
    #[serde(flatten)]
    pub answer: T,
    /// Until when a call of unknown outcome may arrive; none where every call was answered.
    #[serde(default)]
    pub unanswered_until: Option<Timestamp>,
}

impl<T> Told<T> {
    /// The answer of a Task that was tried `retries` times before; `former` is its answer before this one.
    ///
    /// AWS offers no fence, so time has to do: a function that was given up, or whose reply was lost, runs on for its
    /// time-out at the longest.
    pub fn new(answer: T, retries: u32, former: Option<&Self>, now: Timestamp) -> Self {
        let former = former.and_then(|former| former.unanswered_until);
        Self {
            answer,
            unanswered_until: if retries > 0 { Some(late(now)) } else { former },
        }
    }
}

impl<T> std::ops::Deref for Told<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.answer
    }
}

/// Until when a call of unknown outcome, made before `now`, may still arrive.
pub fn late(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(LATE_SECONDS))
        .unwrap_or(Timestamp::MAX)
}

/// An error as Step Functions tells it to a Catch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Failure {
    /// Its name.
    pub error: String,
    /// Its cause: for a Lambda's error, JSON with `errorMessage` in it.
    #[serde(default)]
    pub cause: String,
}

impl Failure {
    /// The cause in the words of the function that failed.
    pub fn reason(&self) -> String {
        let message = serde_json::from_str::<Value>(&self.cause).ok();
        let message = message
            .as_ref()
            .and_then(|cause| cause["errorMessage"].as_str());
        message.unwrap_or(&self.cause).to_owned()
    }
}

impl Document {
    /// How many answers of keep-record the deployment has had.
    pub fn turn(&self) -> u64 {
        self.record.as_ref().map_or(0, |answer| answer.turn)
    }

    /// Until when any call of this execution may still arrive.
    pub fn unanswered_until(&self) -> Option<Timestamp> {
        fn of<T>(told: Option<&Told<T>>) -> Option<Timestamp> {
            told?.unanswered_until
        }
        [
            of(self.attach.as_ref()),
            of(self.green.as_ref()),
            of(self.rejected.as_ref()),
            of(self.held.as_ref()),
            of(self.retiring.as_ref()),
            of(self.switch.as_ref()),
            of(self.terminate.as_ref()),
            of(self.back.as_ref()),
            of(self.detached.as_ref()),
        ]
        .into_iter()
        .flatten()
        .max()
    }
}

#[cfg(test)]
mod tests;
