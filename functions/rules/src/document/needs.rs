//! What the functions need of the document; a key that is not there is refused by its name.

use jiff::Timestamp;

use super::{Act, Document, Invocation, Told, late};
use crate::check::{self, Deadline, HeldBack};
use crate::drain::{self, Pace};
use crate::plan::{Asked, Plan, Recorded};
use crate::record::{Answer, Doing};
use crate::service::{self, Asking, Service};
use crate::shape::{Environment, Fence, Retiring, Server};
use crate::weights::{Moments, Switched};
use crate::{ErrorName, Failure};

/// A key of the document that is needed and not there: the definition calls a function too early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the document has no {0}, which this call needs: the definition and the functions are not of one version"
)]
pub struct Incomplete(pub &'static str);

impl Failure for Incomplete {
    fn name(&self) -> ErrorName {
        ErrorName::InvalidInput
    }
}

/// An act that the function does not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this function does not do {0:?}: the definition and the functions are not of one version")]
pub struct WrongAct(pub Act);

impl Failure for WrongAct {
    fn name(&self) -> ErrorName {
        ErrorName::InvalidInput
    }
}

/// Why nobody can be asked through the load balancer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// Incomplete is when nothing was planned.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// WrongAct is when another function does it.
    #[error(transparent)]
    WrongAct(#[from] WrongAct),
}

impl Failure for NotAsked {
    fn name(&self) -> ErrorName {
        ErrorName::InvalidInput
    }
}

impl Document {
    /// PlanDeployment's answer.
    ///
    /// # Errors
    /// [`Incomplete`] where there is none.
    pub fn plan(&self) -> Result<&Plan, Incomplete> {
        self.plan.as_ref().ok_or(Incomplete("plan"))
    }

    /// The plan that is acted on.
    ///
    /// # Errors
    /// [`Incomplete`] where nothing was planned.
    pub fn recorded(&self) -> Result<&Recorded, Incomplete> {
        self.plan()?.recorded().ok_or(Incomplete("plan.recorded"))
    }

    /// The listeners and rules whose weights are the service's.
    ///
    /// # Errors
    /// [`Incomplete`] where the plan names none: it is of a version that had one and knew it by itself, and goes on in another
    /// execution. A take-over names them.
    pub fn listeners(&self) -> Result<&[String], Incomplete> {
        let listeners = match &self.record()?.doing {
            Doing::Clearing(clearing) => &clearing.listeners,
            _ => &self.recorded()?.listeners,
        };
        if listeners.is_empty() {
            return Err(Incomplete(
                "plan.recorded.listeners (take the deployment over, so that this version plans it)",
            ));
        }
        Ok(listeners)
    }

    /// The last answer of keep-record.
    ///
    /// # Errors
    /// [`Incomplete`] before the first one.
    pub fn record(&self) -> Result<&Answer, Incomplete> {
        self.record.as_ref().ok_or(Incomplete("record"))
    }

    /// Who acts: the deployment, at the epoch of keep-record's last answer, or before the claim at the one to come.
    ///
    /// # Errors
    /// [`Incomplete`] where nothing was planned.
    pub fn fence(&self) -> Result<Fence, Incomplete> {
        let plan = self.plan()?;
        let claimed = self.record.as_ref().map(|answer| answer.epoch);
        Ok(Fence {
            deployment: plan.deployment.clone(),
            epoch: claimed.unwrap_or(plan.epoch + 1),
        })
    }

    /// The environment that is to be held: the one that retires, or blue while it is listed to be opened again.
    ///
    /// # Errors
    /// [`Incomplete`] where nothing retires.
    pub fn to_hold(&self) -> Result<&Environment, Incomplete> {
        match &self.record()?.doing {
            Doing::Draining { environment, .. } | Doing::Opening { environment, .. } => {
                Ok(environment)
            }
            Doing::Returning { .. } => Ok(&self.recorded()?.green.environment),
            Doing::Watching { .. } | Doing::Reopening { .. } => {
                Ok(&self.recorded()?.blue.environment)
            }
            _ => Err(Incomplete("record.doing")),
        }
    }

    /// The environment that serves on and is to be let go.
    ///
    /// # Errors
    /// [`Incomplete`] where nothing was planned.
    pub fn to_let_go(&self) -> Result<&Environment, Incomplete> {
        match &self.record()?.doing {
            Doing::Clearing(clearing) => Ok(&clearing.blue),
            _ => Ok(&self.recorded()?.blue.environment),
        }
    }

    /// Green that never served: whose it is, and which environment.
    ///
    /// # Errors
    /// [`Incomplete`] where nothing was planned.
    pub fn unserved(&self) -> Result<(&str, &Environment), Incomplete> {
        match &self.record()?.doing {
            Doing::Clearing(clearing) => Ok((&clearing.deployment, &clearing.green)),
            _ => Ok((
                &self.plan()?.deployment,
                &self.recorded()?.green.environment,
            )),
        }
    }

    /// The version that the Auto Scaling group of this environment named before a deployment that does not stay: green's,
    /// which is given back when it is parked.
    pub fn version_before(&self, environment: &Environment) -> Option<&str> {
        if let Ok(Answer {
            doing: Doing::Clearing(clearing),
            ..
        }) = self.record()
        {
            return clearing.green_version.as_deref();
        }
        let green = &self.recorded().ok()?.green;
        let is_green = green.environment == *environment;
        green.version_before().filter(|_| is_green)
    }

    /// HoldRetiring's list, which is of the environment that is to be held.
    ///
    /// # Errors
    /// [`Incomplete`] before the first one, and where it is another environment's.
    pub fn retiring(&self) -> Result<&Retiring, Incomplete> {
        let environment = self.to_hold()?;
        list_of(self.retiring.as_ref(), environment).ok_or(Incomplete("retiring"))
    }

    /// Blue's servers, to be opened: as HoldRetiring listed them, or once it has listed green, as LetBlueGo did.
    ///
    /// # Errors
    /// [`Incomplete`] where blue was not listed.
    pub fn blue_servers(&self) -> Result<&[Server], Incomplete> {
        let blue = &self.recorded()?.blue.environment;
        let list = list_of(self.retiring.as_ref(), blue).or(list_of(self.held.as_ref(), blue));
        let list = list.ok_or(Incomplete("list of blue"))?;
        Ok(&list.servers)
    }

    /// How many of blue's servers have to be open before the weights move.
    ///
    /// # Errors
    /// [`Incomplete`] unless the deployment is on its way back.
    pub fn minimum_open(&self) -> Result<u32, Incomplete> {
        match self.record()?.doing {
            Doing::Returning { minimum_open } => Ok(minimum_open),
            _ => Err(Incomplete("record.doing")),
        }
    }

    /// The servers that were asked to open and have not.
    ///
    /// # Errors
    /// [`Incomplete`] where none was asked.
    pub fn unopened(&self) -> Result<&[Server], Incomplete> {
        let resumed = self.resume.as_ref().ok_or(Incomplete("resume"))?;
        Ok(&resumed.waiting)
    }

    /// Green's servers.
    ///
    /// # Errors
    /// [`Incomplete`] before they were launched.
    pub fn green_servers(&self) -> Result<&[Server], Incomplete> {
        let green = self.green.as_ref().ok_or(Incomplete("green"))?;
        Ok(&green.servers)
    }

    /// The servers of a green that never served, as far as this execution launched them.
    ///
    /// # Errors
    /// [`Incomplete`] where nothing was planned.
    pub fn unserved_servers(&self) -> Result<&[Server], Incomplete> {
        let (deployment, environment) = self.unserved()?;
        let own = *deployment == self.plan()?.deployment;
        let green = self
            .green
            .as_ref()
            .filter(|green| green.environment == *environment);
        Ok(green.filter(|_| own).map_or(&[], |green| &green.servers))
    }

    /// Blue's servers at the plan, to be read before anything is touched.
    ///
    /// # Errors
    /// [`Incomplete`] where no deployment was planned.
    pub fn planned_servers(&self) -> Result<&[Server], Incomplete> {
        match &self.plan()?.asked {
            Asked::Deploy(deploy) => Ok(&deploy.servers),
            _ => Err(Incomplete("plan.servers")),
        }
    }

    /// The servers whose seal was acknowledged in this pass.
    ///
    /// # Errors
    /// [`Incomplete`] before the first check.
    pub fn sealed(&self) -> Result<&[String], Incomplete> {
        let check = self.check.as_ref().ok_or(Incomplete("check"))?;
        Ok(&check.sealed)
    }

    /// The secret that this deployment's calls of servers are signed with; none: they are not signed.
    pub fn signing_secret(&self) -> Option<&str> {
        let recorded = self.recorded().ok()?;
        recorded.policy.signing_secret.as_deref()
    }

    /// What the last TerminateBlue would not end.
    pub fn refused(&self) -> &[HeldBack] {
        self.terminate.as_ref().map_or(&[], |ended| &ended.refused)
    }

    /// The moments that count now: of the last confirmed weights while they are watched, of the record afterwards. None
    /// before any weights were confirmed.
    pub fn moments(&self) -> Option<Moments> {
        match &self.record.as_ref()?.doing {
            Doing::Draining { moments, .. } | Doing::Opening { moments, .. } => Some(*moments),
            _ => self.watched().map(|confirmed| confirmed.moments),
        }
    }

    /// The weights as they were confirmed last, while they are watched.
    fn watched(&self) -> Option<&Told<Switched>> {
        match &self.record.as_ref()?.doing {
            Doing::Draining { .. } | Doing::Opening { .. } => None,
            Doing::Returning { .. } => self.back.as_ref(),
            _ => self.switch.as_ref(),
        }
    }

    /// What the user's checks said through the load balancer in this pass. None where nothing follows from it: once the bake is
    /// over, green is known to be unhealthy, or blue gets its weight back.
    pub fn service_watched(&self) -> Option<&Service> {
        let watches = matches!(self.record.as_ref()?.doing, Doing::Watching { .. });
        self.service
            .as_ref()
            .filter(|_| watches && self.ill.is_none())
    }

    /// Whether the record says that the bake, or the rollback, is over: until then nobody is asked to seal.
    pub fn may_seal(&self) -> bool {
        let doing = self.record.as_ref().map(|answer| &answer.doing);
        matches!(doing, Some(Doing::Draining { .. } | Doing::Opening { .. }))
    }
}

impl Document {
    /// From when on the environment that retires may be drained. None while the weights are watched and were last
    /// confirmed before that: a call that nobody had an answer of may have given weight back since.
    fn settled_at(&self) -> Option<Timestamp> {
        let settled_at = self.moments()?.settled_at?;
        if self.may_seal() {
            return Some(settled_at);
        }
        self.watched()
            .is_some_and(|it| it.confirmed_at >= settled_at)
            .then_some(settled_at)
    }

    /// What a drain order depends on besides the servers.
    ///
    /// # Errors
    /// [`Incomplete`] where nothing was planned.
    pub fn drain(&self) -> Result<drain::Question, Incomplete> {
        let policy = &self.recorded()?.policy;
        Ok(drain::Question {
            pace: Pace::of(policy.closures_per_second),
            settled_at: self.settled_at(),
            changed_at: self.check.as_ref().map(|check| check.memory.changed_at),
            baking: !self.may_seal(),
            poll_seconds: policy.poll_seconds.into(),
        })
    }
}

impl Invocation {
    /// What a check depends on besides the servers.
    ///
    /// # Errors
    /// [`Incomplete`] where nothing was planned, or what retires was not listed.
    pub fn check<'a>(&'a self, fence: &'a Fence) -> Result<check::Question<'a>, Incomplete> {
        let document = &self.document;
        let policy = &document.recorded()?.policy;
        let moments = document.moments();
        let step = moments.filter(|moments| moments.step_ends_at.is_some());
        Ok(check::Question {
            fence,
            retiring: document.retiring()?,
            settled_at: moments.and_then(|moments| moments.settled_at),
            baked_at: moments.and_then(|moments| moments.baked_at),
            step_began_at: step.map(|step| step.at),
            step_ends_at: step.and_then(|step| step.step_ends_at),
            may_seal: document.may_seal(),
            deadline: Deadline {
                at: moments.and_then(|moments| moments.deadline_at),
                term_seconds: policy.deadline_seconds.into(),
                redrives: self.redrives,
            },
            poll_seconds: policy.poll_seconds.into(),
            previous: document.check.as_ref(),
            refused: document.refused(),
            repairs: document.watched().map(|it| &it.answer.repairs),
            service: document.service_watched(),
        })
    }

    /// The user's checks to be made through the load balancer, for the act that this call is to do.
    ///
    /// # Errors
    /// [`Incomplete`] where nothing was planned, [`WrongAct`] where the act is another function's.
    pub fn service(&self) -> Result<service::Question<'_>, NotAsked> {
        let document = &self.document;
        let pages = &document.recorded()?.policy.pages;
        let (asking, url) = match self.act {
            Act::AskBlue => (Asking::Blue, &pages.service),
            Act::AskGreen => (Asking::Green, &pages.green),
            Act::AskService => (Asking::Users, &pages.service),
            other => return Err(WrongAct(other).into()),
        };
        Ok(service::Question {
            asking,
            pages,
            url: url.as_ref(),
            previous: document.service.as_ref(),
        })
    }

    /// Until when a call may arrive that moves weights and whose outcome nobody knows; none where every one was answered.
    ///
    /// A redrive is seen by its number, which the last check noted: before it, a call of the Task that failed may have
    /// been given up.
    pub fn weights_unanswered_until(&self, now: Timestamp) -> Option<Timestamp> {
        let document = &self.document;
        let told = [&document.attach, &document.switch, &document.back];
        let told = told
            .into_iter()
            .flatten()
            .filter_map(|told| told.unanswered_until);
        let redrives = document
            .check
            .as_ref()
            .map_or(0, |check| check.memory.redrives);
        let unknown = self.retries > 0 || self.redrives > redrives;
        told.chain(unknown.then(|| late(now))).max()
    }
}

fn list_of<'a>(told: Option<&'a Told<Retiring>>, of: &Environment) -> Option<&'a Retiring> {
    told.map(|told| &told.answer)
        .filter(|list| list.environment == *of)
}

#[cfg(test)]
mod tests;
