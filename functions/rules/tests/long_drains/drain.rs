//! The passes, as the state machine makes them.

use ebbtide_rules::check::{
    Check, CheckRefused, Deadline, Question, Standing, conclude, standing, whom_to_seal,
};
use ebbtide_rules::drain::{self, Decision, Pace};
use ebbtide_rules::report::{Reading, SessionReport};
use ebbtide_rules::{Environment, Fence, Retiring, Server};
use jiff::{SignedDuration, Timestamp};

use super::HOUR;
use super::bill::Bill;
use super::blue::Blue;

/// 2026-11-18T10:40:00Z, the switch.
const SWITCH: Timestamp = Timestamp::constant(1_794_998_400, 0);
/// Passes of one execution.
const MOST_PASSES: u64 = 400;
/// An operator looks after so long.
const OPERATOR: i64 = HOUR;

// Milliseconds that the Tasks take.
const HOLD: i64 = 1500;
const ALARMS: i64 = 300;
const CONFIRM: i64 = 800;
const DRAIN: i64 = 700;
const CHECK: i64 = 900;
const RECORD: i64 = 100;
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
    fence: Fence,
    /// Milliseconds since the switch.
    now: i64,
    tasks: u64,
    redrives: u64,
    may_seal: bool,
    check: Option<Check>,
}

impl Drain {
    pub(crate) fn new(blue: Blue, plan: Plan) -> Self {
        Self {
            blue,
            plan,
            bill: Bill::new(),
            fence: Fence {
                deployment: "blue-moon".to_owned(),
                epoch: 5,
            },
            now: 0,
            tasks: 0,
            redrives: 0,
            may_seal: false,
            check: None,
        }
    }

    /// Runs until EC2 calls every server terminated.
    pub(crate) fn run(mut self) -> Bill {
        for pass in 0..100_000 {
            if pass > 0 && pass % MOST_PASSES == 0 {
                self.bill.continues();
                self.redrives = 0;
            }
            if self.pass() {
                self.bill.ends(self.now);
                return self.bill;
            }
        }
        panic!("no end: {:?}", self.check)
    }

    /// Whether it is over.
    fn pass(&mut self) -> bool {
        self.bill.pass();
        self.lambda(HOLD);
        let retiring = self.retiring();
        self.bill.choice();
        let baked = self.now >= self.plan.bake_seconds * 1000;
        if baked && !self.may_seal {
            self.write();
            self.may_seal = true;
        }
        if !baked {
            self.task(ALARMS);
            self.bill.choice();
            self.lambda(CONFIRM);
        }
        self.bill.choice();
        if self.now >= self.plan.settle_seconds * 1000 {
            self.drain_idle(&retiring);
        }
        let check = self.check_drained(&retiring);
        self.write();
        self.bill.choice();
        let mut is_over = false;
        if !check.baking {
            self.terminate(&check);
            self.bill.choice();
            self.bill.choice();
            is_over = retiring.servers.is_empty() && retiring.waiting_to_end.is_empty();
        }
        if !is_over {
            self.bill.choice();
            self.sleep(i64::try_from(check.wait_seconds).unwrap() * 1000);
        }
        self.check = Some(check);
        is_over
    }

    fn drain_idle(&mut self, retiring: &Retiring) {
        self.lambda(DRAIN);
        let reports = self.reports(retiring);
        let question = drain::Question {
            pace: Pace::try_from(20.0).unwrap(),
            settled_at: Some(at(self.plan.settle_seconds * 1000)),
            changed_at: self.check.as_ref().map(|check| check.changed_at),
            baking: !self.may_seal,
            poll_seconds: self.plan.poll_seconds,
        };
        let reports: Vec<&SessionReport> = reports.iter().collect();
        match drain::decide(&reports, 0, &question, at(self.now)) {
            Decision::Order { orders, .. } => {
                for (instance, order) in orders {
                    let server = self.blue.server(&instance);
                    drain::taken(&server.drain(order, self.fence.epoch, self.now)).unwrap();
                }
            }
            Decision::NotSettled { settled_at } => panic!("not settled until {settled_at:?}"),
        }
    }

    fn check_drained(&mut self, retiring: &Retiring) -> Check {
        loop {
            self.lambda(CHECK);
            match self.conclude(retiring) {
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

    fn conclude(&mut self, retiring: &Retiring) -> Result<Check, CheckRefused> {
        let previous = self.check.clone();
        let fence = self.fence.clone();
        let question = Question {
            fence: &fence,
            retiring,
            settled_at: Some(at(self.plan.settle_seconds * 1000)),
            baked_at: Some(at(self.plan.bake_seconds * 1000)),
            step_began_at: None,
            step_ends_at: None,
            may_seal: self.may_seal,
            deadline: Deadline {
                at: Some(SWITCH + SignedDuration::from_secs(self.plan.deadline_seconds as i64)),
                term_seconds: self.plan.deadline_seconds,
                redrives: self.redrives,
            },
            poll_seconds: self.plan.poll_seconds,
            previous: previous.as_ref(),
            refused: &[],
        };
        let phase = question.phase(at(self.now));
        let standings: Vec<(String, Standing)> = self
            .reports(retiring)
            .into_iter()
            .map(|report| {
                let instance = report.instance.clone();
                let reading = Reading::Report(report);
                let seal = whom_to_seal(&reading, phase)
                    .then(|| self.blue.server(&instance).seal(fence.epoch));
                (instance, standing(reading, seal, &fence))
            })
            .collect();
        conclude(&standings, &question, at(self.now))
    }

    fn terminate(&mut self, check: &Check) {
        let noticed = self.now;
        self.lambda(TERMINATE);
        for instance in &check.sealed {
            let server = self.blue.server(instance);
            server.terminate(noticed);
            let (late, empty_since) = (noticed - server.empty_since, server.empty_since);
            // Whoever ended while baking was noticed then, and only had to be kept.
            if empty_since > self.plan.bake_seconds * 1000 {
                assert!(
                    late <= (empty_since / 10).min(300_000) + PASS,
                    "{late} at {empty_since}"
                );
                self.bill.noticed(late);
            }
        }
    }

    fn reports(&mut self, retiring: &Retiring) -> Vec<SessionReport> {
        let servers = retiring.servers.iter();
        servers
            .map(|server| self.blue.server(&server.instance).report())
            .collect()
    }

    fn retiring(&self) -> Retiring {
        Retiring {
            environment: Environment::of_arn("arn:aws:x:targetgroup/tunnel-a/1"),
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
            listed_at: at(self.now),
        }
    }

    fn lambda(&mut self, millis: i64) {
        self.sleep(millis);
        self.bill.lambda(millis);
        self.retry(millis);
    }

    fn task(&mut self, millis: i64) {
        self.sleep(millis);
        self.bill.task();
        self.retry(0);
    }

    fn write(&mut self) {
        self.sleep(RECORD);
        self.bill.write();
        self.retry(0);
    }

    fn retry(&mut self, millis: i64) {
        self.tasks += 1;
        if self.tasks.is_multiple_of(self.plan.tasks_per_retry) {
            self.bill.retry(millis);
            self.sleep(RETRY + millis);
        }
    }

    fn sleep(&mut self, millis: i64) {
        self.now += millis;
        self.blue.advance(self.now);
    }
}

fn at(millis: i64) -> Timestamp {
    SWITCH + SignedDuration::from_millis(millis)
}
