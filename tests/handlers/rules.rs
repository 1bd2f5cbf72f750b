//! What must hold: the safety rules of the design, as they show in a call's changes, its answer, and the world after it.
//!
//! Judges only what a handler did, at the moment that it did it: what users, crashes and strangers do in between is not
//! its doing.

mod action;
mod answered;
mod ended;
mod orders;
mod written;

use std::collections::BTreeSet;
use std::fmt;

use ebbtide_aws::fake::{Noted, Things};
use ebbtide_endpoint::admission::Mode;
use ebbtide_rules::ErrorName;
use ebbtide_rules::document::Act;
use ebbtide_rules::record::{Record, Work};
use serde_json::Value;

use crate::aws;
use crate::call::Call;
use crate::server::Server;
use crate::world::World;

/// A rule that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) rule: Rule,
    pub(crate) how: String,
}

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// No handler ends or deregisters an instance that holds a session or a request.
    NothingCut,
    /// An instance is ended only after its seal for this deployment was acknowledged in this pass, or when it never had
    /// weight (rules 1 and 2).
    EndedSealed,
    /// None is ended in a group with weight, or without this deployment's tag (rule 6).
    EndedRetiring,
    /// A sealed server holds nothing, restarts included (rule 4).
    SealedHoldsNothing,
    /// A server is asked to seal, and idle sessions to move, only where new sessions do not go (rule 9).
    SealedAfterTheBake,
    /// AWS is changed only by whom the record that was read last admits (rule 8).
    OneOwner,
    /// Weight is given only to a group with the minimum of healthy servers, and to blue only by rolling back (rule 5).
    WeightIsCarried,
    /// The action names the front's pair and what retires, at weight 0, and nothing else (rule 16).
    ActionIsTheFronts,
    /// The record: one front, one owner of each environment, an epoch that grows, outcomes that stay.
    RecordIsSound,
    /// An alarm that fires, or fired since the last look, rolls back.
    AlarmsRollBack,
    /// What is paused, or waits at a gate that nobody has opened, gets no further.
    PausedStands,
    /// What is not known is told as unknown, and an answer claims no more than is so (rule 2).
    AnswersAreTrue,
    /// A handler called once more in the same world changes nothing, and the record's answer is the same (rule 7).
    RepeatChangesNothing,
    /// Green is launched once (rule 7).
    LaunchedOnce,
    /// A handler fails with a name from the list, and never panics.
    ErrorsAreNamed,
    /// The definition's expressions have values, and nothing is asked where it cannot be answered.
    DefinitionFits,
    /// When nothing more goes wrong, every deployment ends (rule 10).
    EveryDeploymentEnds,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.how)
    }
}

/// Says that a rule is broken unless something holds.
pub(crate) fn demand(holds: bool, rule: Rule, how: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds {
        Ok(())
    } else {
        Err(Broken { rule, how: how() })
    }
}

/// What happened before, as far as rules need it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// Every instance that was ever registered in a group with weight.
    served: BTreeSet<String>,
}

impl Ledger {
    /// Notes who serves now.
    pub(crate) fn look(&mut self, things: &Things) {
        for (group, targets) in &things.targets {
            if aws::weight(things, group) > 0 {
                let registered = targets.iter().filter(|target| target.registered);
                self.served
                    .extend(registered.map(|target| target.instance.clone()));
            }
        }
    }

    /// Whether an instance was ever registered in a group with weight.
    pub(crate) fn has_served(&self, instance: &str) -> bool {
        self.served.contains(instance)
    }
}

/// What stood before a call.
pub(crate) struct Stood {
    pub(crate) record: Record,
    pub(crate) outcomes: aws::Outcomes,
    pub(crate) servers: Vec<Server>,
}

impl Stood {
    pub(crate) fn now(world: &World) -> Self {
        Self {
            record: world.record(),
            outcomes: aws::outcomes(&world.fake),
            servers: world.servers(),
        }
    }
}

/// What a call changed.
pub(crate) fn changes(
    world: &World,
    call: &Call,
    noted: &[Noted],
    stood: &Stood,
) -> Result<(), Broken> {
    for noted in noted {
        one_owner(call, noted)?;
        ended::judge(world, call, noted)?;
        action::judge(world, call, noted)?;
        launched_once(call, &noted.after)?;
    }
    orders::judge(world, call, stood)?;
    written::judge(world, call, stood)
}

/// The record that was read last admits the work; so does the one that is, unless the call was held up in between.
fn one_owner(call: &Call, noted: &Noted) -> Result<(), Broken> {
    let refused = |why: String| Broken {
        rule: Rule::OneOwner,
        how: format!("{} made {}: {why}", call.state, noted.operation),
    };
    let Some(read) = aws::read(noted) else {
        return Err(refused("it had not read the record".to_owned()));
    };
    let (Some(invocation), Some(fence)) = (&call.invocation, call.fence()) else {
        return Err(refused("nobody acts".to_owned()));
    };
    let document = &invocation.document;
    let incomplete = |error: ebbtide_rules::document::Incomplete| refused(error.to_string());
    let work = match invocation.act {
        Act::Attach | Act::Launch => Work::Green,
        Act::Weigh => Work::Weights,
        Act::WeighBack => Work::WeightsBack,
        Act::Detach => Work::Detach,
        Act::EndUnserved => Work::EndUnserved(document.unserved().map_err(incomplete)?.1),
        Act::Hold => Work::Hold(document.to_hold().map_err(incomplete)?),
        Act::LetGo => Work::LetGo(document.to_let_go().map_err(incomplete)?),
        Act::EndSealed => Work::EndSealed(document.to_hold().map_err(incomplete)?),
        other => return Err(refused(format!("{other:?} changes nothing of AWS"))),
    };
    let admitted = read.admits(&fence, work);
    admitted.map_err(|superseded| refused(superseded.to_string()))
}

fn launched_once(call: &Call, after: &Things) -> Result<(), Broken> {
    let recorded = call.invocation.as_ref().map(|it| it.document.recorded());
    let (Some(Ok(recorded)), Some(Act::Launch), Some(fence)) = (recorded, call.act(), call.fence())
    else {
        return Ok(());
    };
    let own = after.instances.iter().filter(|it| {
        let tag = it.tag(ebbtide_rules::observed::DEPLOYMENT_TAG);
        it.is_live() && tag == Some(fence.deployment.as_str())
    });
    let (launched, count) = (own.count(), recorded.green.count as usize);
    demand(launched <= count, Rule::LaunchedOnce, || {
        format!("{} made {launched} instances of {count}", call.state)
    })
}

/// What a call answered.
pub(crate) fn answer(
    world: &World,
    call: &Call,
    answer: &Value,
    stood: &Stood,
) -> Result<(), Broken> {
    answered::judge(world, call, answer, stood)
}

/// How a call failed. Only plan-deployment reads what people write.
pub(crate) fn error(call: &Call, error: &str, cause: &str) -> Result<(), Broken> {
    let listed = ErrorName::ALL.iter().any(|name| name.as_str() == error);
    demand(listed, Rule::ErrorsAreNamed, || {
        format!("{} failed with {error}: {cause}", call.state)
    })?;
    let misplaced = error == "InvalidInput" && call.function != "PlanDeployment";
    demand(!misplaced, Rule::DefinitionFits, || {
        format!("{} is asked what it cannot answer: {cause}", call.state)
    })
}

/// What holds after everything that happens.
pub(crate) fn standing(world: &World) -> Result<(), Broken> {
    for server in world.servers() {
        let promised = server.up && server.disk.sealed_for.is_some();
        let keeps = server.admission.mode == Mode::Sealed && !server.holds();
        demand(!promised || keeps, Rule::SealedHoldsNothing, || {
            format!("{server:?}")
        })?;
    }
    Ok(())
}
