//! The Lambda `test-green`: before green is given traffic, asks each of its servers whether it is open and empty, gives
//! it the epoch, and asks for the user's pages. Before anything is touched it also reads blue's servers, and only reads.
//!
//! Observes through `ebbtide-sessions`, decides by `ebbtide_rules::green_test`, acts only by `resume`, whose
//! repeat changes nothing. It never fails: what is wrong with the servers is its verdict.

use std::convert::Infallible;
use std::fmt;

use ebbtide_rules::green_test::{
    Finding, GreenTest, Subject, conclude, of_pages, of_reading, of_resume,
};
use ebbtide_rules::{ErrorName, Fence, Server};
use ebbtide_runtime::Failure;
use ebbtide_sessions::{SessionClient, UrlPath};
use serde::Deserialize;

/// What the state machine passes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// Who asks.
    pub fence: Fence,
    /// Whose servers these are: green's, unless told.
    #[serde(default)]
    pub subject: Subject,
    /// Its servers.
    pub servers: Vec<Server>,
    /// The number of this attempt, from 0.
    #[serde(default)]
    pub attempt: u32,
}

/// The user's own pages, each to be answered 2xx by every green server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pages {
    /// The port that serves them.
    pub port: u16,
    /// Their paths; none when the user has no checks.
    pub paths: Vec<UrlPath>,
}

/// There is no failure: a server's trouble is part of the verdict.
#[derive(Debug)]
pub struct NoFailure(Infallible);

impl fmt::Display for NoFailure {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl Failure for NoFailure {
    fn name(&self) -> ErrorName {
        match self.0 {}
    }
}

/// Tests an environment once.
///
/// # Errors
/// Never.
pub async fn test_green(
    client: &SessionClient,
    pages: &Pages,
    payload: Payload,
) -> Result<GreenTest, NoFailure> {
    let mut test = Test::of(&payload.servers);
    let (fence, subject) = (&payload.fence, payload.subject);
    let readings = client.read(&test.fit()).await;
    let found = readings.iter();
    test.note(found.map(|reading| of_reading(reading, fence, subject)));
    // Blue's servers hold users: to take the epoch they would have to be asked something.
    if subject == Subject::Green {
        let answers = client.resume(fence, &test.fit()).await;
        test.note(answers.iter().map(|answer| of_resume(answer, fence)));
        let fit = test.fit();
        let answers = client.pages(&fit, pages.port, &pages.paths).await;
        test.note(answers.iter().map(|answers| of_pages(answers)));
    }
    let verdict = conclude(&test.findings(), payload.attempt, subject);
    tracing::info!(
        deployment = fence.deployment,
        epoch = fence.epoch,
        ?subject,
        attempt = payload.attempt,
        verdict = ?verdict.verdict,
        reason = verdict.reason,
        refusals = ?verdict.refusals,
        "tested"
    );
    Ok(verdict)
}

/// Every server with what is found of it so far; only a fit one is asked the next question.
struct Test<'a> {
    findings: Vec<(&'a Server, Finding)>,
}

impl<'a> Test<'a> {
    fn of(servers: &'a [Server]) -> Self {
        Self {
            findings: servers
                .iter()
                .map(|server| (server, Finding::Fit))
                .collect(),
        }
    }

    fn fit(&self) -> Vec<Server> {
        self.findings
            .iter()
            .filter(|(_, finding)| *finding == Finding::Fit)
            .map(|(server, _)| (*server).clone())
            .collect()
    }

    /// Notes what is found of the fit servers, in their order.
    fn note(&mut self, found: impl Iterator<Item = Finding>) {
        let fit = self
            .findings
            .iter_mut()
            .filter(|(_, finding)| *finding == Finding::Fit);
        for ((_, finding), found) in fit.zip(found) {
            *finding = found;
        }
    }

    fn findings(self) -> Vec<(String, Finding)> {
        self.findings
            .into_iter()
            .map(|(server, finding)| (server.instance.clone(), finding))
            .collect()
    }
}
