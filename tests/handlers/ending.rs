//! The fair end of a case: nothing more goes wrong, everybody ends their sessions, and somebody goes on with the work.

use crate::execution::{Execution, Status, arn};
use crate::rules::{self, Broken, Rule, demand};
use crate::run::{recover, restart, step, take_over};
use crate::world::World;

/// More steps than any deployment needs then.
const MOST_STEPS: usize = 700;
/// How often an operator redrives an execution before trying something else.
const MOST_REDRIVES: u32 = 4;
/// How the record may say that the last deployment ended.
const OUTCOMES: [&str; 3] = ["Promoted", "RolledBack", "GreenRejected"];

/// Goes on until the service is free and nothing runs.
pub(crate) async fn end(world: &mut World) -> Result<(), Broken> {
    world.tell("nothing more goes wrong");
    world.alarm = false;
    recover(world);
    restart(world, None);
    world.heal().await;
    for _ in 0..MOST_STEPS {
        everybody_leaves(world);
        if world.executions.iter().any(Execution::is_running) {
            step(world, 0, None).await?;
        } else if world.table.of_record("owner").is_some() {
            operate(world).await;
        } else {
            return ended_well(world);
        }
        rules::standing(world)?;
    }
    Err(Broken {
        rule: Rule::EveryDeploymentEnds,
        how: format!("owner {:?} does not end", world.table.of_record("owner")),
    })
}

fn everybody_leaves(world: &mut World) {
    for server in world.fleet.servers().by_ip.values_mut() {
        server.coming = 0;
        while server.holds() {
            server.leave();
        }
    }
}

/// What an operator does about an owner that does not run.
async fn operate(world: &mut World) {
    let owner = world.table.of_record("execution").map(str::to_owned);
    let found = world
        .executions
        .iter()
        .position(|it| Some(arn(&it.name)) == owner);
    let Some(index) = found else {
        return take_over(world, false);
    };
    let execution = &world.executions[index];
    let (status, redrives) = (execution.status.clone(), execution.redrives);
    match status {
        Status::Failed(error) if redrives < MOST_REDRIVES => {
            if error == "TooFewHealthy" || error == "BlueNotOpen" {
                mend_blue(world).await;
            }
            world.executions[index].redrive();
            world.tell("the operator redrives the owner");
        }
        _ if world.table.of_record("switched") == Some("no") => world.deploy(),
        _ => {
            let rolls_back = world.table.of_record("stage") == Some("rollingBack");
            take_over(world, rolls_back || redrives >= MOST_REDRIVES);
        }
    }
}

async fn mend_blue(world: &mut World) {
    let blue = world.table.of_record("blue").unwrap_or_default();
    let name = if blue == ebbtide_aws::fake::arn("a") {
        "a"
    } else {
        "b"
    };
    world.tell(format!("the operator adds a server to tunnel-{name}"));
    world.add_server(name).await;
}

fn ended_well(world: &World) -> Result<(), Broken> {
    let Some(outcome) = world.table.of_record("lastOutcome") else {
        // Nothing was ever claimed.
        return Ok(());
    };
    let how = |what: String| move || what;
    let rule = Rule::EveryDeploymentEnds;
    demand(
        OUTCOMES.contains(&outcome),
        rule,
        how(format!("it ended as {outcome}")),
    )?;
    let weights = world.fake.world().weights();
    let whole = weights == (100, 0) || weights == (0, 100);
    demand(whole, rule, how(format!("the weights are {weights:?}")))?;
    let things = world.things();
    for (number, (group, targets)) in things.targets.iter().enumerate() {
        let serves = [weights.0, weights.1][number] > 0;
        let open = targets
            .iter()
            .filter(|it| it.registered && it.healthy)
            .filter(|it| world.server(&it.instance).is_some_and(|it| it.is_open()))
            .count();
        let left = targets.iter().filter(|it| it.registered).count();
        if serves {
            demand(open > 0, rule, how(format!("nobody serves in {group}")))?;
        } else {
            demand(left == 0, rule, how(format!("{left} are left in {group}")))?;
        }
    }
    Ok(())
}
