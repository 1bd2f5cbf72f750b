//! The proxy before the AWS services that the functions call: EC2, Elastic Load Balancing and Auto Scaling at moto, and
//! DynamoDB, Step Functions, CloudWatch and Secrets Manager at MiniStack.
//!
//! The emulators' Lambdas are pointed here by the SDKs' own variables; the Step Functions service itself, and the tests,
//! do not come by here. What comes by is recorded, where somebody wants that. Faults go by API action, and by function where
//! an action is used by several. The SDK of a function tries a call three times: a fault that is to fail the function has to
//! hit as often.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::aws_call::{Refusal, action, names, parameters, refuse, signed_for};
use super::caller::{function_of, process_at};
use super::front::{Call, Front, Handle, Onward, Outcome, Told};
use crate::error::{Error, Result, chain};
use crate::moto::Moto;
use crate::recording::Recording;
use crate::wait::{Seen, until};
use crate::warden;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AwsFault {
    /// Throttle is when the service asks for fewer calls, in its own code and status. Nothing is done.
    Throttle,
    /// Deny is when the service says that the caller may not, in its own code and status. Nothing is done.
    Deny,
    /// ReplyLost is when the call is done and the connection is reset before the answer.
    ReplyLost,
    /// Held is when the call is kept back: nothing is done until it is released, whoever waits for it.
    Held,
    /// ReplyHeld is when the call is done and its answer is kept back.
    ReplyHeld,
}

/// Misbehaves in AWS's stead.
#[derive(Debug)]
pub struct AwsFaults {
    shared: Arc<Shared>,
    moto: Front,
    ministack: Front,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    onward: Onward,
    recording: Option<Recording>,
    /// What IAM would know of a call's resources, asked of moto.
    own: Moto,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    counts: BTreeMap<String, Forwarded>,
    held: VecDeque<Held>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Forwarded {
    hits: usize,
    forwarded: usize,
}

#[derive(Clone, Debug)]
struct Rule {
    action: String,
    by: Option<String>,
    /// What one of the call's parameters says.
    naming: Option<String>,
    fault: AwsFault,
    left: usize,
}

/// A call that is kept back, or whose answer is. Dropped, the call is never made.
#[derive(Debug)]
pub struct Held {
    action: String,
    call: Call,
    at: String,
    onward: Onward,
    directory: PathBuf,
    counts: Weak<Shared>,
    /// The answer, if the call was made.
    answered: Option<Response<Bytes>>,
    waiting: oneshot::Sender<Outcome>,
}

impl AwsFaults {
    /// Proxies before moto and before MiniStack, for the cloud with this private directory.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot listen.
    pub(crate) fn start(
        moto: &str,
        ministack: &str,
        directory: &Path,
        own: &Moto,
        recording: Option<Recording>,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            onward: Onward::new(),
            recording,
            own: own.clone(),
            state: Mutex::default(),
        });
        Ok(Self {
            moto: front(&shared, moto)?,
            ministack: front(&shared, ministack)?,
            shared,
        })
    }

    /// Where EC2, Elastic Load Balancing and Auto Scaling are, for the functions.
    pub fn moto(&self) -> String {
        self.moto.url()
    }

    /// Where DynamoDB, Step Functions, CloudWatch and Secrets Manager are, for the functions.
    pub fn ministack(&self) -> String {
        self.ministack.url()
    }

    /// The next `times` calls of this API action meet with this fault.
    pub fn on(&self, action: &str, fault: AwsFault, times: usize) {
        self.add(None, None, action, fault, times);
    }

    /// The same for the calls of one function, by a part of its name such as `hold-blue`.
    pub fn on_by(&self, function: &str, action: &str, fault: AwsFault, times: usize) {
        self.add(Some(function), None, action, fault, times);
    }

    /// The same for the calls of which a parameter is this, such as the ARN of what they change.
    pub fn on_naming(&self, named: &str, action: &str, fault: AwsFault, times: usize) {
        self.add(None, Some(named), action, fault, times);
    }

    /// No call meets with a fault from now on. What is held stays held.
    pub fn clear(&self) {
        self.shared.lock().rules.clear();
    }

    /// How many calls of an action met with a fault.
    pub fn hits(&self, action: &str) -> usize {
        self.shared.counted(action).hits
    }

    /// How many calls of an action came through to the service, released ones among them.
    pub fn forwarded(&self, action: &str) -> usize {
        self.shared.counted(action).forwarded
    }

    /// Waits until a call of this action is held, and hands it over.
    ///
    /// # Errors
    /// [`Error::TimedOut`] if there is none within `limit`.
    pub async fn held(&self, action: &str, limit: Duration) -> Result<Held> {
        until(&format!("a call of {action} to be held"), limit, || async {
            let mut state = self.shared.lock();
            let place = state.held.iter().position(|held| held.action == action);
            Ok(match place.and_then(|place| state.held.remove(place)) {
                Some(held) => Seen::Done(held),
                None => Seen::NotYet(format!("{:?}", state.counts)),
            })
        })
        .await
    }

    fn add(
        &self,
        by: Option<&str>,
        naming: Option<&str>,
        action: &str,
        fault: AwsFault,
        times: usize,
    ) {
        self.shared.lock().rules.push(Rule {
            action: action.to_owned(),
            by: by.map(str::to_owned),
            naming: naming.map(str::to_owned),
            fault,
            left: times,
        });
    }
}

fn front(shared: &Arc<Shared>, service: &str) -> Result<Front> {
    let at = service.trim_start_matches("http://").to_owned();
    let shared = Arc::downgrade(shared);
    let handle: Handle = Arc::new(move |call| {
        let (shared, at) = (shared.clone(), at.clone());
        Box::pin(async move {
            match shared.upgrade() {
                Some(shared) => outcome(&shared, call, &at).await,
                None => Outcome::Reset,
            }
        })
    });
    Front::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), handle)
}

async fn outcome(shared: &Arc<Shared>, call: Call, at: &str) -> Outcome {
    let action = action(&call);
    shared.record(&action, &call).await;
    let fault = shared.fault(&action, &call).await;
    match fault {
        None => shared.pass(&action, &call, at).await,
        Some(AwsFault::Throttle) => Outcome::Answer(refuse(&call, Refusal::Throttled)),
        Some(AwsFault::Deny) => Outcome::Answer(refuse(&call, Refusal::Denied)),
        Some(AwsFault::ReplyLost) => {
            shared.pass(&action, &call, at).await;
            Outcome::Reset
        }
        Some(AwsFault::Held) => hold(shared, action, call, at, None).await,
        Some(AwsFault::ReplyHeld) => match shared.pass(&action, &call, at).await {
            Outcome::Answer(answer) => hold(shared, action, call, at, Some(answer)).await,
            broken => broken,
        },
    }
}

async fn hold(
    shared: &Arc<Shared>,
    action: String,
    call: Call,
    at: &str,
    answered: Option<Response<Bytes>>,
) -> Outcome {
    let (waiting, outcome) = oneshot::channel();
    shared.lock().held.push_back(Held {
        action,
        call,
        at: at.to_owned(),
        onward: shared.onward.clone(),
        directory: shared.directory.clone(),
        counts: Arc::downgrade(shared),
        answered,
        waiting,
    });
    outcome.await.unwrap_or(Outcome::Silence)
}

impl Shared {
    /// The fault that a call meets with, which is then used up once.
    async fn fault(&self, action: &str, call: &Call) -> Option<AwsFault> {
        // Looked up only where it matters: reading all of /proc takes a while.
        let asks_who = |rule: &Rule| rule.action == action && rule.by.is_some() && rule.left > 0;
        let asks_who = self.lock().rules.iter().any(asks_who);
        let function = if asks_who {
            self.function(call).await
        } else {
            String::new()
        };
        let mut state = self.lock();
        let rule = state.rules.iter_mut().find(|rule| {
            let by = rule.by.as_deref();
            let naming = rule.naming.as_deref();
            rule.action == action
                && rule.left > 0
                && by.is_none_or(|by| function.contains(by))
                && naming.is_none_or(|named| names(call, named))
        })?;
        rule.left -= 1;
        let fault = rule.fault;
        state.counts.entry(action.to_owned()).or_default().hits += 1;
        Some(fault)
    }

    /// The name of the function that makes a call; empty if nobody of this cloud does.
    async fn function(&self, call: &Call) -> String {
        let look = || async {
            let pid = process_at(call.connection, &self.directory).await?;
            function_of(pid).ok_or_else(|| Error::Missing(format!("{pid} runs no function")))
        };
        let function = call.function.get_or_try_init(look).await;
        let function =
            function.inspect_err(|error| tracing::warn!(%error, "a call without a caller"));
        function.cloned().unwrap_or_default()
    }

    async fn record(&self, action: &str, call: &Call) {
        let Some(recording) = &self.recording else {
            return;
        };
        let (function, service) = (self.function(call).await, signed_for(call));
        let known = match self.known(&service, action, call).await {
            Ok(known) => known,
            Err(error) => json!({ "error": chain(&error) }),
        };
        let action = format!("{service}:{action}");
        recording.call(&function, &action, &parameters(call), &known);
    }

    /// Of a call that only reads no resource's tags are asked for.
    async fn known(&self, service: &str, action: &str, call: &Call) -> Result<Value> {
        let at_moto = ["autoscaling", "ec2", "elasticloadbalancing"].contains(&service);
        if !at_moto || action.starts_with("Describe") {
            return Ok(Value::Null);
        }
        let asked = json!({ "call": String::from_utf8_lossy(&call.body) });
        self.own.ask("known", &asked).await
    }

    async fn pass(&self, action: &str, call: &Call, at: &str) -> Outcome {
        match self.onward.pass(call, at).await {
            Ok(answer) => {
                self.count_forwarded(action);
                Outcome::Answer(answer)
            }
            Err(error) => {
                tracing::warn!(%error, "an emulator broke off");
                Outcome::Reset
            }
        }
    }

    fn count_forwarded(&self, action: &str) {
        let mut state = self.lock();
        state.counts.entry(action.to_owned()).or_default().forwarded += 1;
    }

    fn counted(&self, action: &str) -> Forwarded {
        self.lock().counts.get(action).copied().unwrap_or_default()
    }

    /// A panic elsewhere leaves what is locked whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The API action.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The process that waits for the answer.
    ///
    /// # Errors
    /// [`Error::Missing`] if nobody waits any more.
    pub async fn caller(&self) -> Result<u32> {
        process_at(self.call.connection, &self.directory).await
    }

    /// Kills the process that waits for the answer: the function dies in mid-call. Says which function it ran.
    ///
    /// # Errors
    /// [`Error::Missing`] if nobody waits any more, or it runs no function.
    pub async fn kill_caller(&self) -> Result<String> {
        let pid = self.caller().await?;
        let function = function_of(pid)
            .ok_or_else(|| Error::Missing(format!("process {pid} runs no function")))?;
        warden::kill(pid);
        Ok(function)
    }

    /// Lets the call go on to the service, however late, and its answer to whoever may still wait for it.
    ///
    /// # Errors
    /// [`Error::Aws`] if the service does not answer.
    pub async fn release(self) -> Result<Told> {
        let answer = match self.answered {
            Some(answer) => answer,
            None => {
                let answer = self.onward.pass(&self.call, &self.at).await?;
                if let Some(shared) = self.counts.upgrade() {
                    shared.count_forwarded(&self.action);
                }
                answer
            }
        };
        let told = Told::of(&answer);
        // Nobody waits for a ghost's answer.
        let _ = self.waiting.send(Outcome::Answer(answer));
        Ok(told)
    }
}
