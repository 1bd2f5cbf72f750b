//! `deploy`: starts a deployment, and follows it if asked.

use std::time::Duration;

use serde_json::json;

use super::name;
use super::status::{follow, is_drawn};
use crate::arguments::{Deploy, Output};
use crate::aws::{Aws, Ended};
use crate::failed::Failed;
use crate::input::input;
use crate::print;

pub(crate) async fn deploy(aws: Aws, asked: Deploy, output: Output) -> Result<(), Failed> {
    let input = input(&asked.asked)?;
    let name = asked.name.unwrap_or_else(|| name("deploy"));
    let arn = aws.start(&name, &input).await?;
    match output {
        Output::Json => print::json(&json!({"deployment": name, "execution": arn}))?,
        Output::Text => print::line(&format!("deployment {name} has started")),
    }
    if !asked.watch {
        if output == Output::Text {
            print::line("`ebbtide watch` follows it");
        }
        return Ok(());
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
