//! `pause`, `resume`, `promote`, `rollback`, `abort`: what an operator wishes of a deployment.
//!
//! A wish is an execution of its own, which says within seconds whether it is taken; keep-record decides. Where the
//! deployment's own execution has ended nobody would read it: that is said here, with what does help.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use ebbtide_rules::input::{Input, Verb, Wish};
use ebbtide_rules::record::{Halt, Owner, Record};
use serde_json::{Value, json};

use super::name;
use crate::arguments::{Command, Output, Wish as Typed};
use crate::aws::Aws;
use crate::failed::Failed;
use crate::print;
use crate::seen::Execution;

/// A wish's execution asks two functions, each with retries of its own.
const LIMIT: Duration = Duration::from_secs(300);

/// What is said of going back once the bake is over.
const TOO_LATE: &str = "Its bake is over, which nothing takes back. To have the former version again deploy it: \
    `ebbtide deploy --set green.launchTemplateVersion=VERSION`; that need not wait for the drain.";

/// How a deployment goes on whose execution has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Redrive,
    Continue,
    RollBack,
}

/// The input of the execution that carries a wish.
pub(crate) fn input(wish: &Wish) -> Value {
    let mut input = json!({ wish.verb.field(): wish.deployment });
    if wish.force {
        input["force"] = true.into();
    }
    if let Some(at) = wish.at {
        input["at"] = at.word().into();
    }
    for (field, text) in [("who", &wish.who), ("why", &wish.why)] {
        if let Some(text) = text {
            input[field] = text.as_str().into();
        }
    }
    input
}

pub(crate) async fn wish(aws: &Aws, command: Command, output: Output) -> Result<(), Failed> {
    let (mut force, mut at) = (false, None);
    let (verb, asked, again, yes) = match command {
        Command::Pause(asked) => (Verb::Pause, asked, None, false),
        Command::Resume(asked) => {
            let again = match (asked.redrive, asked.take_over) {
                (true, _) => Some(Again::Redrive),
                (_, true) => Some(Again::Continue),
                _ => None,
            };
            at = asked.at.map(Halt::from);
            (Verb::Resume, asked.wish, again, true)
        }
        Command::Promote(asked) => {
            force = asked.force;
            (Verb::Promote, asked.wish, None, false)
        }
        Command::Rollback(asked) => (Verb::RollBack, asked.wish, Some(Again::RollBack), asked.yes),
        Command::Abort(asked) => (Verb::Abort, asked.wish, Some(Again::RollBack), asked.yes),
        other => return Err(Failed::Usage(format!("{other:?} is no wish"))),
    };
    let record = aws.record().await?;
    let owner = whose(aws, &record, &asked, verb).await?;
    let execution = aws.execution(&owner.execution).await?;
    let is_redrive = again == Some(Again::Redrive) || (verb == Verb::Resume && again.is_some());
    if execution.runs() && is_redrive {
        return Err(Failed::NotDone(format!(
            "the execution of {} runs: there is nothing to redrive or to take over",
            owner.deployment
        )));
    }
    if execution.runs() {
        let text = |text: Option<String>| text.filter(|it| !it.is_empty());
        let wish = Wish {
            force,
            at,
            who: text(asked.who),
            why: text(asked.why),
            ..Wish::new(verb, owner.deployment)
        };
        return tell(aws, &wish, output).await;
    }
    let drains = record.entry_of(&owner.deployment).is_some();
    match again {
        Some(again) if !(drains && again == Again::RollBack) => {
            go_again(aws, again, &owner, &execution, yes, output).await
        }
        _ => Err(Failed::NotDone(stopped(verb, &owner, &execution, drains))),
    }
}

/// Whose deployment is meant, and which execution acts for it.
async fn whose(aws: &Aws, record: &Record, asked: &Typed, verb: Verb) -> Result<Owner, Failed> {
    let front = record.front.as_ref().map(|front| &front.owner);
    let Some(name) = &asked.deployment else {
        return front
            .cloned()
            .ok_or_else(|| Failed::NotDone(nobody(record, verb)));
    };
    let retiring = record.retiring.iter().map(|entry| &entry.owner);
    let mut owners = front.into_iter().chain(retiring);
    if let Some(owner) = owners.find(|owner| owner.deployment == *name) {
        return Ok(owner.clone());
    }
    Err(match aws.outcome(name).await? {
        Some(outcome) => Failed::NotDone(format!(
            "deployment {name} has ended as {}: {}",
            outcome.outcome, outcome.reason
        )),
        None => Failed::Unknown(format!(
            "the record knows no deployment {name}; `ebbtide status` shows those that are under way"
        )),
    })
}

/// Why there is nobody to wish anything of.
fn nobody(record: &Record, verb: Verb) -> String {
    let field = verb.field();
    let draining: Vec<&str> = record
        .retiring
        .iter()
        .map(|entry| entry.owner.deployment.as_str())
        .collect();
    if draining.is_empty() {
        return format!("no deployment is under way: there is nothing to {field}");
    }
    let names = draining.join(", ");
    format!("no deployment holds the front, and {names} drains. {TOO_LATE}")
}

/// Carries a wish, and prints what became of it.
async fn tell(aws: &Aws, wish: &Wish, output: Output) -> Result<(), Failed> {
    let reason = carry(aws, wish).await?;
    let (field, deployment) = (wish.verb.field(), &wish.deployment);
    let json = json!({"wish": field, "deployment": deployment, "reason": reason});
    said(output, &json, &reason)
}

/// Starts the execution that carries a wish; what comes of it, in a sentence.
///
/// # Errors
/// When the wish is refused, or AWS does not answer.
pub(crate) async fn carry(aws: &Aws, wish: &Wish) -> Result<String, Failed> {
    let input = input(wish);
    Input::parse(&input).map_err(|errors| Failed::Usage(errors.join("; ")))?;
    let field = wish.verb.field();
    let arn = aws.start(&name(field), &input).await?;
    let ended = aws.verdict(&arn, LIMIT).await?;
    if ended.status != "SUCCEEDED" {
        return Err(Failed::NotDone(format!(
            "{field} of {} did not come about. {}",
            wish.deployment,
            ended.why()
        )));
    }
    // The output has the reason; the local cloud's emulator gives the whole document.
    let record = ended.output.get("record").unwrap_or(&ended.output);
    Ok(record["reason"].as_str().unwrap_or("it is told").to_owned())
}

fn said(output: Output, json: &Value, text: &str) -> Result<(), Failed> {
    match output {
        Output::Json => print::json(json),
        Output::Text => {
            print::line(text);
            Ok(())
        }
    }
}

/// That nobody would read the wish, and what helps.
fn stopped(verb: Verb, owner: &Owner, execution: &Execution, drains: bool) -> String {
    let name = &owner.deployment;
    let again = format!(
        "Once that is mended: `ebbtide resume --deployment {name} --redrive`; if it cannot be redriven any more, `--take-over`."
    );
    let back = match verb {
        Verb::Resume => String::new(),
        _ if drains => format!(" {TOO_LATE}"),
        _ => format!(" To go back: `ebbtide rollback --deployment {name}`."),
    };
    format!(
        "{}; nobody reads a wish.\n{again}{back}",
        how(name, execution)
    )
}

/// How the execution of a deployment has ended.
fn how(deployment: &str, execution: &Execution) -> String {
    let why = [&execution.error, &execution.cause];
    let why: Vec<&str> = why.into_iter().flatten().map(String::as_str).collect();
    let why = match why.is_empty() {
        true => String::new(),
        false => format!(" ({})", why.join(": ")),
    };
    format!("the execution of {deployment} is {}{why}", execution.status)
}

/// Goes on with a deployment whose execution has ended.
async fn go_again(
    aws: &Aws,
    again: Again,
    owner: &Owner,
    execution: &Execution,
    yes: bool,
    output: Output,
) -> Result<(), Failed> {
    let deployment = &owner.deployment;
    if again == Again::Redrive {
        aws.redrive(&owner.execution).await?;
        let text = format!("{deployment}: its execution is redriven; `ebbtide watch` follows it");
        return said(
            output,
            &json!({"redriven": execution.arn, "deployment": deployment}),
            &text,
        );
    }
    let then = match again {
        Again::Continue => "continue",
        _ => "rollBack",
    };
    let question = format!(
        "{}.\nTake the deployment over in a new one, then {then}?",
        how(deployment, execution)
    );
    confirmed(&question, yes)?;
    let input = json!({"takeOver": {"deployment": deployment, "then": then}});
    let name = name("take-over");
    let arn = aws.start(&name, &input).await?;
    let text = format!("{deployment}: execution {name} takes it over; `ebbtide watch` follows it");
    said(
        output,
        &json!({"takenOverBy": arn, "deployment": deployment, "then": then}),
        &text,
    )
}

/// Asks the person at the terminal; without one, `--yes` has to say it.
fn confirmed(question: &str, yes: bool) -> Result<(), Failed> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failed::Usage(format!("{question} Say --yes")));
    }
    eprint!("{question} [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    match (read, answer.trim()) {
        (Ok(_), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failed::NotDone("nothing was started".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_rules::input::Request;

    use super::*;

    #[test]
    fn a_wish_is_the_input_that_the_plan_reads_as_that_wish() {
        for verb in Verb::ALL {
            let plain = Wish::new(verb, "deploy-1");
            let told = Wish {
                who: Some("sam".to_owned()),
                why: Some("errors rise".to_owned()),
                force: verb == Verb::Promote,
                at: (verb == Verb::Resume).then_some(Halt::Seal),
                ..plain.clone()
            };
            for wish in [plain, told] {
                let parsed = Input::parse(&input(&wish)).map(|it| it.request);
                assert_eq!(parsed, Ok(Request::Wish(wish)));
            }
        }
    }
}
