//! The world in the words of `ebbtide-rules`: what its decision functions are given.
//!
//! Makes observations and fences out of the small state, and nothing else; it decides nothing.

use std::collections::BTreeMap;

use ebbtide_rules::observed::{
    DEPLOYMENT_TAG, ENVIRONMENT_TAG, Forward, GroupWeight, Instance, InstanceState, RETIRING_TAG,
    SERVICE_TAG, Target,
};
use ebbtide_rules::record::Record;
use ebbtide_rules::terminate::WeightedGroup;
use ebbtide_rules::{Environment, Fence};
use jiff::{SignedDuration, Timestamp};

use crate::server::{Life, Server};
use crate::world::World;

/// The moment when weights were confirmed; everything else is told by how much later it is.
pub(crate) const CONFIRMED: Timestamp = Timestamp::constant(1_795_000_000, 0);
/// The service.
pub(crate) const SERVICE: &str = "tunnel";
/// `drain.settleSeconds`, and half of `bake.seconds`: the length of a tick.
pub(crate) const TICK: u32 = 60;

const INSTANCES: [&str; 4] = ["i-1", "i-2", "i-3", "i-4"];
const DEPLOYMENTS: [&str; 2] = ["first", "second"];
const EXECUTIONS: [&str; 2] = ["execution 1", "execution 2"];
const GROUPS: [&str; 2] = ["targetgroup/tg-a/1", "targetgroup/tg-b/2"];

/// The instance's id.
pub(crate) fn instance(server: usize) -> &'static str {
    INSTANCES[server]
}

/// The deployment's name.
pub(crate) fn deployment(number: u8) -> &'static str {
    DEPLOYMENTS[usize::from(number)]
}

/// The execution's ARN.
pub(crate) fn execution(number: u8) -> &'static str {
    EXECUTIONS[usize::from(number)]
}

/// The set of servers with these ids.
pub(crate) fn set<'a>(ids: impl IntoIterator<Item = &'a String>) -> u8 {
    ids.into_iter()
        .filter_map(|id| INSTANCES.iter().position(|known| known == id))
        .fold(0, |set, server| set | 1 << server)
}

/// The moment that is `age` ticks after the weights were confirmed.
pub(crate) fn moment(age: u8) -> Timestamp {
    CONFIRMED + SignedDuration::from_secs(i64::from(age) * i64::from(TICK))
}

/// A group's environment.
pub(crate) fn environment(group: u8) -> Environment {
    Environment::of_arn(GROUPS[usize::from(group)])
}

/// The fence of a deployment at an epoch.
pub(crate) fn fence(number: u8, epoch: u8) -> Fence {
    Fence {
        deployment: deployment(number).to_owned(),
        epoch: u64::from(epoch),
    }
}

impl World {
    /// The record, as a function reads it.
    pub(crate) fn shipped_record(&self) -> Record {
        let record = &self.record;
        let arn = |group| Some(environment(group).target_group_arn);
        Record {
            owner: record.owner.map(|owner| deployment(owner).to_owned()),
            execution: record.owner.map(|_| execution(record.execution).to_owned()),
            epoch: u64::from(record.epoch),
            stage: Some(record.stage.word().to_owned()),
            switched: record.switched,
            blue: arn(record.blue),
            green: arn(1 - record.blue),
            clearing: record.clearing.map(|whose| deployment(whose).to_owned()),
            ..Record::default()
        }
    }

    /// An instance, as EC2 shows it.
    pub(crate) fn shipped_instance(&self, number: usize) -> Instance {
        let server = &self.servers[number];
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut tags = BTreeMap::from([
            tag(SERVICE_TAG, SERVICE),
            tag(ENVIRONMENT_TAG, &environment(server.group).name),
        ]);
        tags.extend(
            server
                .launched_by
                .map(|by| tag(DEPLOYMENT_TAG, deployment(by))),
        );
        tags.extend(server.retiring.map(|by| tag(RETIRING_TAG, deployment(by))));
        Instance {
            id: instance(number).to_owned(),
            ip: Some(String::new()),
            subnet: None,
            state: if server.life == Life::Gone {
                InstanceState::Terminated
            } else {
                InstanceState::Running
            },
            launched_at: None,
            tags,
        }
    }

    fn of_group(&self, group: u8) -> impl Iterator<Item = (usize, &Server)> {
        let servers = self.servers.iter().enumerate();
        servers.filter(move |(_, server)| server.group == group && server.life != Life::Absent)
    }

    /// The targets of a group; a dead process fails its health check.
    pub(crate) fn shipped_targets(&self, group: u8) -> Vec<Target> {
        self.of_group(group)
            .filter(|(_, server)| server.registered)
            .map(|(number, server)| Target {
                instance: instance(number).to_owned(),
                registered: true,
                healthy: server.life == Life::Up,
                state: String::new(),
            })
            .collect()
    }

    /// The instances that are registered in a group or chosen.
    pub(crate) fn shipped_instances(
        &self,
        group: u8,
        chosen: impl Fn(usize, &Server) -> bool,
    ) -> Vec<Instance> {
        self.of_group(group)
            .filter(|(number, server)| server.registered || chosen(*number, server))
            .map(|(number, _)| self.shipped_instance(number))
            .collect()
    }

    /// The listener's forward action.
    pub(crate) fn shipped_forward(&self) -> Forward {
        let groups = [0, 1].map(|group: u8| GroupWeight {
            target_group_arn: environment(group).target_group_arn,
            weight: u32::from(self.weights[usize::from(group)]),
        });
        Forward {
            groups: groups.to_vec(),
            sticky: false,
        }
    }

    /// The groups with weight, and who is in them.
    pub(crate) fn shipped_weighted(&self) -> Vec<WeightedGroup> {
        [0, 1]
            .into_iter()
            .filter(|group| self.weights[usize::from(*group)] > 0)
            .map(|group| WeightedGroup {
                target_group_arn: environment(group).target_group_arn,
                weight: u32::from(self.weights[usize::from(group)]),
                instances: self
                    .shipped_targets(group)
                    .into_iter()
                    .map(|target| target.instance)
                    .collect(),
            })
            .collect()
    }
}
