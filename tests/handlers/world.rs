//! The world of one case: AWS in memory, servers that really answer, executions, calls that may come late, and the time.
//!
//! Owns what happens by itself: users come and go, the load balancer looks at its targets, instances start and end. It
//! knows nothing of what is right; that is [`crate::rules`]'s.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;

use ebbtide_aws::fake::{Fake, Things, arn};
use ebbtide_rules::observed::InstanceState;
use ebbtide_rules::record::{Owner, Record};
use ebbtide_rules::scaling::{ScalingGroup, ScalingMember, Sizes};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::aws;
use crate::call::{Call, Ghost};
use crate::event::{Setup, Trouble};
use crate::execution::Execution;
use crate::fleet::Fleet;
use crate::functions::Functions;
use crate::rules::Ledger;
use crate::server::Server;

/// The environments, by the last letter of their groups.
pub(crate) const ENVIRONMENTS: [&str; 3] = ["a", "b", "c"];
/// How long EC2 takes to start and to end an instance, in seconds.
const INSTANCE_SECONDS: i64 = 2;
/// `drain.settleSeconds` of every deployment.
pub(crate) const SETTLE_SECONDS: i64 = 10;
/// The longest time-out of a function: a call of unknown outcome may arrive as long as that.
const GHOST_SECONDS: i64 = 60;

pub(crate) struct World {
    pub(crate) fake: Fake,
    pub(crate) fleet: Fleet,
    pub(crate) functions: Functions,
    pub(crate) executions: Vec<Execution>,
    /// How many calls of a Lambda were made.
    pub(crate) calls: usize,
    /// Calls whose outcome nobody knows, as long as they may arrive.
    pub(crate) ghosts: Vec<Ghost>,
    pub(crate) now: Timestamp,
    /// When the alarm last began.
    pub(crate) alarmed_at: Option<Timestamp>,
    pub(crate) alarm: bool,
    /// Whether somebody else has moved weights since a deployment last confirmed them.
    pub(crate) meddled: bool,
    pub(crate) ledger: Ledger,
    /// How often each state was entered, and each error met: `State` and `State: Error`.
    pub(crate) met: BTreeMap<String, u32>,
    /// What happened, for people.
    pub(crate) story: Vec<String>,
    pub(crate) setup: Setup,
    /// Instances that the load balancer finds unhealthy, whatever they do.
    ill: Vec<String>,
    /// The weights before the last change, and when that was.
    stale: (aws::Weights, Timestamp),
    deployments: usize,
}

impl World {
    pub(crate) async fn new(setup: &Setup) -> Self {
        let fleet = Fleet::new().await;
        let fake = Fake::new();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a moment");
        let blue: Vec<String> = (1..=setup.blue)
            .map(|number| format!("i-{number}"))
            .collect();
        {
            let mut world = fake.world();
            world.record = None;
            world.now = now;
            world.addresses = fleet.addresses().collect::<VecDeque<_>>();
            world.instances.clear();
            world.group(&arn("a")).targets.clear();
            for (number, id) in blue.iter().enumerate() {
                world.add(id, &format!("subnet-{number}"), Some("a"), &[]);
            }
            world.weigh(&[("a", 100)]);
            if setup.scaling {
                world.scaling.push(scaling_group(&blue));
            }
        }
        aws::with_alarm(&fake, now);
        let functions = Functions::new(fake.cloud(), fake.ledger(), &fleet.endpoint());
        let stale = (aws::weights(&fake), now);
        let mut world = Self {
            fake,
            fleet,
            functions,
            executions: Vec::new(),
            calls: 0,
            ghosts: Vec::new(),
            now,
            alarmed_at: None,
            alarm: false,
            meddled: false,
            ledger: Ledger::default(),
            met: BTreeMap::new(),
            story: Vec::new(),
            setup: setup.clone(),
            ill: Vec::new(),
            stale,
            deployments: 0,
        };
        world.follow().await;
        world
    }

    /// The record as it is.
    pub(crate) fn record(&self) -> Record {
        aws::record(&self.fake)
    }

    /// Those that the record names, the front first.
    pub(crate) fn owners(&self) -> Vec<Owner> {
        let record = self.record();
        let front = record.front.iter().map(|front| &front.owner);
        let mut owners: Vec<Owner> = Vec::new();
        for owner in front.chain(record.retiring.iter().map(|entry| &entry.owner)) {
            if !owners.iter().any(|it| it.deployment == owner.deployment) {
                owners.push(owner.clone());
            }
        }
        owners
    }

    /// Starts another deployment.
    pub(crate) fn deploy(&mut self) {
        let setup = &self.setup;
        let alarms: &[&str] = if setup.alarms { &[aws::ALARM] } else { &[] };
        let input = json!({
            "traffic": {"steps": setup.steps, "stepSeconds": 10},
            "bake": {"seconds": setup.bake_seconds, "alarms": alarms},
            "drain": {"settleSeconds": SETTLE_SECONDS, "detached": setup.detached},
            "minimumHealthyPercent": setup.minimum_percent,
            "approve": setup.approve,
        });
        self.execute(input);
    }

    /// Starts an execution with that input; says its name.
    pub(crate) fn execute(&mut self, input: Value) {
        self.deployments += 1;
        let name = format!("deploy-{}", self.deployments);
        self.tell(format!("{name} starts with {input}"));
        self.add_execution(&name, input);
    }

    /// An execution of that name runs from here on.
    pub(crate) fn add_execution(&mut self, name: &str, input: Value) {
        let execution = Execution::new(name, input, self.setup.passes);
        self.executions.push(execution);
    }

    /// How many executions people have started.
    pub(crate) fn started(&self) -> usize {
        self.deployments
    }

    /// The name of the execution that was started last by people.
    pub(crate) fn last_started(&self) -> String {
        format!("deploy-{}", self.deployments)
    }

    pub(crate) fn tell(&mut self, what: impl Display) {
        self.story.push(format!("{} {what}", self.now));
    }

    pub(crate) fn meet(&mut self, what: String) {
        *self.met.entry(what).or_default() += 1;
    }

    pub(crate) fn things(&self) -> Things {
        self.fake.world().things()
    }

    /// Every server, by its address.
    pub(crate) fn servers(&self) -> Vec<Server> {
        self.fleet.servers().by_ip.values().cloned().collect()
    }

    /// The server of an instance.
    pub(crate) fn server(&self, instance: &str) -> Option<Server> {
        let servers = self.fleet.servers();
        let mut all = servers.by_ip.values();
        all.find(|server| server.instance == instance).cloned()
    }

    /// Does something to one of the servers, counted round; nothing when there is none.
    pub(crate) fn with_server(&mut self, at: u8, act: impl FnOnce(&mut Server)) {
        let mut servers = self.fleet.servers();
        let count = servers.by_ip.len().max(1);
        if let Some(server) = servers.by_ip.values_mut().nth(usize::from(at) % count) {
            act(server);
        }
    }

    /// Whether some server will not answer at all.
    pub(crate) fn hangs(&self) -> bool {
        let hangs = |server: &Server| matches!(server.trouble, Some((Trouble::Hangs, _)));
        self.fleet.servers().by_ip.values().any(hangs)
    }

    /// A function that calls servers has waited for those that hung: they answer again.
    pub(crate) fn wake(&mut self, function: &str) {
        if ["TestGreen", "DrainIdle", "CheckDrained", "ResumeBlue"].contains(&function) {
            for server in self.fleet.servers().by_ip.values_mut() {
                server.trouble = server.trouble.filter(|(it, _)| *it != Trouble::Hangs);
            }
        }
    }

    /// Nobody knows what becomes of a call.
    pub(crate) fn lose(&mut self, call: Call) {
        self.ghosts.push(Ghost {
            call,
            read: aws::table(&self.fake),
            until: self.now + SignedDuration::from_secs(GHOST_SECONDS),
        });
    }

    /// The alarm begins, or ends.
    pub(crate) fn set_alarm(&mut self, fires: bool) {
        if fires && !self.alarm {
            self.alarmed_at = Some(self.now);
        }
        if fires != self.alarm {
            aws::set_alarm(&self.fake, fires, self.now);
        }
        self.alarm = fires;
    }

    /// Lets time pass: standing orders work, instances start and end, the load balancer looks.
    pub(crate) async fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        let now = self.now;
        self.ghosts.retain(|ghost| ghost.until > now);
        let closed: u32 = {
            let mut servers = self.fleet.servers();
            servers.now = self.now;
            let (now, servers) = (self.now, servers.by_ip.values_mut());
            servers.map(|server| server.close_idle(now, seconds)).sum()
        };
        if seconds >= INSTANCE_SECONDS {
            let mut world = self.fake.world();
            for instance in &mut world.instances {
                instance.state = match instance.state {
                    InstanceState::Pending => InstanceState::Running,
                    InstanceState::ShuttingDown => InstanceState::Terminated,
                    other => other,
                };
            }
            for group in &mut world.groups {
                group.targets.retain(|target| target.registered);
            }
        }
        self.fake.world().now = self.now;
        self.follow().await;
        for number in 0..closed {
            // Its client reconnects.
            self.arrive(u8::try_from(number % 6).unwrap_or(0), false, false);
        }
    }

    /// A session comes through the load balancer; it may be refused, as users may be.
    pub(crate) fn arrive(&mut self, at: u8, busy: bool, stale: bool) {
        let settles = self.now < self.stale.1 + SignedDuration::from_secs(SETTLE_SECONDS);
        let weights = if stale && settles {
            self.stale.0.clone()
        } else {
            aws::weights(&self.fake)
        };
        let mut targets = Vec::new();
        for (group, _) in weights.iter().filter(|(_, weight)| **weight > 0) {
            let group = self.fake.world().group(group).targets.clone();
            targets.extend(group.into_iter().filter(|it| it.registered && it.healthy));
        }
        let Some(target) = targets.get(usize::from(at) % targets.len().max(1)) else {
            return;
        };
        let mut servers = self.fleet.servers();
        let mut all = servers.by_ip.values_mut();
        if let Some(server) = all.find(|server| server.instance == target.instance) {
            server.enter(busy);
        }
    }

    /// The balancer finds an instance unhealthy, or healthy again.
    pub(crate) async fn fall_ill(&mut self, at: u8) {
        let instances = self.servers();
        if let Some(server) = instances.get(usize::from(at) % instances.len().max(1)) {
            let id = server.instance.clone();
            if let Some(position) = self.ill.iter().position(|ill| *ill == id) {
                self.ill.remove(position);
            } else {
                self.ill.push(id);
            }
        }
        self.follow().await;
    }

    /// Nobody is ill any more.
    pub(crate) async fn heal(&mut self) {
        self.ill.clear();
        self.follow().await;
    }

    /// Somebody ends an instance behind the deployment's back.
    pub(crate) async fn end_instance(&mut self, id: &str) {
        {
            let mut world = self.fake.world();
            world.instance(id).state = InstanceState::Terminated;
            for group in &mut world.groups {
                group.targets.retain(|target| target.instance != id);
            }
            for group in &mut world.scaling {
                group.members.retain(|member| member.instance != id);
            }
        }
        self.follow().await;
    }

    /// An operator, or an Auto Scaling group, adds a server to an environment; says its instance.
    pub(crate) async fn add_server(&mut self, group: &str) -> String {
        let id = {
            let mut world = self.fake.world();
            let id = format!("i-{}", world.instances.len() + 1);
            world.add(&id, "subnet-0", Some(group), &[]);
            id
        };
        self.follow().await;
        id
    }

    /// Servers and targets follow their instances, and the ledger what was served.
    pub(crate) async fn follow(&mut self) {
        let things = self.things();
        {
            let mut servers = self.fleet.servers();
            servers.now = self.now;
            for instance in &things.instances {
                let ip = instance
                    .ip
                    .clone()
                    .expect("an instance of the fake has an address");
                assert!(ip.starts_with("127."), "more instances than addresses");
                if instance.state == InstanceState::Running {
                    let new = || Server::new(&instance.id);
                    servers.by_ip.entry(ip).or_insert_with(new);
                } else if !instance.is_live()
                    && let Some(server) = servers.by_ip.get_mut(&ip)
                {
                    server.crash();
                }
            }
        }
        self.fleet.listen().await;
        let up: Vec<String> = self
            .servers()
            .into_iter()
            .filter(|server| server.up)
            .map(|server| server.instance)
            .collect();
        for group in &mut self.fake.world().groups {
            for target in &mut group.targets {
                let id = &target.instance;
                target.healthy = target.registered && up.contains(id) && !self.ill.contains(id);
            }
        }
        self.ledger.look(&self.things());
    }

    /// The weights have changed: the load balancer still knows those from before for a while.
    pub(crate) fn remember_weights(&mut self, before: aws::Weights) {
        self.stale = (before, self.now);
    }
}

fn scaling_group(members: &[String]) -> ScalingGroup {
    let count = u32::try_from(members.len()).expect("a few");
    ScalingGroup {
        name: "tunnel-a".to_owned(),
        sizes: Sizes {
            min: 1,
            max: count,
            desired: count,
        },
        members: members
            .iter()
            .map(|instance| ScalingMember {
                instance: instance.clone(),
                protected: false,
                lifecycle: "InService".to_owned(),
            })
            .collect(),
        ..ScalingGroup::default()
    }
}
