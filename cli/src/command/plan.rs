//! `plan`: what a deployment would do.

use std::time::Duration;

use ebbtide_rules::plan::{Asked as Planned, Deploy, Plan};
use serde::Deserialize as _;
use serde_json::Value;

use super::name;
use crate::arguments::{Asked, Output};
use crate::aws::Aws;
use crate::failed::Failed;
use crate::input::input;
use crate::print;
use crate::view::span;

/// PlanDeployment and TestBlue take seconds, their retries minutes.
pub(crate) const LIMIT: Duration = Duration::from_secs(600);

pub(crate) async fn plan(aws: &Aws, asked: &Asked, output: Output) -> Result<(), Failed> {
    let mut input = input(asked)?;
    input["dryRun"] = true.into();
    let arn = aws.start(&name("plan"), &input).await?;
    let ended = aws.verdict(&arn, LIMIT).await?;
    if ended.status != "SUCCEEDED" {
        return Err(Failed::NotDone(format!(
            "nothing was touched. {}",
            ended.why()
        )));
    }
    // The output is the plan; the local cloud's emulator gives the whole document.
    let plan = ended.output.get("plan").unwrap_or(&ended.output);
    if output == Output::Json {
        return print::json(plan);
    }
    let deploy = read(plan)?;
    for line in lines(&deploy) {
        print::line(&line);
    }
    Ok(())
}

fn read(plan: &Value) -> Result<Deploy, Failed> {
    match Plan::deserialize(plan).map(|plan| plan.asked) {
        Ok(Planned::Deploy(deploy)) => Ok(deploy),
        Ok(_) => Err(Failed::NotDone(
            "this is no plan of a deployment".to_owned(),
        )),
        Err(error) => Err(Failed::Unreadable(format!(
            "the plan cannot be read: {error}"
        ))),
    }
}

fn lines(deploy: &Deploy) -> Vec<String> {
    let recorded = &deploy.recorded;
    let (blue, green, policy) = (&recorded.blue, &recorded.green, &recorded.policy);
    let of = |seconds: u32| span(seconds.into());
    let steps = policy.steps.iter().map(|step| format!("{step} %"));
    let steps = steps.collect::<Vec<_>>().join(", ");
    let mut lines = vec![
        "Nothing was touched. A deployment with this input would:".to_owned(),
        row(
            "blue",
            &format!(
                "{}, {} healthy, goes on serving until green has passed",
                blue.environment.name, blue.healthy
            ),
        ),
        row(
            "green",
            &format!(
                "launch {} servers in {}, version {}{}, healthy within {}",
                green.count,
                green.environment.name,
                green.launch_template_version,
                template(&green.launch_template_id),
                of(policy.healthy_seconds)
            ),
        ),
        row(
            "traffic",
            &match policy.steps.len() {
                0 | 1 => "all at once".to_owned(),
                _ => format!("{steps}, {} each", of(policy.step_seconds)),
            },
        ),
        row(
            "bake",
            &match policy.alarms.len() {
                0 => format!("{}, no alarm is watched", of(policy.bake_seconds)),
                _ => format!(
                    "{}, watching {}",
                    of(policy.bake_seconds),
                    policy.alarms.join(", ")
                ),
            },
        ),
        row(
            "drain",
            &format!(
                "nothing closed in the first {}, then {} idle sessions a second; an alert after {}{}",
                of(policy.settle_seconds),
                policy.closures_per_second,
                of(policy.deadline_seconds),
                if policy.detached {
                    "; in an execution of its own"
                } else {
                    ""
                }
            ),
        ),
        row(
            "minimum",
            &format!(
                "{} healthy targets of green, {} of blue",
                policy.minimum_healthy,
                policy.minimum_of_blue()
            ),
        ),
    ];
    let gates: Vec<&str> = policy.approve.iter().map(|gate| gate.word()).collect();
    if !gates.is_empty() {
        let gates = gates.join(" and ");
        let text = format!(
            "waits at {gates} for `ebbtide resume`, {} at the most",
            of(policy.pause_seconds)
        );
        lines.push(row("gates", &text));
    }
    lines.extend(recorded.listeners.iter().map(|arn| row("listener", arn)));
    lines.extend(recorded.warnings.iter().map(|it| row("WARNING", it)));
    lines
}

fn template(id: &str) -> String {
    if id.is_empty() {
        String::new()
    } else {
        format!(" of {id}")
    }
}

fn row(head: &str, text: &str) -> String {
    format!("  {head:<9} {text}")
}
