//! The world in the words of `ebbtide-rules`: what its decision functions are given.
//!
//! Makes observations out of the small state, and nothing else; it decides nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ebbtide_rules::Environment;
use ebbtide_rules::observed::{
    DEPLOYMENT_TAG, ENVIRONMENT_TAG, Forward, GroupWeight, Instance, InstanceState, Listener,
    RETIRING_TAG, SERVICE_TAG, Target,
};
use ebbtide_rules::terminate::WeightedGroup;

use crate::server::{Life, Server};
use crate::world::{SERVERS, World};

/// The service.
pub(crate) const SERVICE: &str = "tunnel";
/// The deployments' names.
pub(crate) const DEPLOYMENTS: [&str; 3] = ["first", "second", "third"];
/// The environments' letters.
pub(crate) const LETTERS: [&str; 3] = ["A", "B", "C"];
const GROUPS: [&str; 3] = ["targetgroup/A/1", "targetgroup/B/2", "targetgroup/C/3"];
const MACHINE: &str = "arn:aws:states:eu-west-1:1:execution:ebbtide";

/// The deployment's name.
pub(crate) fn deployment(number: u8) -> &'static str {
    DEPLOYMENTS[usize::from(number)]
}

/// The deployment of this name.
pub(crate) fn number_of(deployment: &str) -> u8 {
    let found = DEPLOYMENTS.iter().position(|name| *name == deployment);
    found
        .and_then(|found| u8::try_from(found).ok())
        .unwrap_or(0)
}

/// The service's one listener.
pub(crate) const LISTENER: &str = "arn:listener";

/// An execution's ARN.
pub(crate) fn arn(name: &str) -> String {
    format!("{MACHINE}:{name}")
}

/// A group's environment.
pub(crate) fn environment(group: u8) -> &'static Environment {
    static ENVIRONMENTS: LazyLock<[Environment; 3]> =
        LazyLock::new(|| GROUPS.map(|arn| Environment::of(vec![arn.to_owned()])));
    &ENVIRONMENTS[usize::from(group)]
}

/// The ARN of an environment's target group: the service has one listener.
pub(crate) fn target_group(environment: &Environment) -> &str {
    environment.target_group(0).unwrap_or_default()
}

/// Every environment.
pub(crate) fn environments() -> Vec<Environment> {
    (0..3).map(|group| environment(group).clone()).collect()
}

/// The id of the instance in a place that this deployment has launched; no two instances ever have one.
fn instance(number: usize, launched_by: Option<u8>) -> &'static String {
    static NAMES: LazyLock<Vec<[String; 4]>> = LazyLock::new(|| {
        let of = |number: usize| {
            let by = |by: &str| format!("i-{number}-of-{by}");
            let [first, second, third] = DEPLOYMENTS.map(by);
            [first, second, third, format!("i-{number}")]
        };
        (1..=SERVERS).map(of).collect()
    });
    &NAMES[number][launched_by.map_or(3, usize::from)]
}

/// The group with this ARN.
pub(crate) fn group_of(target_group_arn: &str) -> u8 {
    let found = GROUPS.iter().position(|arn| *arn == target_group_arn);
    found
        .and_then(|found| u8::try_from(found).ok())
        .unwrap_or(0)
}

impl World {
    /// The id of the instance in this place.
    pub(crate) fn instance(&self, number: usize) -> String {
        self.name(number).clone()
    }

    fn name(&self, number: usize) -> &'static String {
        instance(number, self.servers[number].launched_by)
    }

    /// The set of servers with these ids.
    pub(crate) fn set_of<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> u8 {
        let number = |id: &String| (0..self.servers.len()).find(|it| self.name(*it) == id);
        ids.into_iter()
            .filter_map(number)
            .fold(0, |set, server| set | 1 << server)
    }

    /// A server, as a list tells it.
    pub(crate) fn listed(&self, number: usize) -> ebbtide_rules::Server {
        ebbtide_rules::Server {
            instance: self.instance(number),
            ip: String::new(),
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
            id: self.instance(number),
            ip: Some(String::new()),
            subnet: None,
            state: if server.life == Life::Gone {
                InstanceState::Terminated
            } else {
                InstanceState::Running
            },
            ended_by: None,
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
                instance: self.instance(number),
                registered: true,
                healthy: server.life == Life::Up,
                state: String::new(),
                ports: vec![80],
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

    /// The one listener and its forward action.
    pub(crate) fn shipped_listener(&self) -> Listener {
        Listener {
            arn: LISTENER.to_owned(),
            forward: self.shipped_forward(),
        }
    }

    /// The listener's forward action.
    pub(crate) fn shipped_forward(&self) -> Forward {
        let named = (0..3).filter_map(|group: u8| {
            let weight = self.weights[usize::from(group)]?;
            Some(GroupWeight {
                target_group_arn: target_group(environment(group)).to_owned(),
                weight: u32::from(weight),
            })
        });
        Forward {
            groups: named.collect(),
            sticky: false,
        }
    }

    /// The groups that have registered targets.
    pub(crate) fn occupied(&self) -> Vec<String> {
        let occupied = (0..3).filter(|group| self.of_group(*group).any(|(_, it)| it.registered));
        occupied
            .map(|group| target_group(environment(group)).to_owned())
            .collect()
    }

    /// The groups with weight, and who is in them.
    pub(crate) fn shipped_weighted(&self) -> Vec<WeightedGroup> {
        (0..3)
            .filter(|group| self.weight(*group) > 0)
            .map(|group| WeightedGroup {
                target_group_arn: target_group(environment(group)).to_owned(),
                weight: u32::from(self.weight(group)),
                instances: self
                    .shipped_targets(group)
                    .into_iter()
                    .map(|target| target.instance)
                    .collect(),
            })
            .collect()
    }
}
