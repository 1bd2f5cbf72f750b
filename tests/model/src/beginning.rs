//! How it begins: the world of a configuration, and the second execution's plan.

use ebbtide_rules::input::{TakeOver, Then};
use ebbtide_rules::plan;
use tunnel::admission::Mode;

use crate::model::{Deployments, Second};
use crate::server::{Life, Server};
use crate::shipped;
use crate::world::{At, Execution, Recorded, Stage, Status, World};

impl Deployments {
    pub(crate) fn world(&self) -> World {
        let mut servers = Vec::new();
        for _ in 0..self.blue {
            let mut server = Server::new(0, Life::Up);
            server.served = true;
            servers.push(server);
        }
        for _ in 0..self.green {
            let mut server = Server::new(1, Life::Up);
            server.launched_by = Some(0);
            servers.push(server);
        }
        for _ in 0..self.launches {
            servers.push(Server::new(0, Life::Absent));
        }
        let first = Execution {
            at: At::AttachGreen,
            epoch: 1,
            ..Execution::without_document(Status::Running, 0)
        };
        let mut executions = vec![first.clone()];
        if self.second != Second::Nobody {
            executions.push(Execution {
                status: Status::Waiting,
                deployment: u8::from(self.second == Second::Deploys),
                epoch: 0,
                ..first
            });
        }
        World {
            servers,
            weights: [100, 0],
            stale: [false, false],
            lost: [0, 0],
            record: Recorded {
                owner: Some(0),
                execution: 0,
                epoch: 1,
                stage: Stage::Claimed,
                switched: false,
                blue: 0,
                wish: false,
                clearing: None,
                last: None,
            },
            executions,
            strays: Vec::new(),
            faults: self.faults,
            broken: 0,
        }
    }

    /// PlanDeployment of the second execution, and the choices after it.
    pub(crate) fn begin(&self, world: &mut World, number: usize, roll_back: bool) -> bool {
        let record = world.shipped_record();
        let me = &world.executions[number];
        let name = shipped::deployment(me.deployment);
        let arn = shipped::execution(u8::try_from(number).unwrap_or(0));
        let other = plan::owner(&record, name, arn);
        let owner_runs = world.record.owner.is_some()
            && world.executions[usize::from(world.record.execution)].status == Status::Running;
        let seen = &world.record;
        let clearing = seen.clearing.or(seen.owner);
        let mut planned = Execution {
            status: Status::Running,
            seen: Some((
                seen.epoch,
                seen.execution,
                seen.stage,
                seen.switched,
                clearing,
            )),
            then_roll_back: roll_back,
            ..me.clone()
        };
        match (self.second, other) {
            (Second::TakesOver, Some(_)) if !owner_runs => {
                let asked = TakeOver {
                    deployment: name.to_owned(),
                    then: if roll_back {
                        Then::RollBack
                    } else {
                        Then::Continue
                    },
                };
                match plan::take_over(&record, &asked) {
                    // The model's record carries no plan; everything else is as it must be.
                    Ok(_) | Err(plan::Unready::NoPlan { .. }) => {}
                    Err(_) => return false,
                }
                planned.blue = seen.blue;
                let green = world.weights[usize::from(1 - seen.blue)];
                planned.switched = seen.switched.then(|| green.saturating_sub(1));
                planned.at = At::TakeOver;
            }
            (Second::Deploys, Some(owner)) if !owner_runs && !owner.switched => {
                planned.blue = seen.blue;
                planned.at = At::Supersede;
            }
            (Second::Deploys, None) => {
                let blue = u8::from(world.weights[1] > 0);
                if !self.is_fit(world, blue) {
                    return false;
                }
                planned.blue = blue;
                planned.epoch = u8::try_from(record.epoch_to_claim(name, arn)).unwrap_or(u8::MAX);
                planned.at = At::Claim;
                // Green's instances are launched anew, into the free group.
                for number in 0..world.servers.len() {
                    let server = &world.servers[number];
                    if server.life == Life::Gone && server.group != blue {
                        world.forget(number);
                        world.servers[number] = Server::new(1 - blue, Life::Absent);
                    }
                }
            }
            _ => return false,
        }
        world.executions[number] = planned;
        true
    }

    /// Preflight: every blue server answers and is not sealed, and green's group is empty.
    fn is_fit(&self, world: &World, blue: u8) -> bool {
        let live = |group| {
            world
                .servers
                .iter()
                .filter(move |server| server.group == group && server.is_live())
        };
        live(blue).all(|server| server.life == Life::Up && server.admission.mode != Mode::Sealed)
            && live(blue).count() >= usize::from(self.minimum)
            && live(1 - blue).count() == 0
    }
}
