//! What situations are made of: environments, plans, documents, asks.

use ebbtide_rules::Environment;
use ebbtide_rules::check::Check;
use ebbtide_rules::document::{Document, Told};
use ebbtide_rules::plan::{Asked, Blue, Deploy, Green, Plan, Policy, Recorded};
use ebbtide_rules::record::{Alarms, Answer, Ask, Execution, Facts, Kind, Record};
use ebbtide_rules::shape::Retiring;
use ebbtide_rules::terminate::{Terminated, Verdict};
use ebbtide_rules::weights::{Moments, Switched, Weights};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

pub(crate) const NOON: Timestamp = Timestamp::constant(1_795_000_000, 0);

pub(crate) fn second(second: i64) -> Timestamp {
    NOON + SignedDuration::from_secs(second)
}

pub(crate) fn environment(letter: &str) -> Environment {
    Environment::of(vec![format!(
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/tunnel-{letter}/{letter}"
    )])
}

pub(crate) fn arn(execution: &str) -> String {
    format!("arn:aws:states:eu-west-1:123456789012:execution:tunnel:{execution}")
}

pub(crate) fn policy() -> Policy {
    Policy {
        healthy_seconds: 600,
        minimum_healthy: 3,
        blue_minimum: 3,
        steps: vec![50, 100],
        step_seconds: 60,
        bake_seconds: 900,
        alarms: vec!["errors".to_owned()],
        settle_seconds: 30,
        closures_per_second: 20,
        poll_seconds: 30,
        deadline_seconds: 86_400,
        detached: false,
        approve: Vec::new(),
        pause_seconds: 3600,
        most_passes: 400,
        pages: Default::default(),
        signing_secret: None,
        against_agents: Vec::new(),
    }
}

pub(crate) fn recorded(blue: &str, green: &str) -> Recorded {
    Recorded {
        blue: Blue {
            environment: environment(blue),
            healthy: 3,
        },
        green: Green {
            environment: environment(green),
            launch_template_id: "lt-1".to_owned(),
            launch_template_version: "7".to_owned(),
            subnets: Vec::new(),
            count: 3,
            group: None,
        },
        environments: ["a", "b", "c"].map(environment).to_vec(),
        listeners: vec!["arn:listener".to_owned()],
        policy: policy(),
        hash: "0123456789ab".to_owned(),
        warnings: Vec::new(),
    }
}

pub(crate) fn quiet() -> Facts {
    Facts {
        alarms: Some(Alarms {
            at: NOON,
            firing: Vec::new(),
            fired: Vec::new(),
            missing: Vec::new(),
        }),
        holder: None,
    }
}

pub(crate) fn holder(status: &str) -> Facts {
    Facts {
        holder: Some(Execution {
            running: status == "RUNNING",
            status: status.to_owned(),
        }),
        ..quiet()
    }
}

/// One execution with what it knows.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) document: Document,
    pub(crate) redrives: u64,
}

impl Run {
    /// An execution that has planned a deployment on a record at this epoch.
    pub(crate) fn planned(name: &'static str, epoch: u64, blue: &str, green: &str) -> Self {
        Self::of(
            name,
            name,
            epoch,
            Asked::Deploy(Deploy {
                dry_run: false,
                servers: Vec::new(),
                recorded: recorded(blue, green),
            }),
        )
    }

    pub(crate) fn of(
        name: &'static str,
        deployment: &'static str,
        epoch: u64,
        asked: Asked,
    ) -> Self {
        Self {
            name,
            redrives: 0,
            document: Document {
                requested: json!({}),
                plan: Some(Plan {
                    deployment: deployment.to_owned(),
                    execution: arn(name),
                    service: "tunnel".to_owned(),
                    epoch,
                    asked,
                }),
                ..Document::default()
            },
        }
    }

    pub(crate) fn ask(&self, kind: Kind) -> Ask {
        Ask {
            kind,
            execution: arn(self.name),
            state: format!("{kind:?}"),
            redrives: self.redrives,
            document: self.document.clone(),
        }
    }

    pub(crate) fn take(&mut self, answer: Answer) {
        self.document.record = Some(answer);
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.document.record.as_ref().unwrap().epoch
    }

    /// The weights that SwitchTargetGroup, or SwitchBack, has confirmed.
    pub(crate) fn switched(
        &self,
        at: Timestamp,
        weights: (u32, u32),
        groups: &[&str],
        retries: u32,
    ) -> Told<Switched> {
        let weights = Weights {
            blue: weights.0,
            green: weights.1,
        };
        let spans = ebbtide_rules::weights::Spans {
            step: 60,
            settle: 30,
            bake: 900,
            deadline: 86_400,
        };
        let switched = Switched {
            epoch: self.epoch(),
            weights,
            groups: groups
                .iter()
                .flat_map(|it| environment(it).target_group_arns)
                .collect(),
            moments: Moments::count(at, weights, &spans),
            confirmed_at: at,
            repairs: Default::default(),
            changed: false,
            blue_healthy: 3,
            green_healthy: 3,
        };
        Told::new(switched, retries, None, at)
    }
}

/// What HoldRetiring, LetBlueBe and LetBlueGo answer.
pub(crate) fn listed(letter: &str, retries: u32, at: Timestamp) -> Told<Retiring> {
    let retiring = Retiring {
        environment: environment(letter),
        servers: Vec::new(),
        gone: Vec::new(),
        waiting_to_end: Vec::new(),
        held_up: Vec::new(),
        listed_at: at,
    };
    Told::new(retiring, retries, None, at)
}

pub(crate) fn ended(verdict: Verdict, retries: u32, at: Timestamp) -> Told<Terminated> {
    let terminated = Terminated {
        verdict,
        terminated: vec!["i-1".to_owned(), "i-2".to_owned()],
        ending: Vec::new(),
        refused: Vec::new(),
        remaining: 0,
        tried: None,
    };
    Told::new(terminated, retries, None, at)
}

/// CheckDrained's answer with so many sessions left.
pub(crate) fn check(at: Timestamp, busy: u64, idle: u64, drains: bool) -> Check {
    serde_json::from_value(json!({
        "at": at, "sealed": [],
        "counts": {
            "busy": busy, "idle": idle, "closed": 5, "oldestBusySeconds": 40, "servers": 3, "sealed": 0, "gone": 0,
            "unknown": 0, "worst": [], "unknownServers": [],
        },
        "outlook": {
            "baking": !drains, "settled": drains, "waitSeconds": 7, "waitingFor": format!("{busy} busy sessions"),
            "forecast": {"endsAt": null, "perSecond": null, "text": ""},
        },
        "memory": {
            "changedAt": at, "unknownSince": {}, "deadlineAt": at + SignedDuration::from_hours(24), "redrives": 0,
            "measured": null,
        },
    }))
    .unwrap()
}

pub(crate) fn free() -> Record {
    Record::default()
}
