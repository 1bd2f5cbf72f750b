//! Situations and decisions in the words that the golden files show.

use std::fmt::Write as _;

use ebbtide_rules::Failure;
use ebbtide_rules::record::{
    Ask, Decision, Doing, Facts, Front, OutcomeItem, Phase, Record, decide, wants,
};
use jiff::Timestamp;

use crate::scene::{NOON, Run};

/// A script of situations, told one after the other.
#[derive(Default)]
pub(crate) struct Script {
    text: String,
}

impl Script {
    /// Tells one situation; the decision, if there was one.
    pub(crate) fn tell(
        &mut self,
        title: &str,
        record: &Record,
        ask: &Ask,
        facts: &Facts,
        now: Timestamp,
    ) -> Option<Decision> {
        let decided = decide(record, ask, facts, now);
        let text = &mut self.text;
        writeln!(text, "# {title}").unwrap();
        writeln!(text, "record   {}", shown(record)).unwrap();
        writeln!(
            text,
            "ask      {:?} by {}, {} s",
            ask.kind,
            name(&ask.execution),
            now.duration_since(NOON).as_secs()
        )
        .unwrap();
        writeln!(text, "facts    {}", facts_of(record, ask, facts)).unwrap();
        match &decided {
            Err(refused) => writeln!(text, "refused  {}: {refused}\n", refused.name()).unwrap(),
            Ok(decision) => {
                let answer = &decision.answer;
                let wait = if answer.wait_seconds > 0 {
                    format!(" after {} s", answer.wait_seconds)
                } else {
                    String::new()
                };
                writeln!(text, "next     {:?}{wait}: {}", answer.next, answer.reason).unwrap();
                writeln!(text, "doing    {}", doing(&answer.doing)).unwrap();
                let same = decision.record == *record;
                let becomes = if same {
                    "as it was".to_owned()
                } else {
                    shown(&decision.record)
                };
                writeln!(text, "record   {becomes}").unwrap();
                if let Some(item) = &decision.outcome {
                    writeln!(text, "outcome  {}", outcome(item)).unwrap();
                }
                writeln!(text).unwrap();
            }
        }
        decided.ok()
    }

    /// Tells a situation of one execution, which takes the answer; the next record.
    pub(crate) fn go(
        &mut self,
        title: &str,
        record: &Record,
        run: &mut Run,
        kind: ebbtide_rules::record::Kind,
        facts: &Facts,
        now: Timestamp,
    ) -> Record {
        match self.tell(title, record, &run.ask(kind), facts, now) {
            Some(decision) => {
                run.take(decision.answer);
                decision.record
            }
            None => record.clone(),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

fn name(execution: &str) -> &str {
    execution.rsplit(':').next().unwrap_or_default()
}

fn shown(record: &Record) -> String {
    let front = record
        .front
        .as_ref()
        .map_or("front free".to_owned(), |front| {
            let weights = match front.phase {
                Phase::Switched => format!(" {}/{}", front.weights.blue, front.weights.green),
                _ => String::new(),
            };
            let wishes = wishes(front);
            format!(
                "front {} ({}) {}{weights}, {} -> {}{wishes}",
                front.owner,
                name(&front.owner.execution),
                front.phase.word(),
                front.plan.blue.environment.name,
                front.plan.green.environment.name,
            )
        });
    let mut parts = vec![
        format!("epoch {}, revision {}", record.epoch, record.revision),
        front,
    ];
    parts.extend(record.retiring.iter().map(|entry| {
        format!(
            "{} {:?} for {} ({})",
            entry.environment.name,
            entry.state,
            entry.owner,
            name(&entry.owner.execution)
        )
    }));
    let ghosts = record
        .front
        .iter()
        .map(|it| &it.course)
        .chain(record.retiring.iter().map(|it| &it.course))
        .filter_map(|course| course.unanswered_until);
    parts.extend(ghosts.map(|until| {
        format!(
            "a call may arrive until {} s",
            until.duration_since(NOON).as_secs()
        )
    }));
    parts.join("; ")
}

fn wishes(front: &Front) -> String {
    let mut parts = Vec::new();
    if front.wishes.roll_back.is_some() {
        parts.push("told to roll back".to_owned());
    }
    if let Some(promote) = &front.wishes.promote {
        let force = if promote.force { " by force" } else { "" };
        parts.push(format!("promoted{force}"));
    }
    let approved = front.wishes.approved.iter();
    parts.extend(approved.map(|it| format!("gate {} open", it.gate.word())));
    if let Some(waits) = &front.waits {
        let until = waits.until.duration_since(NOON).as_secs();
        parts.push(format!("stands at {:?} until {until} s", waits.at));
    }
    parts.iter().map(|part| format!(", {part}")).collect()
}

fn facts_of(record: &Record, ask: &Ask, facts: &Facts) -> String {
    let wanted = wants(record, ask);
    let mut parts = Vec::new();
    if let Some(watch) = wanted.alarms {
        let since = watch.since.map_or_else(String::new, |since| {
            format!(" since {} s", since.duration_since(NOON).as_secs())
        });
        let against = facts.alarms.as_ref().and_then(|it| it.against());
        parts.push(format!(
            "alarms{since}: {}",
            against.unwrap_or("quiet".to_owned())
        ));
    }
    if let Some(holder) = wanted.holder {
        let status = facts.holder.as_ref().map_or("?", |it| &it.status);
        parts.push(format!("execution {} is {status}", name(&holder)));
    }
    if parts.is_empty() {
        "none".to_owned()
    } else {
        parts.join("; ")
    }
}

fn outcome(item: &OutcomeItem) -> String {
    format!(
        "{} {} at epoch {}: {}. In {} s, {} passes and {} executions; {} closed, {} terminated",
        item.deployment,
        item.outcome,
        item.epoch,
        item.reason,
        item.seconds,
        item.passes,
        item.parts,
        item.closed,
        item.terminated
    )
}

fn doing(doing: &Doing) -> String {
    match doing {
        Doing::Clearing(clearing) => {
            format!(
                "clearing {} of {}",
                clearing.green.name, clearing.deployment
            )
        }
        Doing::Watching { weights } => format!("watching {}/{}", weights.blue, weights.green),
        Doing::Draining { environment, .. } => format!("draining {}", environment.name),
        Doing::Opening { environment, .. } => {
            format!("draining {}, opening blue", environment.name)
        }
        Doing::Ended(ended) => format!(
            "ended {}, {} closed, {} terminated{}",
            ended.outcome.word(),
            ended.closed,
            ended.terminated,
            ended
                .successor
                .as_ref()
                .map_or_else(String::new, |it| format!(", {it} goes on"))
        ),
        other => format!("{other:?}"),
    }
}
