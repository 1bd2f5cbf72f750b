//! `deploy`: starts a deployment, waits until it is claimed or refused, and follows it to its end if asked.
//!
//! Before the claim a deployment is nowhere but in Step Functions: whoever had started one that the preflight refuses would
//! find no trace of it in `status` and `history`.

use std::time::Duration;

use serde_json::json;

use super::name;
use super::plan::LIMIT;
use super::status::{follow, is_drawn};
use crate::arguments::{Deploy, Output};
use crate::aws::{Aws, Ended};
use crate::failed::Failed;
use crate::input::input;
use crate::print;

/// From one look to the next, until it is claimed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many looks in a row may fail; the SDK has repeated each call by then.
const MOST_MISSES: u32 = 5;

pub(crate) async fn deploy(aws: Aws, asked: Deploy, output: Output) -> Result<(), Failed> {
    let input = input(&asked.asked)?;
    let name = asked.name.unwrap_or_else(|| name("deploy"));
    let arn = aws.start(&name, &input).await?;
    match output {
        Output::Json => print::json(&json!({"deployment": name, "execution": arn}))?,
        Output::Text => print::line(&format!("deployment {name} has started: preflight")),
    }
    if !asked.watch {
        return match claimed(&aws, &name, &arn).await? {
            Some(ended) => judge(&name, &ended, output),
            None => {
                if output == Output::Text {
                    print::line(
                        "it holds the front and launches green; `ebbtide watch` follows it",
                    );
                }
                Ok(())
            }
        };
    }
    let every = Duration::from_secs(asked.pace.every);
    let ended = if is_drawn(output) {
        crate::watch::watch(aws, every, Some(arn)).await?
    } else {
        follow(aws, every, Some(&arn), output).await?
    };
    // Whoever quits before the end has seen what they wanted.
    ended.map_or(Ok(()), |ended| judge(&name, &ended, output))
}

/// What a look at the deployment shows.
enum Looked {
    /// It is in its preflight.
    NotYet,
    /// The record names its execution.
    Claimed,
    /// It has ended.
    Ended(Ended),
}

/// One look. Whoever takes another's place goes on under that one's name, and the record knows it by its execution.
async fn claims(aws: &Aws, name: &str, arn: &str) -> Result<Looked, Failed> {
    let record = aws.record().await?;
    let front = record.front.iter().map(|it| &it.owner);
    let mut owners = front.chain(record.retiring.iter().map(|it| &it.owner));
    if owners.any(|owner| owner.deployment == name || owner.execution == arn) {
        return Ok(Looked::Claimed);
    }
    let ended = aws.end(arn).await?;
    Ok(ended.map_or(Looked::NotYet, Looked::Ended))
}

/// Waits until the record names the deployment; its end, if that comes first.
async fn claimed(aws: &Aws, name: &str, arn: &str) -> Result<Option<Ended>, Failed> {
    let claimed = async {
        let mut misses = 0;
        loop {
            match claims(aws, name, arn).await {
                Ok(Looked::NotYet) => misses = 0,
                Ok(Looked::Claimed) => return Ok(None),
                Ok(Looked::Ended(ended)) => return Ok(Some(ended)),
                // It has begun, whatever keeps us from seeing it for a moment.
                Err(Failed::Aws { .. }) if misses < MOST_MISSES => misses += 1,
                Err(failed) => return Err(failed),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let claimed = tokio::time::timeout(LIMIT, claimed).await;
    claimed.unwrap_or_else(|_| {
        let limit = LIMIT.as_secs();
        Err(Failed::NotDone(format!(
            "deployment {name} is still in its preflight after {limit} s; it goes on: look at the execution {arn}"
        )))
    })
}

fn judge(name: &str, ended: &Ended, output: Output) -> Result<(), Failed> {
    if ended.status != "SUCCEEDED" {
        return Err(Failed::NotDone(format!(
            "deployment {name}: {}",
            ended.why()
        )));
    }
    match output {
        Output::Json => print::json(&json!({"deployment": name, "status": ended.status})),
        Output::Text => {
            print::line(&format!("deployment {name}: its execution has succeeded"));
            Ok(())
        }
    }
}
