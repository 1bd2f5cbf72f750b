//! The Lambda switch-target-group: brings the forward actions of the service's listeners to what the record wants of them,
//! and confirms it by reading again.
//!
//! Called to attach green at weight 0, at every step and in every pass of the bake, by a rollback to give blue its weight
//! back, and to take out of the actions what is gone. What is wanted is read from the record at the act, not from the
//! plan: what retires changes meanwhile. Refuses to give weight to a group without enough healthy targets, and to leave
//! out a group that has any. Listeners are changed one after the other, in the order of the plan, and none before all of
//! them admit their change; whatever stops it in between, the next call finds those that are done and does the others.

use std::collections::BTreeMap;

use ebbtide_aws::{Cloud, CloudError, Live};
use ebbtide_rules::document::{Act, Document, Invocation, Told, WrongAct};
use ebbtide_rules::observed::{Forward, Target, healthy};
use ebbtide_rules::record::{Front, Record, Work};
use ebbtide_rules::weights::{
    At, Confirmed, Decision, Observation, Repairs, Spans, Switched, Wanted, confirm, decide, limits,
};
use ebbtide_rules::{Environment, ErrorName, Failure, Fence};
use jiff::Timestamp;

pub use ebbtide_runtime::Failed;

/// Brings the forward actions to what the record wants. `clock` is read when the call begins and when the last action has
/// been read last: what follows new weights counts from then, however long AWS took.
///
/// # Errors
/// [`Failed`]; the actions are as they were, unless AWS did not answer, reading again showed another, or the world changed
/// between two of them: then the first ones are as they are to be.
pub async fn handle(
    cloud: &Cloud,
    clock: impl Fn() -> Timestamp,
    invocation: Invocation,
) -> Result<Told<Switched>, Failed> {
    let began_at = clock();
    let (work, former) = asked(invocation.act, &invocation.document)?;
    let call = Call {
        cloud,
        fence: invocation.document.fence()?,
        act: invocation.act,
        work,
        listeners: invocation.document.listeners()?,
        former: former.map(|former| &former.answer),
        redrives: invocation.redrives,
    };
    let (front, confirmed) = call.bring(began_at, clock).await?;
    let spans = Spans::of(&front.plan.policy, invocation.act == Act::WeighBack);
    let late = invocation.weights_unanswered_until(began_at);
    let switched = confirmed.answer(&front.plan, call.former, &spans, late);
    Ok(Told::new(switched, invocation.retries, former, began_at))
}

/// What an act is, and the answer to it before this one.
fn asked(
    act: Act,
    document: &Document,
) -> Result<(Work<'static>, Option<&Told<Switched>>), WrongAct> {
    match act {
        Act::Attach => Ok((Work::Green, document.attach.as_ref())),
        Act::Weigh => Ok((Work::Weights, document.switch.as_ref())),
        Act::WeighBack => Ok((Work::WeightsBack, document.back.as_ref())),
        Act::Detach => Ok((Work::Detach, document.detached.as_ref())),
        other => Err(WrongAct(other)),
    }
}

/// One call.
struct Call<'a> {
    cloud: &'a Cloud,
    fence: Fence,
    act: Act,
    work: Work<'static>,
    listeners: &'a [String],
    /// What the call before this one confirmed.
    former: Option<&'a Switched>,
    redrives: u64,
}

impl Call<'_> {
    async fn bring(
        &self,
        began_at: Timestamp,
        clock: impl Fn() -> Timestamp,
    ) -> Result<(Front, Confirmed), Failed> {
        let (_, front) = self.admitted().await?;
        let targets = self.targets(&front).await?;
        let former = self.former.filter(|it| it.epoch == self.fence.epoch);
        let mut looks = Vec::new();
        for place in 0..self.listeners.len() {
            looks.push(self.look(place, &targets).await?);
        }
        let fewest = |of: fn(&Observation) -> u32| looks.iter().map(|it| of(&it.seen)).min();
        let mut confirmed = Confirmed {
            epoch: self.fence.epoch,
            began_at,
            read_at: clock(),
            forwards: Vec::new(),
            changed: false,
            blue_healthy: fewest(|seen| seen.blue_healthy).unwrap_or_default(),
            green_healthy: fewest(|seen| seen.green_healthy).unwrap_or_default(),
            repairs: self.repairs(former, &looks)?,
        };
        for look in looks {
            let decided = matches!(look.decision, Decision::Change { .. });
            let forward = if decided {
                confirmed.changed = true;
                self.change(look, &targets).await?
            } else {
                look.live.forward
            };
            confirmed.read_at = clock();
            confirmed.forwards.push(forward);
        }
        Ok((front, confirmed))
    }

    /// One listener, and what is to become of its action.
    async fn look(&self, place: usize, targets: &Targets) -> Result<Look, Failed> {
        let live = self.cloud.listener(&self.listeners[place]).read().await?;
        // Last, so that as little time as possible lies between this and the change.
        let (record, front) = self.admitted().await?;
        let wanted = Wanted::of(&front, &record, self.act, place);
        let seen = observation(live.forward.clone(), &front, targets, place);
        let decision = decide(&seen, &wanted).map_err(|refusal| self.at(place, refusal))?;
        self.log(place, &decision, &seen);
        Ok(Look {
            place,
            live,
            seen,
            wanted,
            decision,
        })
    }

    /// What somebody moved at several listeners is set right in one go, and counts once.
    fn repairs(&self, former: Option<&Switched>, looks: &[Look]) -> Result<Repairs, Failed> {
        let before = Repairs::before(former);
        let mut looks = looks.iter();
        let Some(look) = looks.find(|look| matches!(look.decision, Decision::Change { .. })) else {
            return Ok(before);
        };
        let (wanted, found) = (&look.wanted, &look.seen.forward);
        let counted = before.count(former, wanted, found, self.redrives);
        Ok(counted.map_err(|refusal| self.at(look.place, refusal))?)
    }

    /// Changes one listener's action; the action as it is then.
    async fn change(&self, look: Look, targets: &Targets) -> Result<Forward, Failed> {
        // Others were looked at, and changed, since.
        let look = if self.listeners.len() > 1 {
            self.look(look.place, targets).await?
        } else {
            look
        };
        let Decision::Change { groups, .. } = &look.decision else {
            return Ok(look.live.forward);
        };
        let listener = self.cloud.listener(&self.listeners[look.place]);
        let set = listener.set(&look.live, groups).await;
        set.map_err(|error| explained(error, groups.len()))?;
        let forward = listener.read().await?.forward;
        confirm(&forward, &look.wanted).map_err(|it| self.at(look.place, it))?;
        Ok(forward)
    }

    fn at<E>(&self, place: usize, what: E) -> At<E> {
        let several = self.listeners.len() > 1;
        At {
            listener: several.then(|| self.listeners[place].clone()),
            what,
        }
    }

    /// The record, if it admits this work, and its front.
    async fn admitted(&self) -> Result<(Record, Front), Failed> {
        let record = self.cloud.records.admit(&self.fence, self.work).await?;
        // What is admitted here is the front's.
        let front = record.front.clone();
        let front = front.ok_or_else(|| record.superseded(&self.fence))?;
        Ok((record, front))
    }

    /// The targets of every environment: of the pair for their health, of all because any may leave the action.
    async fn targets(&self, front: &Front) -> Result<Targets, CloudError> {
        let mut targets = Targets::new();
        for environment in &front.plan.environments {
            for group in self.cloud.groups.of(environment).await? {
                targets.insert(group.target_group_arn, group.targets);
            }
        }
        Ok(targets)
    }

    fn log(&self, place: usize, decision: &Decision, seen: &Observation) {
        let (change, reason) = match decision {
            Decision::Keep { reason } => (false, reason),
            Decision::Change { reason, .. } => (true, reason),
        };
        tracing::info!(
            deployment = self.fence.deployment,
            epoch = self.fence.epoch,
            act = ?self.act,
            listener = self.listeners[place],
            change,
            reason,
            blue_healthy = seen.blue_healthy,
            green_healthy = seen.green_healthy,
            "decided"
        );
    }
}

/// One listener, and what is to become of its action.
struct Look {
    place: usize,
    live: Live,
    seen: Observation,
    wanted: Wanted,
    decision: Decision,
}

/// Target groups by ARN, with their targets.
type Targets = BTreeMap<String, Vec<Target>>;

fn observation(forward: Forward, front: &Front, targets: &Targets, place: usize) -> Observation {
    let of = |environment: &Environment| targets.get(environment.target_group(place)?);
    let healthy = |environment| of(environment).map_or(0, |targets| healthy(targets));
    let occupied = targets
        .iter()
        .filter(|(_, targets)| targets.iter().any(|target| target.registered));
    Observation {
        forward,
        blue_healthy: healthy(&front.plan.blue.environment),
        green_healthy: healthy(&front.plan.green.environment),
        occupied: occupied.map(|(arn, _)| arn.clone()).collect(),
    }
}

/// A refusal of AWS, with what it may mean of an action of so many groups.
fn explained(error: CloudError, groups: usize) -> Failed {
    let explanation = limits(groups).filter(|_| error.name() == ErrorName::AwsRefused);
    match explanation {
        Some(explanation) => Failed::new(error.name(), format!("{error}; {explanation}")),
        None => error.into(),
    }
}
