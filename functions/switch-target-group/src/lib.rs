//! The Lambda switch-target-group: brings the forward action to what the record wants of it, and confirms it by reading
//! again.
//!
//! Called to attach green at weight 0, at every step and in every pass of the bake, by a rollback to give blue its weight
//! back, and to take out of the action what is gone. What is wanted is read from the record at the act, not from the
//! plan: what retires changes meanwhile. Refuses to give weight to a group without enough healthy targets, and to leave
//! out a group that has any.

use std::collections::BTreeMap;

use ebbtide_aws::{Cloud, CloudError};
use ebbtide_rules::document::{Act, Document, Invocation, Told, WrongAct};
use ebbtide_rules::observed::{Forward, Target, healthy};
use ebbtide_rules::record::{Front, Record, Work};
use ebbtide_rules::weights::{
    Confirmed, Decision, Observation, Repairs, Spans, Switched, Wanted, confirm, decide, limits,
};
use ebbtide_rules::{Environment, ErrorName, Failure, Fence};
use jiff::Timestamp;

pub use ebbtide_runtime::Failed;

/// Brings the forward action to what the record wants. `clock` is read when the call begins and when the action has been
/// read last: what follows new weights counts from then, however long AWS took.
///
/// # Errors
/// [`Failed`]; the action is as it was, unless AWS did not answer or reading again showed another.
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
        let live = self.cloud.listener.read().await?;
        // Last, so that as little time as possible lies between this and the change.
        let (record, front) = self.admitted().await?;
        let seen = observation(live.forward.clone(), &front, &targets);
        let wanted = Wanted::of(&front, &record, self.act);
        let former = self.former.filter(|it| it.epoch == self.fence.epoch);
        let decision = decide(&seen, &wanted)?;
        self.log(&decision, &seen);
        let mut confirmed = Confirmed {
            epoch: self.fence.epoch,
            began_at,
            read_at: clock(),
            forward: seen.forward,
            changed: false,
            blue_healthy: seen.blue_healthy,
            green_healthy: seen.green_healthy,
            repairs: Repairs::before(former),
        };
        if let Decision::Change { groups, .. } = &decision {
            let repairs = confirmed.repairs;
            let found = &confirmed.forward;
            confirmed.repairs = repairs.count(former, &wanted, found, self.redrives)?;
            let set = self.cloud.listener.set(&live, groups).await;
            set.map_err(|error| explained(error, groups.len()))?;
            confirmed.forward = self.cloud.listener.read().await?.forward;
            confirmed.read_at = clock();
            confirmed.changed = true;
            confirm(&confirmed.forward, &wanted)?;
        }
        Ok((front, confirmed))
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
            let arn = environment.target_group();
            targets.insert(arn.to_owned(), self.cloud.groups.targets(arn).await?);
        }
        Ok(targets)
    }

    fn log(&self, decision: &Decision, seen: &Observation) {
        let (change, reason) = match decision {
            Decision::Keep { reason } => (false, reason),
            Decision::Change { reason, .. } => (true, reason),
        };
        tracing::info!(
            deployment = self.fence.deployment,
            epoch = self.fence.epoch,
            act = ?self.act,
            change,
            reason,
            blue_healthy = seen.blue_healthy,
            green_healthy = seen.green_healthy,
            "decided"
        );
    }
}

/// Target groups by ARN, with their targets.
type Targets = BTreeMap<String, Vec<Target>>;

fn observation(forward: Forward, front: &Front, targets: &Targets) -> Observation {
    let of = |environment: &Environment| targets.get(environment.target_group());
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
