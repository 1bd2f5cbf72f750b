//! Other layouts of the fake's service: a group for each environment, a second listener.

use ebbtide_rules::observed::{ENVIRONMENT_TAG, SERVICE_TAG};
use ebbtide_rules::scaling::{ScalingGroup, ScalingMember, Sizes};
use ebbtide_rules::shape::Environment;

use super::elb::forward_to;
use super::{FakeGroup, World, arn, environment, records};

impl World {
    /// Gives each environment an Auto Scaling group of its own, in the record as well: blue's three servers are members of
    /// its group, which has sizes 2/6/3; the others are parked. All launch version 6.
    pub fn put_into_groups(&mut self) {
        for letter in ["a", "b", "c"] {
            let environment = fleet_environment(letter);
            let targets = self.group(&arn(letter)).targets.iter();
            let members = targets.map(|target| ScalingMember {
                instance: target.instance.clone(),
                protected: false,
                lifecycle: "InService".to_owned(),
            });
            let members: Vec<ScalingMember> = members.collect();
            let desired = u32::try_from(members.len()).unwrap_or_default();
            let tags = [
                (SERVICE_TAG, "tunnel".to_owned()),
                (ENVIRONMENT_TAG, environment.name.clone()),
            ];
            self.scaling.push(ScalingGroup {
                name: environment.auto_scaling_group.unwrap_or_default(),
                sizes: Sizes {
                    min: desired.min(2),
                    max: 2 * desired,
                    desired,
                },
                version: "6".to_owned(),
                tags: tags.map(|(key, value)| (key.to_owned(), value)).into(),
                members,
                ..ScalingGroup::default()
            });
        }
        if let Some(record) = &mut self.record {
            records::put_into_groups(record);
        }
    }

    /// Puts the service behind a second listener, in the record as well: each environment has a second group there, with
    /// the same targets and the same weight.
    pub fn add_listener(&mut self) {
        let groups = self.groups.iter().map(|group| FakeGroup {
            arn: second(&group.arn),
            ..group.clone()
        });
        self.groups.extend(groups.collect::<Vec<_>>());
        let mut weights = self.action();
        weights = weights
            .into_iter()
            .map(|(arn, weight)| (second(&arn), weight))
            .collect();
        let named: Vec<(&str, i32)> = weights
            .iter()
            .map(|(arn, weight)| (arn.as_str(), *weight))
            .collect();
        self.second = Some(vec![forward_to(&named)]);
        if let Some(record) = &mut self.record {
            records::add_listener(record);
        }
    }

    /// The weights of the second groups of `tunnel-a` and `tunnel-b`.
    pub fn second_weights(&self) -> (i32, i32) {
        let action = self.action();
        let weight = |name: &str| action.get(&second(&arn(name))).copied().unwrap_or_default();
        (weight("a"), weight("b"))
    }
}

/// An environment by its last letter, whose servers are members of an Auto Scaling group of its own.
pub fn fleet_environment(name: &str) -> Environment {
    Environment {
        auto_scaling_group: Some(format!("fleet-{name}")),
        ..environment(name)
    }
}

/// The same environment with a group at the second listener as well.
pub fn at_both(environment: Environment) -> Environment {
    let mut environment = environment;
    let group = environment.target_group(0).map(second);
    environment.target_group_arns.extend(group);
    environment
}

/// The ARN of the same environment's group at the second listener.
pub(super) fn second(first: &str) -> String {
    let letter = first.rsplit('/').next().unwrap_or_default();
    arn(&format!("{letter}-tls"))
}
