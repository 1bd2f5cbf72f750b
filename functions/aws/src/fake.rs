//! An AWS in memory, for the tests of the functions: a world that the SDK's real clients read and change.
//!
//! Calls are answered by an interceptor, typed, before anything reaches a network; every change is noted by its
//! operation, and any operation can be made to fail, or to act and lose its reply. It pages, so that a caller who reads
//! only the first page is found out. Never part of a Lambda: it is there with the feature `fake` alone.

mod alarms;
mod answer;
#[cfg(feature = "instances")]
mod auto_scaling;
mod connection;
mod danger;
mod dynamodb;
#[cfg(feature = "instances")]
mod ec2;
mod elb;
mod executions;
#[cfg(feature = "instances")]
mod fleet;
mod journal;
mod layouts;
mod records;
#[cfg(feature = "signing")]
mod secrets;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_elasticloadbalancingv2::types::{Action, LoadBalancerTypeEnum, TargetGroupTuple};
use ebbtide_rules::observed::{
    DEPLOYMENT_TAG, ENVIRONMENT_TAG, Instance, InstanceState, RETIRING_TAG, SERVICE_TAG, Target,
};
use ebbtide_rules::record::{OutcomeItem, Record};
use ebbtide_rules::scaling::ScalingGroup;
use ebbtide_rules::shape::Environment;
use jiff::Timestamp;
use journal::Journal;

use crate::{Cloud, Ledger, Stack};

pub use alarms::FakeAlarm;
/// EC2's types, for tests that change the launch template.
#[cfg(feature = "instances")]
pub use aws_sdk_ec2::types as ec2_types;
pub use danger::{Attributes, Dangers};
pub use elb::forward;
pub use executions::Started;
pub use journal::{Noted, Things};
pub use layouts::{at_both, fleet_environment};
pub use records::{execution, recorded, recorded_in_groups};

/// The listener of the fake.
pub const LISTENER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/tunnel/1f/2e";
/// The second listener of a world that has two.
pub const SECOND_LISTENER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/tunnel/1f/3e";
/// Their load balancer.
pub const LOAD_BALANCER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/tunnel/1f";

/// A world, shared by the clients that see it.
#[derive(Debug, Clone)]
pub struct Fake {
    world: Arc<Mutex<World>>,
}

/// Everything there is.
#[derive(Debug, Clone)]
pub struct World {
    /// The service's record, if it has one.
    pub record: Option<Record>,
    /// A record of another version, attribute by attribute; where it is set, `record` is not read.
    pub former: Option<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>>,
    /// How deployments ended, in the order of their ends.
    pub outcomes: Vec<OutcomeItem>,
    /// The status of each execution, by its ARN; another is not known.
    pub executions: BTreeMap<String, String>,
    /// What was started.
    pub started: Vec<Started>,
    /// The alarms.
    pub alarms: Vec<FakeAlarm>,
    /// The versions of the signing secret, the current one last.
    pub secrets: Vec<String>,
    /// The instances.
    pub instances: Vec<Instance>,
    /// The target groups.
    pub groups: Vec<FakeGroup>,
    /// The listener's action list.
    pub actions: Vec<Action>,
    /// That of the second listener, if there is one.
    pub second: Option<Vec<Action>>,
    /// Rules of the listener, by ARN, with their actions.
    pub rules: Vec<(String, Vec<Action>)>,
    /// The load balancer's kind.
    pub load_balancer: LoadBalancerTypeEnum,
    /// The versions of the one launch template, `lt-1`.
    pub versions: i64,
    /// What each of those versions says.
    #[cfg(feature = "instances")]
    pub template: aws_sdk_ec2::types::ResponseLaunchTemplateData,
    /// What a preflight looks for.
    pub dangers: Dangers,
    /// Auto Scaling groups.
    pub scaling: Vec<ScalingGroup>,
    /// Why the groups' launches fail, in AWS's words; while there is a reason they launch nobody.
    pub launches_failed: Vec<String>,
    /// The client tokens that launches came with, and what they launched.
    pub launches: Vec<(String, Vec<String>)>,
    /// What a launched instance is at first.
    pub launched: InstanceState,
    /// What a terminated instance is at first.
    pub ended: InstanceState,
    /// Whether a lifecycle hook holds up the end of an Auto Scaling member: EC2 goes on to call it running.
    pub hooked: bool,
    /// Whether a target is healthy as soon as it is registered.
    pub healthy: bool,
    /// Whether ModifyListener changes nothing, as if somebody set it back at once.
    pub stubborn: bool,
    /// When launched instances were launched.
    pub now: Timestamp,
    /// The addresses of the next instances; without one an instance gets `10.0.0.…` by its number.
    pub addresses: VecDeque<String>,
    calls: Vec<String>,
    faults: Vec<(String, Fault)>,
    /// The fault of one of the next calls, whatever it is, and how many calls come before it.
    upcoming: Option<(usize, Fault)>,
    journal: Journal,
}

/// A target group.
#[derive(Debug, Clone)]
pub struct FakeGroup {
    /// Its ARN.
    pub arn: String,
    /// The name of its environment.
    pub environment: String,
    /// Its target type.
    pub target_type: String,
    /// Whether stickiness is on.
    pub sticky: bool,
    /// Its targets.
    pub targets: Vec<Target>,
}

/// What happens to the next call of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused is when AWS answers with this code and does nothing.
    Refused(&'static str),
    /// ReplyLost is when AWS acts and its reply never comes.
    ReplyLost,
    /// Unreachable is when the call never arrives.
    Unreachable,
    /// Superseding is when AWS acts and answers, and meanwhile every epoch in the record rises: this caller is late from here.
    Superseding,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake {
    /// A service `tunnel`: blue `tunnel-a` has three healthy instances and all the weight, green `tunnel-b` and the third
    /// environment `tunnel-c` are empty, and deployment `deploy-1` has claimed the front at epoch 5.
    pub fn new() -> Self {
        let mut world = World {
            record: Some(records::claimed()),
            former: None,
            outcomes: Vec::new(),
            executions: BTreeMap::new(),
            started: Vec::new(),
            alarms: Vec::new(),
            secrets: Vec::new(),
            instances: Vec::new(),
            groups: vec![group("a"), group("b"), group("c")],
            actions: Vec::new(),
            second: None,
            rules: Vec::new(),
            load_balancer: LoadBalancerTypeEnum::Application,
            versions: 7,
            #[cfg(feature = "instances")]
            template: ec2::plain_template(),
            dangers: Dangers::none(),
            scaling: Vec::new(),
            launches_failed: Vec::new(),
            launches: Vec::new(),
            launched: InstanceState::Running,
            ended: InstanceState::ShuttingDown,
            hooked: false,
            healthy: true,
            stubborn: false,
            now: Timestamp::UNIX_EPOCH,
            addresses: VecDeque::new(),
            calls: Vec::new(),
            faults: Vec::new(),
            upcoming: None,
            journal: Journal::default(),
        };
        for index in 1..=3 {
            world.add(
                &format!("i-{index}"),
                &format!("subnet-{index}"),
                Some("a"),
                &[],
            );
        }
        world.weigh(&[("a", 100), ("b", 0)]);
        Self {
            world: Arc::new(Mutex::new(world)),
        }
    }

    /// The world, to look at or to change.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The edge of a stack in this world.
    pub fn cloud(&self) -> Cloud {
        let stack = Stack {
            service: "tunnel".to_owned(),
            table: "ebbtide".to_owned(),
        };
        Cloud::new(connection::clients(self), stack)
    }

    /// What keep-record reads and writes in this world.
    pub fn ledger(&self) -> Ledger {
        let clients = connection::ledger_clients(self);
        Ledger::new(clients, "ebbtide".to_owned(), "tunnel".to_owned())
    }

    /// The table of records in this world.
    #[cfg(feature = "guard")]
    pub fn table(&self) -> crate::Table {
        crate::Table::of(connection::clients(self).dynamodb, "ebbtide".to_owned())
    }

    /// The signing secret in this world, under whatever ARN.
    #[cfg(feature = "signing")]
    pub fn signing_secrets(&self) -> crate::SigningSecrets {
        crate::SigningSecrets::of(connection::secrets_manager(self))
    }

    /// Makes the next call of an operation fail.
    pub fn fail(&self, operation: &str, fault: Fault) {
        self.world().faults.push((operation.to_owned(), fault));
    }

    /// Makes the call after the next `calls` ones fail, whatever it is; none takes back a fault that has not happened.
    pub fn fail_after(&self, fault: Option<(usize, Fault)>) {
        self.world().upcoming = fault;
    }

    /// What was changed since the last question, call by call, each with the record as it was read last since then.
    pub fn journal(&self) -> Vec<Noted> {
        self.world().journal.take()
    }

    /// The operations that changed something, or tried to, since the last question.
    pub fn changes(&self) -> Vec<String> {
        let reads = |call: &String| call.starts_with("Describe") || call.starts_with("Get");
        std::mem::take(&mut self.world().calls)
            .into_iter()
            .filter(|call| !reads(call))
            .collect()
    }
}

impl World {
    /// Adds a running instance, registered and healthy in `environment`'s group if one is named.
    pub fn add(
        &mut self,
        id: &str,
        subnet: &str,
        environment: Option<&str>,
        tags: &[(&str, &str)],
    ) {
        let number = self.instances.len() + 1;
        let ip = self.addresses.pop_front();
        self.instances.push(Instance {
            id: id.to_owned(),
            ip: Some(ip.unwrap_or_else(|| format!("10.0.0.{number}"))),
            subnet: Some(subnet.to_owned()),
            state: InstanceState::Running,
            ended_by: None,
            launched_at: Some(self.now),
            tags: tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        });
        if let Some(name) = environment {
            let group = self.group(&arn(name));
            group.targets.push(target(id, true));
        }
    }

    /// Adds a running instance of green as `launch-green` launches it.
    pub fn add_green(&mut self, id: &str, subnet: &str) {
        let tags = [
            (SERVICE_TAG, "tunnel"),
            (ENVIRONMENT_TAG, "tunnel-b"),
            (DEPLOYMENT_TAG, "deploy-1"),
        ];
        self.add(id, subnet, Some("b"), &tags);
    }

    /// Tags an instance as `hold-blue` does.
    pub fn retire(&mut self, id: &str, environment: &str) {
        let instance = self.instance(id);
        for (key, value) in [
            (SERVICE_TAG, "tunnel"),
            (ENVIRONMENT_TAG, environment),
            (RETIRING_TAG, "deploy-1"),
        ] {
            instance.tags.insert(key.to_owned(), value.to_owned());
        }
    }

    /// Sets the listener's weights by the last letter of each group.
    pub fn weigh(&mut self, weights: &[(&str, i32)]) {
        self.actions = vec![forward(weights)];
    }

    /// What the actions name, with its weight, by the ARN of the group.
    pub fn action(&self) -> BTreeMap<String, i32> {
        let actions = self.actions.iter().chain(self.second.iter().flatten());
        let configs = actions.filter_map(Action::forward_config);
        let tuples = configs.flat_map(|it| it.target_groups());
        let named = |tuple: &TargetGroupTuple| {
            let arn = tuple.target_group_arn()?.to_owned();
            Some((arn, tuple.weight().unwrap_or_default()))
        };
        tuples.filter_map(named).collect()
    }

    /// The weights of `tunnel-a` and `tunnel-b`.
    pub fn weights(&self) -> (i32, i32) {
        let action = self.action();
        let weight = |name: &str| action.get(&arn(name)).copied().unwrap_or_default();
        (weight("a"), weight("b"))
    }

    /// An Auto Scaling group.
    #[allow(
        clippy::panic,
        reason = "a test that names a group which is not there is wrong"
    )]
    pub fn scaling_group(&mut self, name: &str) -> &mut ScalingGroup {
        let found = self.scaling.iter_mut().find(|group| group.name == name);
        found.unwrap_or_else(|| panic!("no Auto Scaling group {name}"))
    }

    /// One instance.
    #[allow(
        clippy::panic,
        reason = "a test that names an instance which is not there is wrong"
    )]
    pub fn instance(&mut self, id: &str) -> &mut Instance {
        let found = self.instances.iter_mut().find(|instance| instance.id == id);
        found.unwrap_or_else(|| panic!("no instance {id}"))
    }

    /// One target group.
    #[allow(
        clippy::panic,
        reason = "a test that names a group which is not there is wrong"
    )]
    pub fn group(&mut self, arn: &str) -> &mut FakeGroup {
        let found = self.groups.iter_mut().find(|group| group.arn == arn);
        found.unwrap_or_else(|| panic!("no target group {arn}"))
    }

    /// Whether the fault of an upcoming call has happened.
    pub fn is_struck(&self) -> bool {
        self.upcoming.is_none()
    }

    fn fault(&mut self, operation: &str) -> Option<Fault> {
        match self.upcoming.take() {
            Some((0, fault)) => return Some(fault),
            Some((calls, fault)) => self.upcoming = Some((calls - 1, fault)),
            None => {}
        }
        let position = self.faults.iter().position(|(of, _)| of == operation)?;
        Some(self.faults.remove(position).1)
    }
}

/// The ARN of a target group by its last letter.
pub fn arn(name: &str) -> String {
    format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/tunnel-{name}/{name}")
}

/// An environment by its last letter.
pub fn environment(name: &str) -> Environment {
    Environment {
        target_group_arns: vec![arn(name)],
        name: format!("tunnel-{name}"),
        auto_scaling_group: None,
    }
}

/// A target, registered.
pub fn target(instance: &str, healthy: bool) -> Target {
    Target {
        instance: instance.to_owned(),
        registered: true,
        healthy,
        state: String::new(),
        ports: vec![80],
    }
}

fn group(name: &str) -> FakeGroup {
    FakeGroup {
        arn: arn(name),
        environment: environment(name).name,
        target_type: "instance".to_owned(),
        sticky: false,
        targets: Vec::new(),
    }
}
