//! The Lambda keep-record: reads the record, asks the rules, writes the whole next record, and starts the next execution.
//!
//! The only writer of the record. It reads the record first and then the facts that the ask needs, decides, and writes
//! by compare-and-set: where another write came between, it begins again with what that one left. What is to be started
//! is started after the write, and again when the same answer is given again: the record names it before it exists.
//! Called by every Task that claims, adopts, switches, decides a pass, hands on or leaves; it can neither reach a server
//! nor change what serves.

mod next_execution;

use std::io::Write;

use ebbtide_aws::{CloudError, Ledger, Written};
use ebbtide_rules::ErrorName;
use ebbtide_rules::document::{Act, Invocation, WrongAct};
use ebbtide_rules::metrics;
use ebbtide_rules::record::{
    Answer, Ask, Decision, Facts, Kind, Record, Refused, SHAPE, decide_in, wants,
};
use jiff::Timestamp;

pub use ebbtide_runtime::Failed;

/// How often one call begins again: more are a sign of something that writes without end.
const MOST_ATTEMPTS: usize = 5;

/// Answers one ask; `tell` gets each line of metrics of what was written.
///
/// # Errors
/// [`Failed`]; nothing was written then, unless AWS did not answer: the same ask gets its answer when it is repeated.
pub async fn handle(
    ledger: &Ledger,
    now: Timestamp,
    invocation: Invocation,
    tell: impl FnMut(&str),
) -> Result<Answer, Failed> {
    Box::pin(handle_in(SHAPE, ledger, now, invocation, tell)).await
}

/// As [`handle`], for code that writes records of this shape.
///
/// # Errors
/// [`Failed`].
pub async fn handle_in(
    shape: u32,
    ledger: &Ledger,
    now: Timestamp,
    invocation: Invocation,
    mut tell: impl FnMut(&str),
) -> Result<Answer, Failed> {
    let ask = ask(invocation)?;
    for _ in 0..MOST_ATTEMPTS {
        let record = read(shape, ledger, &ask).await?;
        let facts = observe(ledger, &record, &ask, now).await?;
        let decision = decide_in(shape, &record, &ask, &facts, now)?;
        log(&ask, &record, &decision);
        if write(ledger, &record, &decision).await? == Written::Lost {
            continue;
        }
        // Before what may still fail: a repeat of this ask writes nothing, and so tells nothing.
        let lines = metrics::lines(&record, &ask, &decision, now);
        lines.iter().for_each(|line| tell(line));
        next_execution::start(ledger, &ask, &decision).await?;
        return Ok(decision.answer);
    }
    Err(Failed::new(
        ErrorName::AwsUnavailable,
        format!(
            "the record was written by others {MOST_ATTEMPTS} times while this call decided; redrive the execution when it is \
             quiet"
        ),
    ))
}

fn ask(invocation: Invocation) -> Result<Ask, WrongAct> {
    let kind = match invocation.act {
        Act::Claim => Kind::Claim,
        Act::Adopt => Kind::Adopt,
        Act::Switch => Kind::Switch,
        Act::Pass => Kind::Pass,
        Act::HandOn => Kind::HandOn,
        Act::Release => Kind::Release,
        other => return Err(WrongAct(other)),
    };
    Ok(Ask {
        kind,
        execution: invocation.execution,
        state: invocation.state,
        redrives: invocation.redrives,
        document: invocation.document,
    })
}

/// The record; one that only a newer version can read is refused by its shape, as one that it can is by the rules.
async fn read(known: u32, ledger: &Ledger, ask: &Ask) -> Result<Record, Failed> {
    match ledger.records.read().await {
        Ok(record) => Ok(record),
        Err(CloudError::Unreadable(shape)) => Err(Refused::newer(shape, known, ask).into()),
        Err(other) => Err(other.into()),
    }
}

async fn observe(
    ledger: &Ledger,
    record: &Record,
    ask: &Ask,
    now: Timestamp,
) -> Result<Facts, CloudError> {
    let wants = wants(record, ask);
    let mut facts = Facts::default();
    if let Some(watch) = &wants.alarms {
        facts.alarms = Some(ledger.alarms.look(watch, now).await?);
    }
    if let Some(holder) = &wants.holder {
        facts.holder = Some(ledger.executions.describe(holder).await?);
    }
    Ok(facts)
}

async fn write(ledger: &Ledger, read: &Record, decision: &Decision) -> Result<Written, CloudError> {
    let Decision {
        record, outcome, ..
    } = decision;
    if record == read {
        return Ok(Written::Made);
    }
    ledger
        .records
        .write(read.revision, record, outcome.as_ref())
        .await
}

/// Writes a line of metrics where Lambda sends it to the log group, and CloudWatch extracts them; see
/// [`ebbtide_rules::metrics`]. A standard output that is gone fails no deployment.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn log(ask: &Ask, record: &Record, decision: &Decision) {
    let plan = ask.document.plan.as_ref();
    tracing::info!(
        deployment = plan.map(|plan| plan.deployment.as_str()),
        epoch = decision.answer.epoch,
        ask = ?ask.kind,
        revision = record.revision,
        next = ?decision.answer.next,
        wait_seconds = decision.answer.wait_seconds,
        reason = decision.answer.reason,
        "decided"
    );
}
