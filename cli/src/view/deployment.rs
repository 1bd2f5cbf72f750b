//! One deployment that is under way: the front's, or one that empties an environment.

use ebbtide_rules::record::{
    Course, Entry, Front, Halt, Owner, Phase, Progress, State, Waits, Wishes,
};
use ebbtide_rules::weights::{Moments, Switched};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::advice;
use super::servers::Emptied;
use super::words::seconds_between;
use crate::seen::{Execution, Seen, What, name_of};

/// A deployment that is under way.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deployment {
    /// Its name.
    pub(crate) name: String,
    /// The record's word for where it is: the front's phase, or how far an environment is that retires.
    pub(crate) phase: String,
    /// The same for people.
    pub(crate) stage: String,
    /// Blue and green; none of one that only empties an environment.
    pub(crate) sides: Vec<Side>,
    /// What has an end that is known.
    pub(crate) bars: Vec<Bar>,
    /// The environment whose sessions are counted.
    pub(crate) empties: Option<Emptied>,
    /// What is being waited for.
    pub(crate) waiting_for: Option<String>,
    /// When no session will be left, as far as that can be told.
    pub(crate) forecast: Option<String>,
    /// What operators have asked of it.
    pub(crate) wishes: Vec<String>,
    /// What a person has to say something to before it goes on.
    pub(crate) stands: Option<Stands>,
    /// How often somebody else moved the weights.
    pub(crate) repairs: u32,
    /// What the plan warned of.
    pub(crate) warnings: Vec<String>,
    /// The execution that acts for it.
    pub(crate) acting: Acting,
    /// Whether it has stopped, and goes on only if a person sees to it.
    pub(crate) stopped: bool,
    /// What a person may want to do now.
    pub(crate) advice: Vec<String>,
}

/// Where a deployment stands still until a person says something.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stands {
    /// `switch` or `seal`, a gate; `pause`.
    pub(crate) at: Halt,
    /// Who paused it, when and why.
    pub(crate) asked: Option<String>,
    /// Since when.
    pub(crate) since: Timestamp,
    /// Until when; after it the execution fails, and nothing has moved.
    pub(crate) until: Timestamp,
    /// How much of that is left, in seconds.
    pub(crate) left_seconds: u64,
}

/// Blue or green.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Side {
    /// `blue` or `green`.
    pub(crate) role: String,
    /// Its environment.
    pub(crate) environment: String,
    /// The share of new sessions that it shall have.
    pub(crate) weight: u32,
    /// Its healthy targets, as they were seen last.
    pub(crate) healthy: Option<u32>,
    /// How many servers it was planned with.
    pub(crate) planned: u32,
    /// The version of its launch template, of green.
    pub(crate) version: Option<String>,
}

/// A stretch of time with a known end.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bar {
    /// What ends then: `step`, `settle`, `bake`, `deadline`.
    pub(crate) what: String,
    /// When it began.
    pub(crate) began_at: Timestamp,
    /// When it ends.
    pub(crate) ends_at: Timestamp,
    /// How much of it is over, in percent.
    pub(crate) percent: u8,
    /// How much is left, in seconds.
    pub(crate) left_seconds: u64,
}

/// The execution that acts for a deployment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Acting {
    /// Its name.
    pub(crate) execution: String,
    /// Its ARN.
    pub(crate) arn: String,
    /// Which of the deployment's executions it is, from 1.
    pub(crate) part: u32,
    /// The deployment's passes in all.
    pub(crate) passes: u32,
    /// How Step Functions says that it stands.
    pub(crate) status: String,
    /// Whether it goes on by itself.
    pub(crate) runs: bool,
    /// The state that it is in, or was in last.
    pub(crate) state: Option<String>,
    /// Since when.
    pub(crate) since: Option<Timestamp>,
    /// When the next pass begins, while it waits for that.
    pub(crate) next_pass_at: Option<Timestamp>,
    /// The error that it ended with.
    pub(crate) error: Option<String>,
    /// Its cause.
    pub(crate) cause: Option<String>,
}

impl Deployment {
    pub(super) fn of_front(front: &Front, seen: &Seen, now: Timestamp) -> Self {
        let execution = execution_of(seen, &front.owner);
        let confirmed = confirmed(front, execution);
        let stage = stage(front, confirmed, now);
        let bars = confirmed.map_or(Vec::new(), |it| bars(&it.moments, now, false));
        // What the last pass counted before it turned back was blue's.
        let progress = front.course.progress.as_ref();
        let (counted, recorded) = match front.phase {
            Phase::RollingBack { .. } => (&front.plan.green.environment, None),
            _ => (&front.plan.blue.environment, progress),
        };
        let mut deployment = Self {
            phase: front.phase.word().to_owned(),
            sides: sides(front, confirmed, execution),
            wishes: wishes(&front.wishes),
            stands: front.waits.as_ref().map(|waits| stands(waits, now)),
            ..Self::new(&front.owner, &front.course, stage, execution)
        };
        deployment.bars = bars;
        deployment.warnings.clone_from(&front.plan.warnings);
        deployment.count(&counted.name, recorded, execution, now);
        if matches!(front.phase, Phase::Claimed) {
            deployment.waiting_for = unfit(execution);
        }
        deployment.advice = advice::of_front(front, &deployment);
        deployment
    }

    pub(super) fn of_entry(entry: &Entry, seen: &Seen, now: Timestamp) -> Self {
        let execution = execution_of(seen, &entry.owner);
        let environment = &entry.environment.name;
        let (phase, stage) = match entry.state {
            State::Draining => ("draining", format!("empties {environment}")),
            State::Gone => (
                "gone",
                format!("{environment} is gone, the forward action may still name its group"),
            ),
        };
        let mut deployment = Self {
            phase: phase.to_owned(),
            ..Self::new(&entry.owner, &entry.course, stage, execution)
        };
        // What is gone leaves the forward action with whoever holds the front: its own execution may have ended well.
        let ended_well = deployment.acting.status == "SUCCEEDED";
        deployment.stopped &= entry.state == State::Draining || !ended_well;
        if entry.state == State::Draining {
            deployment.bars = bars(&entry.moments, now, true);
            deployment.count(environment, entry.course.progress.as_ref(), execution, now);
        }
        deployment.advice = advice::of_entry(&deployment);
        deployment
    }

    fn new(owner: &Owner, course: &Course, stage: String, execution: Option<&Execution>) -> Self {
        Self {
            name: owner.deployment.clone(),
            phase: String::new(),
            stage,
            sides: Vec::new(),
            bars: Vec::new(),
            empties: None,
            waiting_for: None,
            forecast: None,
            wishes: Vec::new(),
            stands: None,
            repairs: course.repairs,
            warnings: Vec::new(),
            acting: Acting::of(owner, course, execution),
            stopped: execution.is_some_and(|it| !it.runs()),
            advice: Vec::new(),
        }
    }

    /// What the last pass counted and said.
    fn count(
        &mut self,
        environment: &str,
        recorded: Option<&Progress>,
        execution: Option<&Execution>,
        now: Timestamp,
    ) {
        self.empties = Emptied::of(environment, recorded, execution, now);
        self.waiting_for = recorded.map(|it| it.waiting_for.clone());
        self.forecast = recorded.map(|it| it.forecast.clone());
    }
}

/// What green lacks, while its servers are not healthy: a server that never will be is seen here, long before its time is over.
fn unfit(execution: Option<&Execution>) -> Option<String> {
    let green = execution?.document.green.as_ref()?;
    (green.healthy < green.wanted).then(|| format!("green: {}", green.reason))
}

impl Acting {
    fn of(owner: &Owner, course: &Course, execution: Option<&Execution>) -> Self {
        let entered = execution.and_then(|it| {
            let mut events = it.events.iter().rev();
            events.find_map(|event| match &event.what {
                What::Entered { state } => Some((state.clone(), event.at)),
                _ => None,
            })
        });
        let (state, since) = entered.unzip();
        let wait = execution.and_then(|it| it.document.record.as_ref());
        let waits = ["WaitBeforeNextPass", "WaitBeforeSwitch"].map(Some);
        let waits = waits.contains(&state.as_deref());
        let next = wait.zip(since).filter(|_| waits).and_then(|(wait, since)| {
            let wait = i64::try_from(wait.wait_seconds).unwrap_or(i64::MAX);
            since.checked_add(SignedDuration::from_secs(wait)).ok()
        });
        Self {
            execution: name_of(&owner.execution).to_owned(),
            arn: owner.execution.clone(),
            part: course.part,
            passes: course.total,
            status: execution
                .map_or("not looked at", |it| &it.status)
                .to_owned(),
            runs: execution.is_none_or(Execution::runs),
            state,
            since,
            next_pass_at: next,
            error: execution.and_then(|it| it.error.clone()),
            cause: execution.and_then(|it| it.cause.clone()),
        }
    }
}

fn execution_of<'a>(seen: &'a Seen, owner: &Owner) -> Option<&'a Execution> {
    let mut executions = seen.executions.iter();
    executions.find(|it| it.arn == owner.execution)
}

/// The weights that the execution has confirmed, if they are those that the record wants now.
fn confirmed<'a>(front: &Front, execution: Option<&'a Execution>) -> Option<&'a Switched> {
    let document = &execution?.document;
    let confirmed = match front.phase {
        Phase::RollingBack { .. } => &document.back,
        _ => &document.switch,
    };
    let current = |it: &&Switched| it.epoch == front.owner.epoch && it.weights == front.weights;
    confirmed.as_ref().filter(current)
}

/// Who asked for what, a sentence each.
fn wishes(wishes: &Wishes) -> Vec<String> {
    let back = wishes.roll_back.iter();
    let back = back.map(|it| format!("to go back: {}", it.words()));
    let promote = wishes.promote.iter().map(|it| {
        let force = if it.force {
            ", alarms do not count"
        } else {
            ""
        };
        format!("to be promoted{force}: {}", it.words())
    });
    let opened = wishes.approved.iter().map(|it| {
        let gate = it.gate.word();
        format!(
            "the gate before the {gate} was opened: {}",
            it.wished.words()
        )
    });
    back.chain(promote).chain(opened).collect()
}

fn stands(waits: &Waits, now: Timestamp) -> Stands {
    Stands {
        at: waits.at,
        asked: waits.asked.as_ref().map(|wished| wished.words()),
        since: waits.since,
        until: waits.until,
        left_seconds: seconds_between(now, waits.until),
    }
}

fn stage(front: &Front, confirmed: Option<&Switched>, now: Timestamp) -> String {
    match &front.phase {
        Phase::Superseding { clearing } => {
            format!(
                "ends the green of {}, which it supersedes",
                clearing.deployment
            )
        }
        Phase::Claimed if front.waits.is_some() => "green is fit, no traffic has moved".to_owned(),
        Phase::Claimed => "launches and tests green".to_owned(),
        Phase::Switched if front.weights.is_step() => {
            let steps = &front.plan.policy.steps;
            let green = front.weights.green;
            let at = steps.iter().take_while(|step| **step <= green).count();
            format!("step {at} of {}: green has {green} of 100", steps.len())
        }
        Phase::Switched => match confirmed.and_then(|it| it.moments.baked_at) {
            None => "moves the weights".to_owned(),
            Some(end) if end <= now && front.waits.is_some() => {
                "the bake is over, nothing is sealed and all can be taken back".to_owned()
            }
            Some(end) if end <= now => "the bake is over, the next pass ends it".to_owned(),
            Some(_) => "bakes: green has all new sessions, blue is one step away".to_owned(),
        },
        Phase::RollingBack { reason } => format!("rolls back: {reason}"),
        Phase::Detaching { environment } => {
            format!("takes {} out of the forward action", environment.name)
        }
    }
}

fn sides(front: &Front, confirmed: Option<&Switched>, execution: Option<&Execution>) -> Vec<Side> {
    if matches!(front.phase, Phase::Detaching { .. }) {
        return Vec::new();
    }
    let (blue, green) = (&front.plan.blue, &front.plan.green);
    let launched = execution.and_then(|it| it.document.green.as_ref());
    let side = |role: &str, environment: &str, weight, planned, healthy| Side {
        role: role.to_owned(),
        environment: environment.to_owned(),
        weight,
        healthy,
        planned,
        version: None,
    };
    let blue = side(
        "blue",
        &blue.environment.name,
        front.weights.blue,
        blue.healthy,
        confirmed.map(|it| it.blue_healthy),
    );
    let healthy = confirmed.map(|it| it.green_healthy);
    let healthy = healthy.or(launched.map(|it| it.healthy));
    let mut serving = side(
        "green",
        &green.environment.name,
        front.weights.green,
        green.count,
        healthy,
    );
    serving.version = Some(green.launch_template_version.clone());
    vec![blue, serving]
}

/// What has an end that is known. Of what only drains, settling and the bake are over.
fn bars(moments: &Moments, now: Timestamp, drains: bool) -> Vec<Bar> {
    let ends = [
        ("step", moments.step_ends_at),
        ("settle", moments.settled_at),
        ("bake", moments.baked_at),
        ("deadline", moments.deadline_at.filter(|_| drains)),
    ];
    let known = ends
        .into_iter()
        .filter_map(|(what, end)| Some((what, end?)));
    let bars = known.map(|(what, end)| Bar::of(what, moments.at, end, now));
    bars.filter(|bar| !drains || bar.left_seconds > 0 || bar.what == "deadline")
        .filter(|bar| bar.what != "settle" || bar.left_seconds > 0)
        .collect()
}

impl Bar {
    fn of(what: &str, began_at: Timestamp, ends_at: Timestamp, now: Timestamp) -> Self {
        let whole = seconds_between(began_at, ends_at).max(1);
        let left_seconds = seconds_between(now, ends_at);
        let over = whole.saturating_sub(left_seconds) * 100 / whole;
        Self {
            what: what.to_owned(),
            began_at,
            ends_at,
            percent: u8::try_from(over).unwrap_or(100),
            left_seconds,
        }
    }
}
