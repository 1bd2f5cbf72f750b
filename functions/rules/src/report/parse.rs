//! From the bytes of an answer to a reading of it: strict, and without a word of the body in what it refuses.
//!
//! Fields that version 1 does not have are ignored, so that a server may say more. A field named twice is refused:
//! two readers of `{"busy": 2, "busy": 0}` would see two different servers.

use serde::Deserialize;
use serde_json::Value;

use super::{Admission, Reading, Refusal, Reply, SessionReport, UnknownReason, VERSION};

/// More sessions than one instance can hold: its kernel has not the memory for their sockets.
const MOST_SESSIONS: u64 = 10_000_000;
/// Ten years: no session has been busy for longer than the server has been up.
const MOST_SECONDS: u64 = 315_360_000;
/// The largest whole number that every JSON reader keeps exact (RFC 8259, section 6).
const MOST_EXACT: u64 = (1 << 53) - 1;

/// A report before it is believed; a derived reader, because it is the one that refuses a field named twice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    version: Option<Value>,
    instance: Option<Value>,
    admission: Option<Value>,
    epoch: Option<Value>,
    busy: Option<Value>,
    idle: Option<Value>,
    closed: Option<Value>,
    oldest_busy_seconds: Option<Value>,
    agent: Option<Value>,
    error: Option<Value>,
}

/// Reads a report that `expected` must have given.
pub fn parse_report(body: &[u8], expected: &str) -> Reading {
    match parse_body(body).and_then(|body| believe(&body, expected)) {
        Ok(report) => Reading::Report(report),
        Err(reason) => Reading::Unknown(reason),
    }
}

/// Reads a 409 that `expected` must have given to one who asked with `epoch`.
///
/// A refusal is believed only with the report that proves it: whoever says `StaleEpoch` shows a higher epoch.
pub fn parse_refusal(body: &[u8], expected: &str, epoch: u64) -> Reply {
    match parse_body(body).and_then(|body| believe_refusal(&body, expected, epoch)) {
        Ok((refusal, report)) => Reply::Refused(refusal, report),
        Err(reason) => Reply::Unknown(reason),
    }
}

fn parse_body(body: &[u8]) -> Result<Body, UnknownReason> {
    // A derived reader also takes an array, by position.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(UnknownReason::NotAReport);
    }
    serde_json::from_slice(body).map_err(|_| UnknownReason::NotAReport)
}

fn believe(body: &Body, expected: &str) -> Result<SessionReport, UnknownReason> {
    let version = number("version", body.version.as_ref(), u64::MAX)?;
    if version != VERSION {
        return Err(UnknownReason::Version(version));
    }
    let instance = text("instance", body.instance.as_ref())?;
    if instance != expected {
        return Err(UnknownReason::OtherInstance);
    }
    let report = SessionReport {
        instance: instance.to_owned(),
        admission: match text("admission", body.admission.as_ref())? {
            "open" => Admission::Open,
            "draining" => Admission::Draining,
            "sealed" => Admission::Sealed,
            _ => return Err(UnknownReason::Malformed("admission")),
        },
        epoch: number("epoch", body.epoch.as_ref(), MOST_EXACT)?,
        busy: number("busy", body.busy.as_ref(), MOST_SESSIONS)?,
        idle: number("idle", body.idle.as_ref(), MOST_SESSIONS)?,
        closed: number("closed", body.closed.as_ref(), MOST_EXACT)?,
        oldest_busy_seconds: number(
            "oldestBusySeconds",
            body.oldest_busy_seconds.as_ref(),
            MOST_SECONDS,
        )?,
        agent: match &body.agent {
            None => false,
            named => text("agent", named.as_ref()).map(|_| true)?,
        },
    };
    if report.admission == Admission::Sealed && !report.counts_nothing() {
        return Err(UnknownReason::Contradiction("sealed with sessions"));
    }
    Ok(report)
}

fn believe_refusal(
    body: &Body,
    expected: &str,
    epoch: u64,
) -> Result<(Refusal, SessionReport), UnknownReason> {
    let refusal = match text("error", body.error.as_ref())? {
        "StaleEpoch" => Refusal::StaleEpoch,
        "Sealed" => Refusal::Sealed,
        "InUse" => Refusal::InUse,
        "WrongInstance" => return Err(UnknownReason::OtherInstance),
        _ => return Err(UnknownReason::UnnamedRefusal),
    };
    let report = believe(body, expected)?;
    let is_true = match refusal {
        Refusal::StaleEpoch => report.epoch > epoch,
        Refusal::Sealed => report.admission == Admission::Sealed,
        Refusal::InUse => report.admission != Admission::Sealed,
    };
    if is_true {
        Ok((refusal, report))
    } else {
        Err(UnknownReason::Contradiction(
            "its refusal does not fit its report",
        ))
    }
}

fn number(field: &'static str, value: Option<&Value>, most: u64) -> Result<u64, UnknownReason> {
    let value = value.ok_or(UnknownReason::Missing(field))?;
    let number = value.as_u64().ok_or(UnknownReason::Malformed(field))?;
    if number > most {
        return Err(UnknownReason::Absurd(field));
    }
    Ok(number)
}

fn text<'a>(field: &'static str, value: Option<&'a Value>) -> Result<&'a str, UnknownReason> {
    let value = value.ok_or(UnknownReason::Missing(field))?;
    value.as_str().ok_or(UnknownReason::Malformed(field))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
