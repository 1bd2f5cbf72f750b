//! The Lambda `ask-service`: makes the user's checks through the load balancer. Before anything is touched where users reach
//! the service, then where green alone is reached, and while steps and bake last where users reach the service again.
//!
//! Observes through `ebbtide-sessions`, decides by `ebbtide_rules::service`, and changes nothing: whichever server answers, a
//! WebSocket is a session of it for some seconds, and is closed in order. It is a function of its own because a load balancer
//! that faces the internet is asked from there, where nobody reaches the servers, and without their signing secret.

use std::time::Duration;

use ebbtide_rules::document::Invocation;
use ebbtide_rules::service::Service;
use ebbtide_sessions::CheckClient;
use tokio::time::Instant;

pub use ebbtide_runtime::Failed;

/// By when the checks have to be over: the function has 60 s, and what it says of a check has to be said.
const WITHIN: Duration = Duration::from_secs(54);

/// Makes the checks once, where the stack says where.
///
/// # Errors
/// Before the switch, unless they have passed, and when the document does not say what to ask.
pub async fn handle(client: &CheckClient, invocation: Invocation) -> Result<Service, Failed> {
    let until = Instant::now() + WITHIN;
    let question = invocation.service()?;
    let deployment = &invocation.document.plan()?.deployment;
    let Some(url) = question.url else {
        return Ok(question.unasked());
    };
    // Who waits for it need not carry the buffers of calls and sockets along.
    let asking = Box::pin(client.service(url, deployment, question.pages, until));
    let found = asking.await;
    tracing::info!(
        deployment,
        asking = ?question.asking,
        url = url.as_str(),
        ?found,
        "asked through the load balancer"
    );
    Ok(question.conclude(&found)?)
}
