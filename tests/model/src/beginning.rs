//! How it begins: the world of a configuration, and what PlanDeployment makes of it.

use ebbtide_rules::document::Document;
use ebbtide_rules::green_test::{self, Finding, Subject};
use ebbtide_rules::input::Then;
use ebbtide_rules::plan::{
    Asked, Blue, Deploy, Green, Holder, Plan, Policy, Recorded, green_percent, hash, holder,
    recorded,
};
use ebbtide_rules::record::Record;
use ebbtide_rules::roles::roles;

use crate::definition::DEFINITION;
use crate::kept::{Id, Keep};
use crate::model::{Comes, Deployments};
use crate::server::{Life, Server};
use crate::shipped::{self, LISTENER, SERVICE, environment, environments, group_of, target_group};
use crate::variants::Variant;
use crate::workflow;
use crate::world::{Execution, Role, Status, World};

impl Execution {
    /// One that has not been started.
    pub(crate) fn new(arn: Id<String>, deployment: u8, role: Role) -> Self {
        Self {
            arn,
            deployment,
            role,
            status: Status::Waiting,
            at: 0,
            wait: 0,
            document: Document::default().keep(),
            tried: false,
            redrives: 0,
            call: None,
            unheard: None,
            replaced: false,
        }
    }
}

impl Deployments {
    pub(crate) fn world(&self) -> World {
        let mut servers = Vec::new();
        let counts = [self.blue, self.green, self.third];
        for (group, count) in (0_u8..).zip(counts) {
            let life = if group == 0 { Life::Up } else { Life::Absent };
            for _ in 0..count {
                let mut server = Server::new(group, life, self.endpoint);
                server.served = group == 0;
                servers.push(server);
            }
        }
        for _ in 0..self.launches {
            servers.push(Server::new(0, Life::Absent, self.endpoint));
        }
        let mut executions = vec![execution("first", 0, Role::Deploys)];
        executions.extend(self.others.iter().map(|comes| match comes {
            Comes::Second => execution("second", 1, Role::Deploys),
            Comes::Third => execution("third", 2, Role::Deploys),
            Comes::TakesOver(whose, back) => {
                let name = format!("takes-over-{}-{back}", shipped::deployment(*whose));
                execution(&name, *whose, Role::TakesOver { back: *back })
            }
        }));
        World {
            servers,
            weights: [Some(100), None, None],
            stale: [false; 3],
            lost: [0; 3],
            record: Record::default().keep(),
            executions,
            strays: Vec::new(),
            ended: [None; 3],
            launched: 0,
            faults: self.faults,
            broken: 0,
        }
    }

    fn recorded(&self, deployment: u8, blue: u8, green: u8) -> Recorded {
        let tick = u32::try_from(self.clock.tick()).unwrap_or(0);
        let count = u32::from([self.blue, self.green, self.third][usize::from(green)]);
        Recorded {
            blue: Blue {
                environment: environment(blue).clone(),
                healthy: 0,
            },
            green: Green {
                environment: environment(green).clone(),
                launch_template_id: String::new(),
                launch_template_version: String::new(),
                subnets: Vec::new(),
                count,
                group: None,
            },
            environments: environments(),
            listeners: vec![LISTENER.to_owned()],
            policy: Policy {
                healthy_seconds: 300,
                minimum_healthy: u32::from(self.minimum),
                blue_minimum: u32::from(self.minimum),
                steps: self.steps.to_vec(),
                step_seconds: tick,
                bake_seconds: tick * u32::from(self.bake),
                alarms: vec!["alarm".to_owned()],
                settle_seconds: tick * u32::from(self.settle),
                closures_per_second: 1,
                poll_seconds: 30,
                deadline_seconds: 100_000_000,
                detached: self.detached,
                approve: self.approve.to_vec(),
                pause_seconds: 3600,
                most_passes: u32::MAX,
                pages: ebbtide_rules::plan::Pages::default(),
                signing_secret: None,
                against_agents: Vec::new(),
            },
            hash: hash(shipped::deployment(deployment)),
            warnings: Vec::new(),
        }
    }

    /// Starts an execution that waits to be started.
    pub(crate) fn begin(&self, world: &mut World, number: usize) -> bool {
        world.executions[number].status = Status::Running;
        let requested = workflow::requested().keep();
        workflow::goes_to(self, world, number, requested, DEFINITION.start());
        plan(self, world, number)
    }
}

fn execution(name: &str, deployment: u8, role: Role) -> Execution {
    Execution::new(shipped::arn(name).keep(), deployment, role)
}

/// PlanDeployment. False where it refuses: nothing is touched, and it may be started again.
pub(crate) fn plan(model: &Deployments, world: &mut World, number: usize) -> bool {
    let Some(asked) = asked(model, world, number) else {
        return false;
    };
    let execution = &world.executions[number];
    let document = Document {
        plan: Some(Plan {
            deployment: shipped::deployment(execution.deployment).to_owned(),
            execution: execution.arn.get().clone(),
            service: SERVICE.to_owned(),
            epoch: world.record().epoch,
            asked,
        }),
        ..workflow::requested()
    };
    let (_, next) = DEFINITION.answered(execution.at);
    workflow::goes_to(model, world, number, document.keep(), next);
    true
}

fn asked(model: &Deployments, world: &World, number: usize) -> Option<Asked> {
    let execution = &world.executions[number];
    let record = world.record();
    let owner_runs = || {
        let owner = record.front.as_ref().map(|front| &front.owner.execution);
        owner.is_some_and(|owner| world.runs(owner.clone().keep()))
    };
    match execution.role {
        Role::Continues => None,
        Role::TakesOver { back } => {
            let deployment = shipped::deployment(execution.deployment);
            let recorded = recorded(record, deployment).ok()?;
            let front = record.front_of(deployment).map(|front| &front.owner);
            let owner = front.or(record.entry_of(deployment).map(|entry| &entry.owner))?;
            // The claim would refuse it.
            if world.runs(owner.execution.clone().keep()) {
                return None;
            }
            Some(Asked::TakeOver {
                then: if back { Then::RollBack } else { Then::Continue },
                green_weight: green_percent(&[world.shipped_forward()], &recorded),
                recorded,
            })
        }
        Role::Deploys => match holder(record, execution.arn.get()) {
            Holder::Switched => None,
            Holder::Another if owner_runs() => None,
            Holder::Another => Some(Asked::Held { dry_run: false }),
            Holder::Free => deploys(model, world, execution.deployment),
        },
    }
}

/// The preflight's part that matters here: which environment is which, and that blue can be drained.
fn deploys(model: &Deployments, world: &World, deployment: u8) -> Option<Asked> {
    let configured = &environments()[..model.environments()];
    let listeners = [world.shipped_listener()];
    let found = roles(&listeners, configured, &world.record().retiring).ok()?;
    let group = |of| group_of(target_group(of));
    let (blue, green) = (group(&found.blue), group(&found.green));
    let of = |group| {
        let servers = world.servers.iter().enumerate();
        servers.filter(move |(_, server)| server.group == group && server.is_live())
    };
    let fence = ebbtide_rules::Fence {
        deployment: shipped::deployment(deployment).to_owned(),
        epoch: world.record().epoch + 1,
    };
    let drainable = of(blue).all(|(number, server)| {
        let reading = server.read(&world.instance(number), Variant::Shipped);
        green_test::of_reading(&reading, &fence, Subject::Blue, &Policy::default()) == Finding::Fit
    });
    let strangers = of(green).any(|(_, server)| server.launched_by != Some(deployment));
    if !drainable || of(blue).count() < usize::from(model.minimum) || strangers {
        return None;
    }
    Some(Asked::Deploy(Deploy {
        dry_run: false,
        servers: Vec::new(),
        recorded: model.recorded(deployment, blue, green),
    }))
}
