//! The passes, as the definition orders them and `record::decide` decides them.

use ebbtide_rules::check::{
    Check, CheckRefused, Deadline, Question, Standing, conclude, standing, whom_to_seal,
};
use ebbtide_rules::document::{Document, Told};
use ebbtide_rules::drain::{self, Decision, Pace};
use ebbtide_rules::plan::{Asked, Blue as BluePlan, Deploy, Green, Policy, Recorded};
use ebbtide_rules::record::{Ask, Facts, Kind, Record, decide};
use ebbtide_rules::report::{Reading, SessionReport};
use ebbtide_rules::terminate::{Terminated, Verdict};
use ebbtide_rules::weights::{Moments, Spans, Switched, Weights};
use ebbtide_rules::{Environment, Fence, Retiring, Server};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::HOUR;
use super::bill::Bill;
use super::blue::Blue;
use super::walk::{State, Walk};

/// 2026-11-18T10:40:00Z, the switch.
const SWITCH: Timestamp = Timestamp::constant(1_794_998_400, 0);
/// Passes of one execution.
const MOST_PASSES: u32 = 400;
/// By how long a bake may be longer than planned: until calls that were not answered cannot arrive any more, and a pass.
const LONGER: i64 = 600_000;
/// An operator looks after so long.
const OPERATOR: i64 = HOUR;

// Milliseconds that the Tasks take.
const HOLD: i64 = 1500;
const CONFIRM: i64 = 800;
/// Where nobody is to be asked.
const ASK: i64 = 50;
const DRAIN: i64 = 700;
const CHECK: i64 = 900;
const DECIDE: i64 = 300;
const TERMINATE: i64 = 700;
/// The longest that a pass takes, with its retries.
const PASS: i64 = 10_000;
/// Until a failed Task is tried again.
const RETRY: i64 = 2000;

/// The policy, and what the simulation does to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) settle_seconds: i64,
    pub(crate) bake_seconds: i64,
    pub(crate) deadline_seconds: u64,
    pub(crate) poll_seconds: u64,
    /// One Task in so many fails once.
    pub(crate) tasks_per_retry: u64,
    /// Whether a redrive's Arguments are evaluated anew.
    pub(crate) is_redrive_told: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            settle_seconds: 30,
            bake_seconds: 900,
            deadline_seconds: 8 * 86_400,
            poll_seconds: 30,
            tasks_per_retry: 20,
            is_redrive_told: true,
        }
    }
}

pub(crate) struct Drain {
    blue: Blue,
    plan: Plan,
    bill: Bill,
    walk: Walk,
    record: Record,
    document: Document,
    execution: String,
    /// Milliseconds since the switch.
    now: i64,
    tasks: u64,
    redrives: u64,
}

const ARN: &str = "arn:aws:states:eu-west-1:123456789012:execution:tunnel:";

impl Drain {
    /// A deployment that has switched; its first pass begins.
    pub(crate) fn new(blue: Blue, plan: Plan) -> Self {
        let mut drain = Self {
            blue,
            plan,
            bill: Bill::new(),
            walk: Walk::new(),
            record: Record::default(),
            document: Document::default(),
            execution: format!("{ARN}blue-moon"),
            now: 0,
            tasks: 0,
            redrives: 0,
        };
        drain.document.plan = Some(ebbtide_rules::plan::Plan {
            deployment: "blue-moon".to_owned(),
            execution: drain.execution.clone(),
            service: "tunnel".to_owned(),
            epoch: 0,
            asked: Asked::Deploy(Deploy {
                dry_run: false,
                servers: Vec::new(),
                recorded: recorded(plan),
            }),
        });
        drain.decide(Kind::Claim, "ClaimService");
        drain.decide(Kind::Switch, "RecordSwitch");
        drain
    }

    /// Runs until the deployment has ended.
    pub(crate) fn run(mut self) -> Bill {
        let mut state = "HoldRetiring".to_owned();
        for _ in 0..10_000_000 {
            match self.walk.state(&state, &self.words()) {
                State::Task(act) => {
                    self.task(&state, &act);
                    state = self.walk.next(&state);
                }
                State::Choice(next) => {
                    self.bill.choice();
                    state = next;
                }
                State::Wait(seconds) => {
                    self.bill.choice();
                    self.sleep(i64::try_from(seconds).unwrap() * 1000);
                    state = self.walk.next(&state);
                }
                State::End => {
                    let ended = self.document.record.as_ref().unwrap();
                    let Some(successor) = ended.successor() else {
                        self.bill.ends(self.now);
                        return self.bill;
                    };
                    self.execution = format!("{ARN}{successor}");
                    self.document.continued = Some(json!(true));
                    self.redrives = 0;
                    self.bill.continues();
                    state = self.walk.start();
                }
            }
        }
        panic!("no end: {:?}", self.document.check)
    }

    /// What Choices and Waits look at.
    fn words(&self) -> Value {
        let verdict = self.document.terminate.as_ref().map(|it| it.verdict);
        let mut words = json!({"record": self.document.record, "terminate": {"verdict": verdict}});
        if let Some(continued) = &self.document.continued {
            words["continued"] = continued.clone();
        }
        words
    }

    fn task(&mut self, state: &str, act: &str) {
        match act {
            "hold" => {
                self.bill.pass();
                let retries = self.lambda(HOLD);
                let former = self.document.retiring.take();
                let told = Told::new(self.retiring(), retries, former.as_ref(), at(self.now));
                self.document.retiring = Some(told);
            }
            "weigh" => {
                let retries = self.lambda(CONFIRM);
                let former = self.document.switch.take();
                let switched = self.switched(&["a", "b"]);
                let told = Told::new(switched, retries, former.as_ref(), at(self.now));
                self.document.switch = Some(told);
            }
            "detach" => {
                self.lambda(CONFIRM);
                let told = Told::new(self.switched(&["b"]), 0, None, at(self.now));
                self.document.detached = Some(told);
            }
            "askService" => {
                self.lambda(ASK);
            }
            "drain" => self.drain_idle(),
            "check" => self.document.check = Some(self.check_drained()),
            "pass" => self.decide(Kind::Pass, state),
            "endSealed" => self.terminate(),
            "handOn" => self.decide(Kind::HandOn, state),
            "adopt" => self.decide(Kind::Adopt, state),
            "release" => self.decide(Kind::Release, state),
            other => panic!("{state} does {other}"),
        }
    }

    fn decide(&mut self, kind: Kind, state: &str) {
        self.lambda(DECIDE);
        self.bill.write();
        let ask = Ask {
            kind,
            execution: self.execution.clone(),
            state: state.to_owned(),
            redrives: self.redrives,
            document: self.document.clone(),
        };
        let made = decide(&self.record, &ask, &Facts::default(), at(self.now)).unwrap();
        self.record = made.record;
        self.document.record = Some(made.answer);
    }

    fn fence(&self) -> Fence {
        self.document.fence().unwrap()
    }

    fn switched(&self, groups: &[&str]) -> Switched {
        let weights = Weights {
            blue: 0,
            green: 100,
        };
        let spans = Spans {
            step: 60,
            settle: u32::try_from(self.plan.settle_seconds).unwrap(),
            bake: u32::try_from(self.plan.bake_seconds).unwrap(),
            deadline: u32::try_from(self.plan.deadline_seconds).unwrap(),
        };
        Switched {
            epoch: self.fence().epoch,
            weights,
            groups: groups.iter().map(|it| arn(it)).collect(),
            moments: Moments::count(SWITCH, weights, &spans),
            confirmed_at: SWITCH,
            repairs: Default::default(),
            changed: false,
            blue_healthy: 10,
            green_healthy: 10,
        }
    }

    fn drain_idle(&mut self) {
        self.lambda(DRAIN);
        let settled_at = self.document.moments().and_then(|it| it.settled_at);
        let question = drain::Question {
            pace: Pace::of(20),
            settled_at,
            changed_at: self
                .document
                .check
                .as_ref()
                .map(|check| check.memory.changed_at),
            baking: !self.document.may_seal(),
            poll_seconds: self.plan.poll_seconds,
        };
        if drain::not_settled(&question, at(self.now)).is_some() {
            return;
        }
        let epoch = self.fence().epoch;
        let reports = self.reports();
        let reports: Vec<&SessionReport> = reports.iter().collect();
        match drain::decide(&reports, 0, &question, at(self.now)) {
            Decision::Order { orders, .. } => {
                for (instance, order) in orders {
                    let server = self.blue.server(&instance);
                    drain::taken(&server.drain(order, epoch, self.now)).unwrap();
                }
            }
            Decision::NotSettled { settled_at } => panic!("not settled until {settled_at:?}"),
        }
    }

    fn check_drained(&mut self) -> Check {
        loop {
            self.lambda(CHECK);
            match self.conclude() {
                Ok(check) => return check,
                Err(CheckRefused::DeadlineExceeded(_)) => {
                    self.bill.failures += 1;
                    self.redrives += u64::from(self.plan.is_redrive_told);
                    self.sleep(OPERATOR);
                    // It was down meanwhile, so orders have lapsed; the servers stay as they are.
                    for server in &mut self.blue.servers {
                        server.lapse();
                    }
                }
                Err(refused) => panic!("{refused}"),
            }
        }
    }

    fn conclude(&mut self) -> Result<Check, CheckRefused> {
        let document = self.document.clone();
        let (fence, retiring) = (self.fence(), document.retiring().unwrap());
        let moments = document.moments();
        let question = Question {
            fence: &fence,
            retiring,
            settled_at: moments.and_then(|it| it.settled_at),
            baked_at: moments.and_then(|it| it.baked_at),
            step_began_at: None,
            step_ends_at: None,
            may_seal: document.may_seal(),
            deadline: Deadline {
                at: moments.and_then(|it| it.deadline_at),
                term_seconds: self.plan.deadline_seconds,
                redrives: self.redrives,
            },
            poll_seconds: self.plan.poll_seconds,
            previous: document.check.as_ref(),
            refused: &[],
            repairs: None,
            service: None,
        };
        let stage = question.stage(at(self.now));
        let standings: Vec<(String, Standing)> = self
            .reports()
            .into_iter()
            .map(|report| {
                let instance = report.instance.clone();
                let reading = Reading::Report(report);
                let seal = whom_to_seal(&reading, stage)
                    .then(|| self.blue.server(&instance).seal(fence.epoch));
                (instance, standing(reading, seal, &fence))
            })
            .collect();
        conclude(&standings, &question, at(self.now))
    }

    fn terminate(&mut self) {
        let noticed = self.now;
        let retries = self.lambda(TERMINATE);
        let sealed = self.document.check.as_ref().unwrap().sealed.clone();
        for instance in &sealed {
            let server = self.blue.server(instance);
            server.terminate(noticed);
            let (late, empty_since) = (noticed - server.empty_since, server.empty_since);
            // Whoever ended while baking was noticed then, and only had to be kept; the bake may last a little longer.
            if empty_since > self.plan.bake_seconds * 1000 + LONGER {
                assert!(
                    late <= (empty_since / 10).min(300_000) + PASS,
                    "{late} at {empty_since}"
                );
                self.bill.noticed(late);
            }
        }
        let left = self.retiring();
        let is_left = !(left.servers.is_empty() && left.waiting_to_end.is_empty());
        let terminated = Terminated {
            tried: None,
            verdict: if is_left {
                Verdict::Left
            } else {
                Verdict::Gone
            },
            terminated: left.gone,
            ending: left.waiting_to_end,
            refused: Vec::new(),
            remaining: left.servers.len(),
        };
        let former = self.document.terminate.take();
        let told = Told::new(terminated, retries, former.as_ref(), at(self.now));
        self.document.terminate = Some(told);
    }

    fn reports(&mut self) -> Vec<SessionReport> {
        let servers = self.document.retiring().unwrap().servers.iter();
        servers
            .map(|server| self.blue.server(&server.instance).report())
            .collect()
    }

    fn retiring(&self) -> Retiring {
        Retiring {
            environment: environment("a"),
            servers: self
                .blue
                .listed()
                .map(|server| Server {
                    instance: server.instance.clone(),
                    ip: "10.0.0.4".to_owned(),
                })
                .collect(),
            gone: self.blue.gone(self.now),
            waiting_to_end: self.blue.ending(self.now),
            held_up: Vec::new(),
            listed_at: at(self.now),
        }
    }

    /// How often it had to be tried again.
    fn lambda(&mut self, millis: i64) -> u32 {
        self.sleep(millis);
        self.bill.lambda(millis);
        self.tasks += 1;
        // Scattered evenly, and the same in every run.
        let drawn = self.tasks.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        if !drawn.is_multiple_of(self.plan.tasks_per_retry) {
            return 0;
        }
        self.bill.retry(millis);
        self.sleep(RETRY + millis);
        1
    }

    fn sleep(&mut self, millis: i64) {
        self.now += millis;
        self.blue.advance(self.now);
    }
}

fn at(millis: i64) -> Timestamp {
    SWITCH + SignedDuration::from_millis(millis)
}

fn arn(letter: &str) -> String {
    format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/tunnel-{letter}/1")
}

fn environment(letter: &str) -> Environment {
    Environment::of(vec![arn(letter)])
}

fn recorded(plan: Plan) -> Recorded {
    Recorded {
        blue: BluePlan {
            environment: environment("a"),
            healthy: 10,
        },
        green: Green {
            environment: environment("b"),
            launch_template_id: "lt-1".to_owned(),
            launch_template_version: "7".to_owned(),
            subnets: Vec::new(),
            count: 10,
            group: None,
        },
        environments: ["a", "b"].map(environment).to_vec(),
        listeners: vec!["arn:listener".to_owned()],
        policy: Policy {
            steps: vec![100],
            bake_seconds: u32::try_from(plan.bake_seconds).unwrap(),
            deadline_seconds: u32::try_from(plan.deadline_seconds).unwrap(),
            most_passes: MOST_PASSES,
            ..Policy::default()
        },
        hash: "0123456789ab".to_owned(),
        warnings: Vec::new(),
    }
}
