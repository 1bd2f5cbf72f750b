//! The fair end of a case: nothing more goes wrong, everybody ends their sessions, and somebody goes on with the work.

use std::collections::BTreeMap;

use ebbtide_rules::observed::RETIRING_TAG;
use ebbtide_rules::record::{Front, Owner, Phase};
use serde_json::json;

use crate::aws;
use crate::execution::{Execution, Status, arn};
use crate::rules::{self, Broken, Rule, demand};
use crate::run::{step, take_over_of};
use crate::strangers::{letter, recover, restart};
use crate::world::World;

/// More steps than all deployments of a case need then.
const MOST_STEPS: usize = 2_500;
/// How often an operator redrives an execution before trying something else.
const MOST_REDRIVES: u32 = 4;
/// How often an operator acts before giving up.
const MOST_ACTS: u32 = 60;

/// Goes on until nobody holds the front, nothing retires and nothing runs.
pub(crate) async fn end(world: &mut World) -> Result<(), Broken> {
    world.tell("nothing more goes wrong");
    world.set_alarm(false);
    recover(world);
    restart(world, None);
    world.heal().await;
    let mut acts = 0;
    let mut turn = 0_u8;
    for _ in 0..MOST_STEPS {
        everybody_leaves(world);
        let idle = idle(world);
        if let Some(deployment) = waits(world).filter(|_| acts < MOST_ACTS) {
            acts += 1;
            world.tell(format!("somebody says resume to {deployment}"));
            world.execute(json!({ "resume": deployment }));
        }
        if let Some(owner) = idle.first().filter(|_| acts < MOST_ACTS) {
            acts += 1;
            let owner = owner.clone();
            operate(world, &owner).await;
        } else if world.executions.iter().any(Execution::is_running) {
            turn = turn.wrapping_add(1);
            step(world, turn, None).await?;
        } else if world.owners().is_empty() {
            return ended_well(world);
        }
        rules::standing(world)?;
    }
    Err(Broken {
        rule: Rule::EveryDeploymentEnds,
        how: format!("these do not end: {:?}", world.record()),
    })
}

/// The deployment that waits for a person, if it can be told and nobody is about to.
fn waits(world: &World) -> Option<String> {
    let front = world.record().front?;
    let runs = |arn_of: &str| {
        let mut executions = world.executions.iter();
        executions.any(|it| it.is_running() && arn(&it.name) == *arn_of)
    };
    let told = world
        .executions
        .iter()
        .any(|it| it.is_running() && it.wishes);
    let waits = front.waits.is_some() && runs(&front.owner.execution) && !told;
    waits.then_some(front.owner.deployment)
}

fn everybody_leaves(world: &mut World) {
    for server in world.fleet.servers().by_ip.values_mut() {
        server.coming = 0;
        while server.holds() {
            server.leave();
        }
    }
}

/// The owners whose execution does not run, and whom no execution that runs is about to succeed.
fn idle(world: &World) -> Vec<Owner> {
    let runs = |owner: &Owner| {
        let execution = &owner.execution;
        let mut executions = world.executions.iter();
        executions.any(|it| arn(&it.name) == *execution && it.is_running())
    };
    let takes_over = world
        .executions
        .iter()
        .any(|it| it.is_running() && it.takes_over);
    let owners = world.owners().into_iter();
    owners.filter(|owner| !takes_over && !runs(owner)).collect()
}

/// What an operator does about an owner that does not run.
async fn operate(world: &mut World, owner: &Owner) {
    let found = world
        .executions
        .iter()
        .position(|it| arn(&it.name) == owner.execution);
    let Some(index) = found else {
        // The next execution is on record, and was never started.
        return take_over_of(world, &owner.deployment, false);
    };
    let execution = &world.executions[index];
    let (status, redrives) = (execution.status.clone(), execution.redrives);
    let record = world.record();
    let front = record.front_of(&owner.deployment);
    let phase = front.map(|front| front.phase.clone());
    match (status, phase) {
        (Status::Failed(error), _) if redrives < MOST_REDRIVES => {
            mend(world, owner, &error).await;
            world.executions[index].redrive();
            world.tell(format!("the operator redrives {}", owner.deployment));
        }
        (Status::Stopped, _) if redrives < MOST_REDRIVES => {
            world.executions[index].redrive();
            world.tell(format!("the operator redrives {}", owner.deployment));
        }
        (_, Some(Phase::Claimed | Phase::Superseding { .. })) => world.deploy(),
        (_, phase) => {
            let rolls_back = matches!(phase, Some(Phase::RollingBack { .. }));
            let instead = phase == Some(Phase::Switched) && redrives >= MOST_REDRIVES;
            take_over_of(world, &owner.deployment, rolls_back || instead);
        }
    }
}

/// What the cause of an error asks an operator to do.
async fn mend(world: &mut World, owner: &Owner, error: &str) {
    let record = world.record();
    let front = record.front_of(&owner.deployment);
    let wants_weights = |it: &&Front| !matches!(it.phase, Phase::Detaching { .. });
    let Some(front) = front.filter(wants_weights) else {
        if error == "NotConfirmed" {
            serve_again(world);
        }
        return;
    };
    let blue = letter(aws::group(&front.plan.blue.environment));
    match error {
        "TooFewHealthy" | "BlueNotOpen" => {
            world.tell(format!("the operator adds a server to tunnel-{blue}"));
            world.add_server(blue).await;
        }
        // Somebody moved the weights: they are moved back.
        "AwsRefused" | "NotConfirmed" => {
            let weights: BTreeMap<String, u32> = [
                (&front.plan.blue.environment, front.weights.blue),
                (&front.plan.green.environment, front.weights.green),
            ]
            .into_iter()
            .map(|(it, weight)| (aws::group(it).to_owned(), weight))
            .collect();
            aws::move_back(&world.fake, &weights);
            world.tell(json!(weights).to_string());
        }
        _ => {}
    }
}

/// Somebody gave weight to what retires, and whoever empties it has no weights to give: the group that serves gets all of
/// them, as the cause asks. That is the one with targets which nobody empties.
fn serve_again(world: &mut World) {
    let record = world.record();
    if record
        .front
        .as_ref()
        .is_some_and(|it| !matches!(it.phase, Phase::Detaching { .. }))
    {
        // Whoever holds the front sets them itself.
        return;
    }
    let retires = |group: &str| {
        let mut retiring = record.retiring.iter();
        retiring.any(|entry| aws::group(&entry.environment) == group)
    };
    let things = world.things();
    let groups = things.targets.iter();
    let weights: BTreeMap<String, u32> = groups
        .filter(|(group, targets)| !retires(group) && targets.iter().any(|it| it.registered))
        .map(|(group, _)| (group.to_string(), 100))
        .collect();
    if weights.len() == 1 {
        aws::move_back(&world.fake, &weights);
        world.tell(json!(weights).to_string());
    }
}

/// One environment serves, nothing else is named, held or left.
fn ended_well(world: &World) -> Result<(), Broken> {
    if world.record().epoch == 0 {
        // Nothing was ever claimed.
        return Ok(());
    }
    let how = |what: String| move || what;
    let rule = Rule::EveryDeploymentEnds;
    let things = world.things();
    let groups = &things.weights;
    let serving: Vec<&String> = groups
        .iter()
        .filter(|(_, weight)| **weight > 0)
        .map(|(group, _)| group)
        .collect();
    let alone = serving.len() == 1 && groups.len() == 1;
    demand(alone, rule, how(format!("the action is {groups:?}")))?;
    for (group, targets) in &things.targets {
        let registered = || targets.iter().filter(|it| it.registered);
        let open = registered()
            .filter(|it| it.healthy)
            .filter(|it| world.server(&it.instance).is_some_and(|it| it.is_open()))
            .count();
        let left = registered().count();
        if serving.contains(&group) {
            demand(open > 0, rule, how(format!("nobody serves in {group}")))?;
        } else {
            demand(left == 0, rule, how(format!("{left} are left in {group}")))?;
        }
    }
    nothing_left(world, serving.first().map_or("", |it| it.as_str()))
}

/// Every instance that lives serves, and none is held.
fn nothing_left(world: &World, serving: &str) -> Result<(), Broken> {
    let how = |what: String| move || what;
    let rule = Rule::EveryDeploymentEnds;
    let things = world.things();
    let targets = things.targets.iter().filter(|(arn, _)| arn == serving);
    let serves = |id: &str| {
        targets
            .clone()
            .any(|(_, targets)| targets.iter().any(|it| it.registered && it.instance == id))
    };
    for instance in things.instances.iter().filter(|it| it.is_live()) {
        let id = &instance.id;
        demand(serves(id), rule, how(format!("nobody ends {id}")))?;
        let held = instance.tag(RETIRING_TAG).is_some();
        demand(
            !held,
            rule,
            how(format!("{id} is still tagged as retiring")),
        )?;
    }
    for group in &things.scaling {
        let own = group.members.iter().any(|it| serves(&it.instance));
        let held = group.members.iter().any(|it| it.protected) || !group.suspended.is_empty();
        demand(!(own && held), rule, how(format!("{} is held", group.name)))?;
    }
    Ok(())
}
