//! Tries a server against the session endpoint, version 1 (docs/session-endpoint.yaml), from outside.
//!
//! Owns the order of a trial. It ends with a seal, so the server takes no session afterwards: give it one of its own. What
//! it is not given hands for is not tried, and says so. [`try_server`] is called by the command and by tests.

mod call;
pub mod commands;
mod hammer;
mod hands;
mod rules;
mod server;
mod trial;
mod verdict;
pub mod websocket;

use std::sync::Arc;
use std::time::Duration;

use ebbtide_rules::report::Admission;
use ebbtide_signature::Key;
use serde_json::Value;

pub use call::read_keys;
pub use hands::{Doer, Doing, Hands, NotOpened, Opener, Session};
pub use verdict::{Line, Outcome, Verdict};

use rules::{Needs, Rule};
use server::{Answer, Server};
use trial::{Ended, Trial};

/// The server under trial.
#[derive(Clone)]
pub struct Subject {
    /// Where its `GET /sessions` is.
    pub url: String,
    /// Its instance; what its first report says, if it is not known.
    pub instance: Option<String>,
    /// Its keys, as [`read_keys`] reads them; none where calls are not signed.
    pub keys: Arc<[Key]>,
    /// What can be done to it.
    pub hands: Hands,
    /// What a call is given: Ebbtide gives it three seconds.
    pub limit: Duration,
    /// How long to wait for a session to become idle, and for one that is gone to be noticed.
    pub patience: Duration,
    /// How many seals to give under arriving sessions, if it can be begun anew.
    pub rounds: u32,
}

/// Why nothing can be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoTrial(pub String);

/// Tries every rule on the server, which has to be open, with nothing in use.
///
/// # Errors
/// When it does not answer, or is in another state: rules would be blamed that are kept.
pub async fn try_server(subject: Subject) -> Result<Verdict, NoTrial> {
    let mut trial = begin(subject).await?;
    let mut lines = Vec::new();
    for rule in &rules::ALL {
        let outcome = outcome(rule, &mut trial).await;
        lines.push(Line {
            rule: rule.name,
            says: rule.says,
            outcome,
        });
    }
    Ok(Verdict { lines })
}

async fn begin(subject: Subject) -> Result<Trial, NoTrial> {
    let server = Server::new(&subject.url, subject.limit, subject.keys).map_err(NoTrial)?;
    let first = first(&server).await?;
    let said: Value = serde_json::from_slice(&first.body).unwrap_or_default();
    let Some(instance) = subject
        .instance
        .or(said["instance"].as_str().map(str::to_owned))
    else {
        return Err(NoTrial(format!(
            "its report names no instance: {}",
            first.told()
        )));
    };
    if let Ok(report) = first.report(&instance)
        && (report.admission != Admission::Open || !report.counts_nothing())
    {
        return Err(NoTrial(format!(
            "it has to be open, with nothing in use, and is {} with {} busy and {} idle sessions",
            report.admission, report.busy, report.idle
        )));
    }
    Ok(Trial {
        server,
        instance,
        epoch: 0,
        hands: subject.hands,
        patience: subject.patience,
        rounds: subject.rounds,
        sealed: false,
    })
}

/// The first report, whether its signature is right or not: that is for the rules to say.
async fn first(server: &Server) -> Result<Answer, NoTrial> {
    let answer = server.first().await.map_err(NoTrial)?;
    let signed = !server.keys.is_empty();
    match answer.status {
        401 if signed => Err(NoTrial(format!(
            "it refuses calls signed with these keys: {}",
            answer.told()
        ))),
        401 => Err(NoTrial(
            "this server takes signed calls only: --keys, the file that it reads its keys from"
                .to_owned(),
        )),
        _ => Ok(answer),
    }
}

async fn outcome(rule: &Rule, trial: &mut Trial) -> Outcome {
    let begun = match rule.needs {
        Needs::Open => trial.begin().await,
        Needs::Nothing => Ok(()),
    };
    let tried = match begun {
        Ok(()) => (rule.act)(trial).await,
        Err(ended) => Err(ended),
    };
    match tried {
        Ok(seen) => Outcome::Passed(seen),
        Err(Ended::Failed(seen)) => Outcome::Failed(seen),
        Err(Ended::NotTried(why)) => Outcome::NotTried(why),
    }
}
