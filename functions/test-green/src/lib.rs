//! The Lambda `test-green`: before green is given traffic, asks each of its servers whether it is open and empty, gives
//! it the epoch, and makes the user's checks. Before anything is touched it also reads blue's servers, and only reads.
//!
//! Observes through `ebbtide-sessions`, decides by `ebbtide_rules::green_test`, acts by `resume`, whose repeat changes
//! nothing, and by the user's WebSockets, which it closes. Servers that are not fit are its failure: what asking again may
//! mend is asked again by the definition's Retry.

use std::time::Duration;

use ebbtide_rules::document::{Act, Invocation, WrongAct};
use ebbtide_rules::green_test::{
    Finding, GreenTest, Subject, conclude, of_pages, of_reading, of_resume, of_sockets,
};
use ebbtide_rules::plan::Pages;
use ebbtide_rules::{Fence, Server};
use ebbtide_sessions::{CheckClient, SessionClient};
use tokio::time::Instant;

pub use ebbtide_runtime::Failed;

/// Servers that are not fit and that the log names.
const MOST_LOGGED: usize = 20;
/// By when the checks have to be over: the function has 60 s, and what it says of a check has to be said.
const WITHIN: Duration = Duration::from_secs(54);

/// Tests an environment once.
///
/// # Errors
/// When a server is not fit, or not yet, and when the document does not say whom to test.
pub async fn handle(client: &SessionClient, invocation: Invocation) -> Result<GreenTest, Failed> {
    // Who waits for it need not carry the buffers of calls and sockets along.
    Box::pin(test(client, invocation)).await
}

async fn test(client: &SessionClient, invocation: Invocation) -> Result<GreenTest, Failed> {
    let until = Instant::now() + WITHIN;
    let document = &invocation.document;
    let (subject, servers) = match invocation.act {
        Act::TestBlue => (Subject::Blue, document.planned_servers()?),
        Act::TestGreen => (Subject::Green, document.green_servers()?),
        other => return Err(WrongAct(other).into()),
    };
    let fence = document.fence()?;
    let policy = &document.recorded()?.policy;
    let mut test = Test::of(servers);
    let readings = client.read(&test.fit()).await;
    let found = readings.iter();
    test.note(found.map(|reading| of_reading(reading, &fence, subject, policy)));
    // Blue's servers hold users: to take the epoch they would have to be asked something.
    if subject == Subject::Green {
        let answers = client.resume(&fence, &test.fit()).await;
        test.note(
            answers
                .iter()
                .map(|answer| of_resume(answer, &fence, policy)),
        );
        check(&mut test, &client.checks(), &policy.pages, until).await;
    }
    let findings = test.findings();
    log(&fence, subject, &findings);
    Ok(conclude(&findings, subject)?)
}

/// The user's checks. A WebSocket is a session while it is open, so none is opened where something else speaks against green
/// already: the test is made again then, and green has to be empty for it.
async fn check(test: &mut Test<'_>, client: &CheckClient, pages: &Pages, until: Instant) {
    let answers = client.pages(&test.fit(), pages, until).await;
    test.note(answers.iter().map(|answers| of_pages(answers)));
    if let Some(sockets) = pages.web_sockets.as_ref().filter(|_| test.is_passed()) {
        let answers = client
            .sockets(&test.fit(), pages.port, sockets, until)
            .await;
        let found = answers.iter();
        test.note(found.map(|answers| of_sockets(answers, sockets.seconds)));
    }
}

/// Every server that is not fit is logged; the cause has room for some.
fn log(fence: &Fence, subject: Subject, findings: &[(String, Finding)]) {
    let not_fit: Vec<_> = findings
        .iter()
        .filter(|(_, finding)| *finding != Finding::Fit)
        .take(MOST_LOGGED)
        .collect();
    tracing::info!(
        deployment = fence.deployment,
        epoch = fence.epoch,
        ?subject,
        servers = findings.len(),
        ?not_fit,
        "tested"
    );
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

    /// Whether every server is fit, so far.
    fn is_passed(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.all(|(_, finding)| *finding == Finding::Fit)
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
