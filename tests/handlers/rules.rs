//! What must hold: the safety rules of the design, as they show in a call's changes, its answer, and the world after it.
//!
//! Judges only what a handler did, at the moment that it did it: what users, crashes and strangers do in between is not
//! its doing.

use std::collections::BTreeSet;
use std::fmt;

use ebbtide_aws::fake::{Noted, Things, arn};
use ebbtide_rules::observed::{
    DEPLOYMENT_TAG, ENVIRONMENT_TAG, Instance, InstanceState, RETIRING_TAG, Target,
};
use serde_json::Value;
use tunnel::admission::Mode;

use crate::definition;
use crate::server::Server;
use crate::world::{Call, World};

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
    /// An instance is ended only after its seal for this deployment, or when it never had weight (rules 1 and 2).
    EndedSealed,
    /// None is ended in a group with weight, or without this deployment's tag (rule 6).
    EndedRetiring,
    /// A sealed server holds nothing, restarts included (rule 4).
    SealedHoldsNothing,
    /// AWS is changed only under the owner and the epoch that the record had when the handler read it (rule 8).
    OneOwner,
    /// Weight is given only to a group with the minimum of healthy servers, and to blue only by rolling back (rule 5).
    WeightIsCarried,
    /// What is not known is told as unknown, and an answer claims no more than is so (rule 2).
    AnswersAreTrue,
    /// A handler called once more in the same world changes nothing (rule 7).
    RepeatChangesNothing,
    /// Green is launched once (rule 7).
    LaunchedOnce,
    /// A handler fails with a name that its Task in the definition knows, and never panics.
    ErrorsAreNamed,
    /// The definition's expressions have values.
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
            if weight(things, group) > 0 {
                let registered = targets.iter().filter(|target| target.registered);
                self.served
                    .extend(registered.map(|target| target.instance.clone()));
            }
        }
    }
}

impl Ledger {
    /// Whether an instance was ever registered in a group with weight.
    pub(crate) fn has_served(&self, instance: &str) -> bool {
        self.served.contains(instance)
    }
}

fn weight(things: &Things, group: &str) -> i32 {
    match group {
        group if group == arn("a") => things.weights.0,
        group if group == arn("b") => things.weights.1,
        other => panic!("a third group {other}"),
    }
}

/// What a call changed.
pub(crate) fn changes(world: &World, call: &Call, noted: &[Noted]) -> Result<(), Broken> {
    for noted in noted {
        one_owner(call, noted)?;
        for instance in ended(noted) {
            ending(world, call, noted, instance)?;
        }
        for (group, target) in deregistered(noted) {
            let server = world.server(&target.instance);
            demand(
                !server.is_some_and(|it| it.holds()),
                Rule::NothingCut,
                || format!("{} deregistered {} of {group}", call.state, target.instance),
            )?;
            licence(world, call, &target.instance)?;
        }
        weights(world, call, noted)?;
        launched_once(call, &noted.after)?;
    }
    Ok(())
}

fn one_owner(call: &Call, noted: &Noted) -> Result<(), Broken> {
    let fence = &call.payload["fence"];
    let own = (
        fence["deployment"].as_str().map(str::to_owned),
        fence["epoch"].as_u64().unwrap_or_default(),
    );
    let is_own = own.0.is_some() && noted.read.as_ref() == Some(&own);
    demand(is_own, Rule::OneOwner, || {
        format!(
            "{} of {own:?} made {} having read {:?}",
            call.state, noted.operation, noted.read
        )
    })
}

/// The instances whose end a call ordered, in EC2 or by their Auto Scaling group.
fn ended(noted: &Noted) -> Vec<&Instance> {
    let left = |id: &str| {
        let members = |things: &Things| {
            let mut all = things
                .scaling
                .iter()
                .flat_map(|group| group.members.clone());
            all.any(|member| member.instance == id && !member.is_terminating())
        };
        members(&noted.before) && !members(&noted.after)
    };
    let ended = |before: &&Instance| {
        let mut after = noted.after.instances.iter();
        let lives = after.any(|after| after.id == before.id && after.is_live());
        before.is_live() && (!lives || left(&before.id))
    };
    noted.before.instances.iter().filter(ended).collect()
}

fn ending(world: &World, call: &Call, noted: &Noted, instance: &Instance) -> Result<(), Broken> {
    let id = &instance.id;
    let server = world.server(id);
    demand(
        !server.is_some_and(|it| it.holds()),
        Rule::NothingCut,
        || format!("{} ended {id}, which holds something", call.state),
    )?;
    licence(world, call, id)?;
    let deployment = deployment(call);
    let tagged = [RETIRING_TAG, DEPLOYMENT_TAG]
        .iter()
        .any(|key| instance.tag(key) == Some(deployment));
    demand(tagged, Rule::EndedRetiring, || {
        format!(
            "{} ended {id}, whose tags are {:?}",
            call.state, instance.tags
        )
    })?;
    let weighted = noted.before.targets.iter().find(|(group, targets)| {
        let has = |target: &Target| target.registered && target.instance == *id;
        weight(&noted.before, group) > 0 && targets.iter().any(has)
    });
    demand(weighted.is_none(), Rule::EndedRetiring, || {
        format!("{} ended {id} in a group with weight", call.state)
    })
}

/// The deployment whose instances a call is about.
fn deployment(call: &Call) -> &str {
    let of = call.payload["of"].as_str();
    of.or(call.payload["fence"]["deployment"].as_str())
        .unwrap_or_default()
}

fn licence(world: &World, call: &Call, id: &str) -> Result<(), Broken> {
    let server = world.server(id);
    let sealed = server.is_some_and(|it| it.disk.sealed_for.as_deref() == Some(deployment(call)));
    let allowed = sealed || !world.ledger.has_served(id);
    demand(allowed, Rule::EndedSealed, || {
        format!(
            "{} ended {id}, which has served and has not sealed",
            call.state
        )
    })
}

fn deregistered(noted: &Noted) -> Vec<(&String, &Target)> {
    let mut gone = Vec::new();
    for ((group, before), (_, after)) in noted.before.targets.iter().zip(&noted.after.targets) {
        let stays = |target: &Target| {
            after
                .iter()
                .any(|it| it.instance == target.instance && it.registered)
        };
        let left = before.iter().filter(|it| it.registered && !stays(it));
        gone.extend(left.map(|target| (group, target)));
    }
    gone
}

fn weights(world: &World, call: &Call, noted: &Noted) -> Result<(), Broken> {
    if noted.before.weights == noted.after.weights {
        return Ok(());
    }
    let how = |what: &str| {
        let (before, after) = (noted.before.weights, noted.after.weights);
        format!(
            "{} moved weights from {before:?} to {after:?}: {what}",
            call.state
        )
    };
    demand(
        call.function == "SwitchTargetGroup",
        Rule::WeightIsCarried,
        || how("not its task"),
    )?;
    let minimum = call.payload["minimumHealthy"].as_u64().unwrap_or_default();
    let blue = call.payload["blue"]["targetGroupArn"]
        .as_str()
        .unwrap_or_default();
    for (group, targets) in &noted.after.targets {
        if weight(&noted.after, group) <= weight(&noted.before, group) {
            continue;
        }
        let healthy = targets.iter().filter(|it| it.registered && it.healthy);
        let carries = |target: &&Target| {
            // Whether green takes sessions was tested before; blue must have been opened again.
            let server = world.server(&target.instance);
            group != blue || server.is_some_and(|it| it.is_open())
        };
        let count = healthy.filter(carries).count();
        demand(count as u64 >= minimum, Rule::WeightIsCarried, || {
            how(&format!(
                "{group} has {count} servers for a minimum of {minimum}"
            ))
        })?;
        let by_rollback = group != blue || call.payload["back"] == true;
        demand(by_rollback, Rule::WeightIsCarried, || {
            how("blue gains without a rollback")
        })?;
    }
    Ok(())
}

fn launched_once(call: &Call, after: &Things) -> Result<(), Broken> {
    let Some(count) = call.payload["green"]["count"].as_u64() else {
        return Ok(());
    };
    let own = after
        .instances
        .iter()
        .filter(|it| it.is_live() && it.tag(DEPLOYMENT_TAG) == Some(deployment(call)));
    let launched = own.count();
    demand(launched as u64 <= count, Rule::LaunchedOnce, || {
        format!("{} made {launched} instances of {count}", call.state)
    })
}

/// What a call answered.
pub(crate) fn answer(world: &World, call: &Call, answer: &Value) -> Result<(), Broken> {
    let listed = |servers: &Value| -> Vec<Server> {
        let ids = servers.as_array().into_iter().flatten();
        let ids = ids.filter_map(|server| server["instance"].as_str());
        ids.filter_map(|id| world.server(id)).collect()
    };
    let truly = |holds: bool, how: &str| {
        demand(holds, Rule::AnswersAreTrue, || {
            format!("{}: {how}: {answer}", call.state)
        })
    };
    let epoch = call.payload["fence"]["epoch"].as_u64().unwrap_or_default();
    match call.function.as_str() {
        "CheckDrained" => {
            let unknown = listed(&answer["unknown"]);
            for server in listed(&call.payload["retiring"]["servers"]) {
                let told = unknown.iter().any(|it| it.instance == server.instance);
                truly(
                    told || !server.is_unreadable(),
                    "an unread server is not told",
                )?;
            }
            for id in answer["sealed"].as_array().into_iter().flatten() {
                let server = world.server(id.as_str().unwrap_or_default());
                let sealed = server.is_some_and(|it| {
                    it.disk.sealed_for.as_deref() == Some(deployment(call)) && !it.holds()
                });
                truly(sealed, "sealed is not sealed")?;
            }
        }
        "TestGreen" if answer["verdict"] == "accepted" && call.state == "TestGreen" => {
            for server in listed(&call.payload["servers"]) {
                let fit = server.is_open() && server.disk.epoch == epoch;
                truly(fit && !server.is_unreadable(), "accepted is not open")?;
            }
        }
        "ResumeBlue" => {
            let servers = listed(&call.payload["servers"]);
            let open = servers
                .iter()
                .filter(|it| it.is_open() && it.disk.epoch >= epoch);
            let told = answer["open"].as_u64().unwrap_or(u64::MAX);
            truly(told <= open.count() as u64, "more open than are")?;
        }
        "TerminateBlue" if answer["empty"] == true => {
            let things = world.things();
            let name = &call.payload["environment"]["name"];
            let own = |it: &&Instance| {
                let tagged = [RETIRING_TAG, DEPLOYMENT_TAG]
                    .iter()
                    .any(|key| it.tag(key) == Some(deployment(call)));
                tagged && it.tag(ENVIRONMENT_TAG) == name.as_str()
            };
            let mut own = things.instances.iter().filter(own);
            let gone = own.all(|it| it.state == InstanceState::Terminated);
            truly(gone, "empty is not empty")?;
        }
        "SwitchTargetGroup" => {
            let (a, b) = world.fake.world().weights();
            let blue_is_a = call.payload["blue"]["targetGroupArn"] == arn("a").as_str();
            let (blue, green) = if blue_is_a { (a, b) } else { (b, a) };
            let told = &answer["weights"];
            truly(
                told["blue"] == blue && told["green"] == green,
                "weights are others",
            )?;
        }
        _ => {}
    }
    Ok(())
}

/// Errors that fail an execution in its Task, for an operator to mend and redrive, wherever they come from.
const OF_OPERATORS: [&str; 3] = ["AccessDenied", "AwsRefused", "Superseded"];

/// How a call failed.
pub(crate) fn error(call: &Call, error: &str, cause: &str) -> Result<(), Broken> {
    let state = definition::state(&call.state);
    let rules = ["Retry", "Catch"]
        .into_iter()
        .filter_map(|field| state[field].as_array());
    let mut names = rules
        .flatten()
        .filter_map(|rule| rule["ErrorEquals"].as_array())
        .flatten();
    let own = match call.function.as_str() {
        "PlanDeployment" => &["PreflightRefused"][..],
        "CheckDrained" => &["DrainDeadlineExceeded"][..],
        _ => &[][..],
    };
    let known =
        names.any(|name| name == error) || OF_OPERATORS.contains(&error) || own.contains(&error);
    demand(known, Rule::ErrorsAreNamed, || {
        format!(
            "{} failed with {error}, which its Task does not know: {cause}",
            call.state
        )
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
