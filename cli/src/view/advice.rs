//! What a person may want to type now. Advice, not a decision: whatever is asked for, keep-record decides.

use ebbtide_rules::record::{Front, Phase};

use super::deployment::Deployment;

pub(super) fn of_front(front: &Front, deployment: &Deployment) -> Vec<String> {
    let mut advice = Vec::new();
    if deployment.stopped {
        advice.extend(stopped(deployment));
        advice.push(match front.phase {
            Phase::Superseding { .. } | Phase::Claimed => {
                "or start anew: `ebbtide deploy` supersedes it, its green is ended".to_owned()
            }
            Phase::Switched => "or go back: `ebbtide rollback`".to_owned(),
            Phase::RollingBack { .. } => {
                "it is on its way back: mend what the cause names".to_owned()
            }
            Phase::Detaching { .. } => "the next deployment overtakes it".to_owned(),
        });
    }
    let stands = deployment.stands.as_ref();
    if let Some(stands) = stands.filter(|_| deployment.acting.runs) {
        advice.push(format!(
            "to go on: `ebbtide resume --at {}`, to give up: `ebbtide abort`",
            stands.at.word()
        ));
    }
    advice.extend(silent(deployment));
    advice
}

pub(super) fn of_entry(deployment: &Deployment) -> Vec<String> {
    let mut advice = Vec::new();
    if deployment.stopped {
        advice.extend(stopped(deployment));
        advice
            .push("nothing is cut meanwhile; the next deployment need not wait for it".to_owned());
    }
    advice.extend(silent(deployment));
    advice
}

/// What can be done about an execution that does not go on.
fn stopped(deployment: &Deployment) -> Vec<String> {
    let name = &deployment.name;
    let error = deployment.acting.error.as_ref();
    let explained = error.map(|error| format!("what it means: `ebbtide explain {error}`"));
    let again = format!(
        "once that is mended: `ebbtide resume --deployment {name} --redrive`; if it cannot be redriven any more, `--take-over`"
    );
    explained.into_iter().chain([again]).collect()
}

fn silent(deployment: &Deployment) -> Option<String> {
    let servers = &deployment.empties.as_ref()?.servers;
    let unknown = servers.iter().find(|server| server.is == "unknown")?;
    Some(format!(
        "{0} does not answer and blocks: mend it, or, if what it holds may be lost, `aws ec2 terminate-instances --instance-ids {0}`",
        unknown.instance
    ))
}
