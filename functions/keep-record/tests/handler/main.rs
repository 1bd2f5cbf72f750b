//! keep-record against an AWS in memory.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

mod alarms;
mod claims;
mod drains;
mod hand_on;
mod metrics;
mod repairs;
mod shapes;
mod writes;

use ebbtide_aws::fake::{Fake, environment, execution, recorded};
use ebbtide_rules::ErrorName;
use ebbtide_rules::check::Check;
use ebbtide_rules::document::{Act, Document, Invocation, Told};
use ebbtide_rules::examples;
use ebbtide_rules::plan::{Asked, Deploy, Plan};
use ebbtide_rules::record::{Answer, Doing, Next};
use ebbtide_rules::terminate::{Terminated, Verdict};
use ebbtide_rules::weights::{Moments, Repairs, Spans, Switched, Weights};
use jiff::{SignedDuration, Timestamp};
use keep_record::{Failed, handle};
use serde_json::json;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn after(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

/// One execution, with what it knows.
#[derive(Debug, Clone)]
struct Run {
    execution: String,
    document: Document,
}

impl Run {
    /// An execution that has planned; `epoch` is the record's as the plan saw it.
    fn planned(name: &str, deployment: &str, epoch: u64, asked: Asked) -> Self {
        let plan = Plan {
            deployment: deployment.to_owned(),
            execution: execution(name),
            service: "tunnel".to_owned(),
            epoch,
            asked,
        };
        Self {
            execution: execution(name),
            document: Document {
                requested: json!({}),
                plan: Some(plan),
                ..Document::default()
            },
        }
    }

    /// An execution that wants to deploy from `tunnel-a` to `tunnel-b`.
    fn deploys(name: &str, epoch: u64) -> Self {
        Self::planned(name, name, epoch, deploy(false))
    }

    /// The execution of `deploy-1`, which holds epoch 5, after an answer that it is about this.
    fn of_deploy_1(doing: Doing) -> Self {
        let mut run = Self::deploys("deploy-1", 4);
        run.document.record = Some(Answer {
            next: Next::Pass,
            turn: 3,
            epoch: 5,
            at: NOW,
            wait_seconds: 0,
            reason: "for this test".to_owned(),
            doing,
        });
        run
    }

    async fn asks(&self, fake: &Fake, act: Act) -> Result<Answer, Failed> {
        self.asks_at(fake, act, NOW).await
    }

    async fn asks_at(&self, fake: &Fake, act: Act, now: Timestamp) -> Result<Answer, Failed> {
        let invocation = Invocation {
            act,
            execution: self.execution.clone(),
            state: format!("{act:?}"),
            retries: 0,
            redrives: 0,
            document: self.document.clone(),
        };
        Box::pin(handle(&fake.ledger(), now, invocation, |_| ())).await
    }

    /// Asks, and keeps the answer as the definition does.
    async fn goes_on(&mut self, fake: &Fake, act: Act) -> Answer {
        let answer = self.asks(fake, act).await.unwrap();
        self.document.record = Some(answer.clone());
        answer
    }

    /// Asks, is refused under this name, and nothing has changed.
    async fn is_refused(&self, fake: &Fake, act: Act, name: ErrorName) -> String {
        let before = fake.world().record.clone();
        let failed = self.asks(fake, act).await.unwrap_err();
        assert_eq!(failed.name(), name, "{failed}");
        assert_eq!(fake.world().record, before);
        assert!(fake.world().started.is_empty());
        failed.to_string()
    }
}

fn deploy(dry_run: bool) -> Asked {
    Asked::Deploy(Deploy {
        dry_run,
        servers: Vec::new(),
        recorded: recorded("a", "b"),
    })
}

fn spans() -> Spans {
    Spans {
        step: 60,
        settle: 30,
        bake: 900,
        deadline: 86_400,
    }
}

const ALL_GREEN: Weights = Weights {
    blue: 0,
    green: 100,
};

fn draining() -> Doing {
    Doing::Draining {
        environment: environment("a"),
        moments: Moments::count(NOW, ALL_GREEN, &spans()),
    }
}

/// Confirmed weights, in an action that names these groups.
fn confirmed(epoch: u64, groups: &[&str]) -> Told<Switched> {
    Told {
        answer: Switched {
            epoch,
            confirmed_at: NOW,
            weights: ALL_GREEN,
            groups: groups
                .iter()
                .flat_map(|name| environment(name).target_group_arns)
                .collect(),
            moments: Moments::count(NOW, ALL_GREEN, &spans()),
            changed: false,
            repairs: Repairs::default(),
            blue_healthy: 3,
            green_healthy: 3,
        },
        unanswered_until: None,
    }
}

/// Everything has ended.
fn gone() -> Told<Terminated> {
    Told {
        answer: Terminated {
            verdict: Verdict::Gone,
            terminated: vec!["i-1".to_owned(), "i-2".to_owned()],
            ending: Vec::new(),
            refused: Vec::new(),
            remaining: 0,
            tried: None,
        },
        unanswered_until: None,
    }
}

/// One busy session is left, and the load balancer has settled.
fn check() -> Check {
    let mut check = examples::check(&[]);
    check.at = NOW;
    check.memory.changed_at = NOW;
    (check.counts.busy, check.counts.idle, check.counts.closed) = (1, 2, 5);
    check.outlook.wait_seconds = 7;
    check.outlook.waiting_for = "1 busy session".to_owned();
    check
}

#[tokio::test]
async fn what_other_functions_do_is_not_asked_of_it() {
    let fake = Fake::new();
    let run = Run::of_deploy_1(Doing::Launching);
    for act in [Act::Attach, Act::EndSealed, Act::Check] {
        run.is_refused(&fake, act, ErrorName::InvalidInput).await;
    }
}
