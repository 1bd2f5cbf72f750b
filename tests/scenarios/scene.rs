//! The stage of a scenario: a local cloud, the users' sessions, a deployment; its steps read as Given, When, Then.
//!
//! Owns the limits of every wait. Asserts what sessions, EC2 and the listener say, never only what the execution says.

mod record;
mod told;

use std::future::Future;
use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use ebbtide_local_cloud::alarms::State;
use ebbtide_local_cloud::execution::{Execution, Standing};
use ebbtide_local_cloud::host::ProcessState;
use ebbtide_local_cloud::options::Options;
use ebbtide_local_cloud::redrive::tasks_entered;
use ebbtide_local_cloud::wait::{Seen as Look, until};
use ebbtide_local_cloud::witness::{Testimony, Witness};
use ebbtide_local_cloud::{LocalCloud, Result};
use ebbtide_rules::record::{Outcome, Record};
use serde_json::{Value, json};

use crate::sessions::{Seen, Session};

/// When a scenario stops to hope. Nothing is held against the clock: on an idle machine all that it waits for happens within
/// two minutes, a call of a redrive that may still arrive and is waited out for 75 seconds among them; on a busy one it takes
/// as long as it takes.
pub const LIMIT: Duration = Duration::from_secs(900);

/// The environments' names, in the order in which they take turns.
pub const ENVIRONMENTS: [&str; 3] = ["tunnel-a", "tunnel-b", "tunnel-c"];

/// A local cloud, and the deployment that runs on it.
pub struct Scene {
    /// The cloud.
    pub cloud: LocalCloud,
    blue: Vec<String>,
}

/// The Tasks of an execution that owns nothing yet.
const BEFORE_THE_CLAIM: [&str; 4] = ["PlanDeployment", "TestBlue", "AskBlue", "ClaimService"];

/// Then the forward action named at every look only what somebody answered for, and nothing that drained had weight.
pub fn action_was_right(seen: &Testimony) {
    assert!(seen.looks > 0 && seen.wrong.is_empty(), "{:?}", seen.wrong);
}

/// A short bake and a short settling, so that a scenario spends its time on what it is about.
pub fn hasty() -> Value {
    json!({"bake": {"seconds": 3}, "drain": {"settleSeconds": 1}})
}

impl Scene {
    /// Given three blue servers behind the load balancer.
    pub async fn of_three_blue_servers() -> Self {
        Self::with(Options::default()).await
    }

    /// Given three blue servers in an Auto Scaling group, whose name comes with it.
    pub async fn of_a_fleet() -> (Self, String) {
        let options = Options {
            blue: 0,
            ..Options::default()
        };
        let Self { cloud, .. } = Self::with(options).await;
        let [fleet, ..] = cloud.fleet(3).await.expect("a fleet");
        (Self::on(cloud), fleet)
    }

    /// Given a group for each environment, the first one with this many members.
    pub async fn of_fleets(options: Options, members: i32) -> Self {
        let Self { cloud, .. } = Self::with(options).await;
        cloud.fleet(members).await.expect("a fleet");
        Self::on(cloud)
    }

    /// Given three blue servers in a group of this name, whose user never heard of Ebbtide.
    pub async fn of_a_strangers_group(name: &str) -> Self {
        let options = Options {
            blue: 0,
            ..Options::default()
        };
        let Self { cloud, .. } = Self::with(options).await;
        let made = cloud.strangers_group(name, 3).await;
        made.expect("a group");
        Self::on(cloud)
    }

    /// Given a cloud with these options.
    pub async fn with(options: Options) -> Self {
        let cloud = LocalCloud::start(options)
            .await
            .expect("the local cloud starts");
        Self::on(cloud)
    }

    fn on(cloud: LocalCloud) -> Self {
        let blue = cloud
            .servers()
            .into_iter()
            .map(|server| server.instance)
            .collect();
        Self { cloud, blue }
    }

    /// The instances that were blue at the start.
    pub fn blue(&self) -> &[String] {
        &self.blue
    }

    /// Given idle sessions, one of each name.
    pub async fn idle(&self, count: usize) -> Vec<Session> {
        let mut sessions = Vec::new();
        for index in 0..count {
            sessions.push(Session::open(self.cloud.listener(), &format!("idle-{index}")).await);
        }
        sessions
    }

    /// Given a session with a request in flight that is never answered.
    pub async fn busy(&self, name: &str) -> Session {
        let mut session = Session::open(self.cloud.listener(), name).await;
        session.become_busy(self.cloud.listener()).await;
        session
    }

    /// Given an alarm that does not fire.
    pub async fn quiet_alarm(&self, name: &str) {
        self.cloud.put_alarm(name).await.expect("an alarm");
        let quiet = self.cloud.set_alarm(name, State::Ok).await;
        quiet.expect("it is quiet");
    }

    /// When a deployment starts with this input.
    pub async fn deploy(&self, input: &Value) -> Execution {
        self.cloud
            .deploy(None, input)
            .await
            .expect("the execution starts")
    }

    /// When the deployment has entered a state this often.
    pub async fn passes(&self, execution: &Execution, state: &str, times: usize) {
        until(&format!("{times} entries of {state}"), LIMIT, || async {
            let states = execution.states().await?;
            let seen = states.iter().filter(|entered| *entered == state).count();
            let standing = execution.standing().await?;
            if seen < times && standing.status != ExecutionStatus::Running {
                panic!("it ended after {seen}: {}", standing.describe(None));
            }
            Ok(if seen >= times {
                Look::Done(())
            } else {
                Look::NotYet(format!("{seen} so far, last {:?}", states.last()))
            })
        })
        .await
        .expect("the passes go on");
    }

    /// Then something holds in time; `look` says what is there instead.
    pub async fn then<F, Fut>(&self, what: &str, look: F)
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<std::result::Result<(), String>>>,
    {
        until(what, LIMIT, || async {
            Ok(match look().await? {
                Ok(()) => Look::Done(()),
                Err(instead) => Look::NotYet(instead),
            })
        })
        .await
        .expect("it comes to hold");
    }

    /// Then every one of these sessions is closed by the server with code 1012.
    pub async fn all_handed_over(&self, sessions: &[Session]) {
        self.then("every idle session to be asked to move", || async {
            let other: Vec<_> = sessions
                .iter()
                .filter(|session| session.seen() != Seen::Closed(1012))
                .map(|session| (&session.name, session.seen()))
                .collect();
            Ok(if other.is_empty() {
                Ok(())
            } else {
                Err(format!("{other:?}"))
            })
        })
        .await;
    }

    /// Then the deployment ends well: green has all weight and is healthy, blue is gone, the service is free.
    pub async fn promoted(&self, execution: &Execution) -> Standing {
        self.promoted_into(execution, "tunnel-b").await
    }

    /// Then the deployment ends well with this environment as its green: it has all weight, the others are gone.
    pub async fn promoted_into(&self, execution: &Execution, green: &str) -> Standing {
        let standing = self.ends_well(execution).await;
        self.serves_alone(green).await;
        self.released("Promoted").await;
        standing
    }

    /// When a deployment goes on in a new execution: one that runs or ran beside `known`.
    pub async fn continues(&self, known: &[&str]) -> Execution {
        let new = async || {
            let executions = self.cloud.executions().await?;
            let names = executions.into_iter().map(|(name, _)| name);
            let mut new =
                names.filter(|name| name.contains("-part-") && !known.contains(&name.as_str()));
            Ok::<_, ebbtide_local_cloud::Error>(new.next())
        };
        self.then("a new execution", || async {
            Ok(new()
                .await?
                .map(|_| ())
                .ok_or_else(|| "none yet".to_owned()))
        })
        .await;
        let name = new().await.expect("executions").expect("a new one");
        self.cloud.execution(&name)
    }

    /// Then the deployment ends well, whoever else has the service.
    pub async fn ends_well(&self, execution: &Execution) -> Standing {
        let standing = execution.ended(LIMIT).await.expect("the execution ends");
        assert_eq!(
            standing.status,
            ExecutionStatus::Succeeded,
            "{}",
            standing.describe(None)
        );
        standing
    }

    /// Then every listener and rule gives a, b and c the same weights, which are these.
    pub async fn weights(&self) -> [Option<u32>; 3] {
        let all = self.cloud.all_weights().await.expect("weights");
        assert!(all.iter().all(|it| *it == all[0]), "{all:?}");
        all[0]
    }

    /// Then this environment has all weight and three servers, and no other one is named by the listener or runs.
    pub async fn serves_alone(&self, environment: &str) {
        let weights = ENVIRONMENTS.map(|name| (name == environment).then_some(100));
        assert_eq!(self.weights().await, weights);
        for name in ENVIRONMENTS {
            let running = self.running(name).await.len();
            let wanted = if name == environment { 3 } else { 0 };
            assert_eq!(running, wanted, "{name} runs");
        }
    }

    /// Then the deployment has changed nothing after all: the servers that were blue at the start have all weight and take
    /// sessions, green is gone, the service is free.
    pub async fn serves_as_before(&self, outcome: &str) {
        assert_eq!(self.weights().await, [Some(100), None, None]);
        let mut blue = self.blue.clone();
        blue.sort();
        assert_eq!(self.running("tunnel-a").await, blue);
        assert_eq!(self.running("tunnel-b").await, Vec::<String>::new());
        // Of blue's alone: the list of who runs is half a second old, and green has just ended.
        for (instance, report) in self.cloud.reports().await {
            if blue.contains(&instance) {
                assert_eq!(report.expect("a report").admission, "open", "{instance}");
            }
        }
        self.released(outcome).await;
    }

    /// When deployments run one after another, each one's green the next one's blue: all are promoted.
    pub async fn deployed_in_turn(&self, inputs: &[Value]) -> Vec<Execution> {
        let mut executions = Vec::new();
        for (input, green) in inputs.iter().zip(ENVIRONMENTS.iter().cycle().skip(1)) {
            let execution = self.deploy(input).await;
            self.promoted_into(&execution, green).await;
            executions.push(execution);
        }
        executions
    }

    /// When an execution that failed or was stopped is redriven (staged: see `ebbtide_local_cloud::redrive`).
    pub async fn redriven(&self, execution: &Execution) -> Execution {
        self.cloud
            .redrive(execution)
            .await
            .expect("the redrive starts")
    }

    /// When a former deployment's definition is entered again at each Task that it ever entered after its claim, with the
    /// first and the last input that its history shows: how each of those ends. Whoever owns the service now must not
    /// notice. Waits are short meanwhile, the owner's too. A plan is nobody's: entered again it would be a new deployment.
    pub async fn redriven_at_every_task(&self, execution: &Execution) -> Vec<(String, Standing)> {
        let emulators = self.cloud.emulators().expect("emulators");
        emulators.set_wait_scale(0.1).await.expect("scaled");
        let mut standings = Vec::new();
        let mut tasks = tasks_entered(execution).await.expect("its history");
        tasks.retain(|task| !BEFORE_THE_CLAIM.contains(&task.state.as_str()));
        for task in tasks {
            let again = task.last != task.first;
            let inputs = [Some(task.first), again.then_some(task.last)];
            for input in inputs.into_iter().flatten() {
                let started = self
                    .cloud
                    .redrive_at(execution, &task.state, &input)
                    .await
                    .expect("it starts");
                let standing = started.ended(LIMIT).await.expect("it ends");
                standings.push((task.state.clone(), standing));
            }
        }
        emulators.set_wait_scale(1.0).await.expect("scaled");
        standings
    }

    /// Then groups with weight never had fewer than three healthy targets, and nothing runs that nobody owns: what is
    /// tagged with a deployment is one of `serving`'s.
    pub async fn minimum_held(&self, witness: Witness, serving: &[&str]) {
        let seen = witness.testimony().await.expect("a testimony");
        assert_eq!(seen.fewest_with_weight, Some(3), "{seen:?}");
        action_was_right(&seen);
        let strays = self.cloud.strays(serving).await.expect("instances");
        assert_eq!(strays, []);
    }

    /// Then every one of these sessions is open, its request still in flight.
    pub fn all_still_busy<'a>(&self, sessions: impl IntoIterator<Item = &'a Session>) {
        for session in sessions {
            assert_eq!(session.seen(), Seen::Asked, "{}", session.name);
        }
    }

    /// Then the deployment fails with this error; returns its cause.
    pub async fn fails_with(&self, execution: &Execution, error: &str) -> String {
        let standing = execution.ended(LIMIT).await.expect("the execution ends");
        assert_eq!(
            standing.status,
            ExecutionStatus::Failed,
            "{}",
            standing.describe(None)
        );
        assert_eq!(
            standing.error.as_deref(),
            Some(error),
            "{}",
            standing.describe(None)
        );
        standing.cause.unwrap_or_default()
    }

    /// Then nobody holds the front, nothing retires, and the last deployment ended like this.
    pub async fn released(&self, outcome: &str) {
        let record = self.record().await;
        assert!(
            record.front.is_none() && record.retiring.is_empty(),
            "{record:?}"
        );
        let last = record.last.as_ref().map(Outcome::word);
        assert_eq!(last, Some(outcome), "{record:?}");
    }

    /// Then the table says that a deployment ended like this; why.
    pub async fn ended_as(&self, deployment: &str, outcome: &str) -> String {
        let item = self.cloud.deployment_item(deployment).await;
        let item = item.expect("the deployment's item");
        let found = item.get("outcome").map(String::as_str);
        assert_eq!(found, Some(outcome), "{deployment}: {item:?}");
        item.get("reason").cloned().unwrap_or_default()
    }

    /// Then the world is as it was before any deployment: weights, instances, and no lock.
    pub async fn untouched(&self) {
        let weights = self.weights().await;
        assert!(
            weights[0].is_some_and(|weight| weight > 0) && weights[1..] == [None, None],
            "{weights:?}"
        );
        assert_eq!(self.running("tunnel-a").await.len(), self.blue.len());
        assert_eq!(
            self.cloud.instances().await.expect("instances").len(),
            self.blue.len()
        );
        assert_eq!(self.record().await, Record::default());
    }

    /// The instances of an environment that EC2 calls neither terminated nor shutting down.
    pub async fn running(&self, environment: &str) -> Vec<String> {
        let instances = self.cloud.instances().await.expect("instances");
        let up = instances
            .into_iter()
            .filter(|instance| instance.is_up() && instance.environment() == Some(environment));
        let mut ids: Vec<String> = up.map(|instance| instance.id).collect();
        ids.sort();
        ids
    }

    /// The servers that something busy depends on: the one that holds the tunnel, and perhaps the one that carries its
    /// request because the load balancer sent it there. All in order.
    pub async fn in_use(&self) -> Vec<String> {
        let reports = self.cloud.reports().await.into_iter();
        let busy = reports.filter_map(|(instance, report)| {
            (report.expect("a report").busy > 0).then_some(instance)
        });
        busy.collect()
    }

    /// Whether the server process of an instance runs.
    pub fn lives(&self, instance: &str) -> bool {
        self.cloud
            .servers()
            .iter()
            .any(|server| server.instance == instance && server.process == ProcessState::Running)
    }

    /// The end: everything is gone.
    pub async fn ends(self) {
        self.cloud.stop().await;
    }
}
