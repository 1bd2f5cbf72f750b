//! Records and documents as examples: deployment `deploy-1` at epoch 5, execution `arn:execution`, blue and green.
//!
//! For tests alone, those of the functions among them; refuses nothing.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::check::{Check, Counts, Forecast, Memory, Outlook, Since};
use crate::document::{Act, Document, Invocation, Told};
use crate::plan::{Asked, Blue, Deploy, Green, Plan, Policy, Recorded, SubnetShare, hash};
use crate::record::{
    Answer, Clearing, Course, Doing, Entry, Front, Next, Outcome, Owner, Phase, Record, State,
    Wishes,
};
use crate::shape::{Environment, Retiring, Server};
use crate::weights::{Moments, Spans, Switched, Weights};

/// 2026-11-22T10:00:00Z.
pub const NOW: Timestamp = Timestamp::constant(1_795_341_600, 0);
/// The deployment.
pub const DEPLOYMENT: &str = "deploy-1";
/// Its execution.
pub const EXECUTION: &str = "arn:execution";
/// Its epoch.
pub const EPOCH: u64 = 5;

/// Some seconds after [`NOW`].
pub fn after(seconds: i64) -> Timestamp {
    NOW.saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or(NOW)
}

/// An environment whose target group's ARN is `arn:NAME`.
pub fn environment(name: &str) -> Environment {
    Environment {
        target_group_arns: vec![format!("arn:{name}")],
        name: name.to_owned(),
        auto_scaling_group: None,
    }
}

/// Who owns what `deploy-1` owns.
pub fn owner() -> Owner {
    Owner {
        deployment: DEPLOYMENT.to_owned(),
        execution: EXECUTION.to_owned(),
        epoch: EPOCH,
    }
}

/// Another deployment, `deploy-0` at epoch 4.
pub fn another() -> Owner {
    Owner {
        deployment: "deploy-0".to_owned(),
        execution: "arn:another".to_owned(),
        epoch: 4,
    }
}

/// A plan for two environments of those of the service: three servers, all of which have to be healthy.
pub fn recorded(blue: &Environment, green: &Environment, others: &[Environment]) -> Recorded {
    let pair = [blue.clone(), green.clone()];
    Recorded {
        blue: Blue {
            environment: blue.clone(),
            healthy: 3,
        },
        green: Green {
            environment: green.clone(),
            launch_template_id: "lt-1".to_owned(),
            launch_template_version: "7".to_owned(),
            subnets: vec![SubnetShare {
                subnet_id: "subnet-1".to_owned(),
                count: 3,
            }],
            count: 3,
            group: None,
        },
        environments: pair.into_iter().chain(others.iter().cloned()).collect(),
        listeners: vec!["arn:listener".to_owned()],
        policy: policy(),
        hash: hash(DEPLOYMENT),
        warnings: Vec::new(),
    }
}

/// The numbers of that plan.
pub fn policy() -> Policy {
    Policy {
        healthy_seconds: 600,
        minimum_healthy: 3,
        blue_minimum: 3,
        steps: vec![100],
        step_seconds: 60,
        bake_seconds: 900,
        alarms: Vec::new(),
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

/// A way that began now.
pub fn course() -> Course {
    Course::begun(NOW)
}

/// The front of `deploy-1`, in a phase.
pub fn front(plan: Recorded, phase: Phase) -> Front {
    let weights = match &phase {
        Phase::Switched => Weights {
            blue: 0,
            green: 100,
        },
        _ => Weights {
            blue: 100,
            green: 0,
        },
    };
    Front {
        owner: owner(),
        phase,
        plan,
        weights,
        course: course(),
        wishes: Wishes::default(),
        waits: None,
    }
}

/// The phase of a deployment that ends what `deploy-0` left.
pub fn superseding(blue: &Environment, green: &Environment) -> Phase {
    Phase::Superseding {
        clearing: Clearing {
            deployment: another().deployment,
            blue: blue.clone(),
            green: green.clone(),
            green_version: None,
            listeners: vec!["arn:listener".to_owned()],
        },
    }
}

/// The phase of a deployment on its way back.
pub fn rolling_back() -> Phase {
    Phase::RollingBack {
        reason: "in state ALARM: errors".to_owned(),
    }
}

/// An environment that `owner` empties.
pub fn entry(environment: &Environment, owner: Owner, plan: Recorded) -> Entry {
    Entry {
        environment: environment.clone(),
        owner,
        state: State::Draining,
        outcome: Outcome::Promoted,
        plan,
        course: course(),
        moments: moments(),
    }
}

/// A record at epoch 5 with this front.
pub fn record(front: Option<Front>, retiring: Vec<Entry>) -> Record {
    Record {
        revision: 9,
        epoch: EPOCH,
        front,
        retiring,
        ..Record::default()
    }
}

/// Moments of all the weight that moved now: settled in 30 s, baked in 900.
pub fn moments() -> Moments {
    let spans = Spans {
        step: 60,
        settle: 30,
        bake: 900,
        deadline: 86_400,
    };
    let all = Weights {
        blue: 0,
        green: 100,
    };
    Moments::count(NOW, all, &spans)
}

/// Confirmed weights of the pair at epoch 5.
pub fn switched(weights: Weights, groups: &[&Environment]) -> Told<Switched> {
    told(Switched {
        epoch: EPOCH,
        weights,
        groups: groups
            .iter()
            .flat_map(|environment| environment.target_group_arns.clone())
            .collect(),
        moments: moments(),
        confirmed_at: NOW,
        repairs: Default::default(),
        changed: true,
        blue_healthy: 3,
        green_healthy: 3,
    })
}

/// An answer that nothing is unanswered of.
pub fn told<T>(answer: T) -> Told<T> {
    Told {
        answer,
        unanswered_until: None,
    }
}

/// An environment's servers as they were just listed, each with its address.
pub fn listed(environment: &Environment, servers: &[Server]) -> Told<Retiring> {
    told(Retiring {
        environment: environment.clone(),
        servers: servers.to_vec(),
        gone: Vec::new(),
        waiting_to_end: Vec::new(),
        held_up: Vec::new(),
        listed_at: NOW,
    })
}

/// The document of `deploy-1` once it was planned.
pub fn planned(recorded: Recorded, servers: &[Server]) -> Document {
    Document {
        requested: Value::Object(serde_json::Map::new()),
        plan: Some(Plan {
            deployment: DEPLOYMENT.to_owned(),
            execution: EXECUTION.to_owned(),
            service: "tunnel".to_owned(),
            epoch: EPOCH - 1,
            asked: Asked::Deploy(Deploy {
                dry_run: false,
                servers: servers.to_vec(),
                recorded,
            }),
        }),
        ..Document::default()
    }
}

/// The document of `deploy-1` once keep-record answered what it is about.
pub fn about(recorded: Recorded, doing: Doing) -> Document {
    Document {
        record: Some(answer(doing)),
        ..planned(recorded, &[])
    }
}

/// A check of servers that have sealed in this pass, and of no others.
pub fn check(sealed: &[&str]) -> Check {
    Check {
        at: NOW,
        sealed: sealed.iter().map(|id| (*id).to_owned()).collect(),
        counts: Counts {
            servers: sealed.len(),
            sealed: sealed.len(),
            ..Counts::default()
        },
        outlook: Outlook {
            baking: false,
            settled: true,
            wait_seconds: 2,
            forecast: Forecast::default(),
            waiting_for: "nothing".to_owned(),
        },
        memory: Memory {
            changed_at: NOW,
            unknown_since: Since::new(),
            closed: Default::default(),
            closed_before: 0,
            deadline_at: None,
            redrives: 0,
            measured: None,
        },
    }
}

/// An answer of keep-record at epoch 5.
pub fn answer(doing: Doing) -> Answer {
    Answer {
        next: Next::Pass,
        turn: 3,
        epoch: EPOCH,
        at: NOW,
        wait_seconds: 0,
        reason: "for this test".to_owned(),
        doing,
    }
}

/// A Task's call, tried for the first time.
pub fn invocation(act: Act, document: Document) -> Invocation {
    Invocation {
        act,
        execution: EXECUTION.to_owned(),
        state: "ForThisTest".to_owned(),
        retries: 0,
        redrives: 0,
        document,
    }
}
