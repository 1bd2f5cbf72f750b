//! The Lambda terminate-blue: ends the instances of an environment that may be ended, and says what is left of it.
//!
//! Called in every pass of a drain, to end what has sealed in it, and to end a green that never had weight: the
//! deployment's own, or that of one which it supersedes. Lists the environment itself, refuses whatever
//! `ebbtide_rules::terminate` refuses, and never answers `gone` from what it ordered: only from what EC2 and the load
//! balancer show.

mod end;
mod observe;

use ebbtide_aws::Cloud;
use ebbtide_rules::document::{Act, Document, Invocation, Told, WrongAct};
use ebbtide_rules::record::Work;
use ebbtide_rules::terminate::{
    Decision, Licence, Parking, Terminated, Termination, conclude, decide, stale,
};
use ebbtide_rules::{Fence, Server};
use jiff::Timestamp;

pub use ebbtide_runtime::Failed;

/// Ends what may be ended, and counts what is left.
///
/// # Errors
/// [`Failed`]; some instances may have been ended already, and a repeat ends the others.
pub async fn handle(
    cloud: &Cloud,
    now: Timestamp,
    invocation: Invocation,
) -> Result<Told<Terminated>, Failed> {
    let document = &invocation.document;
    let fence = document.fence()?;
    let (order, servers, former) = match invocation.act {
        Act::EndSealed => {
            let (order, servers) = sealed(document, &fence)?;
            (order, servers, &document.terminate)
        }
        Act::EndUnserved => {
            let (deployment, environment) = document.unserved()?;
            let order = Termination::unserved(deployment, environment)?;
            let order = order.giving_back(document.version_before(environment));
            (order, document.unserved_servers()?, &document.rejected)
        }
        other => return Err(WrongAct(other).into()),
    };
    let whose = Whose {
        fence: &fence,
        act: invocation.act,
        listeners: document.listeners()?,
        servers,
    };
    let mut ended = end(cloud, &order, whose).await?;
    let kept = former.as_ref().map(|former| &former.answer);
    ended.remember(kept);
    ended.tried(kept, &order, invocation.redrives, now)?;
    Ok(Told::new(ended, invocation.retries, former.as_ref(), now))
}

/// What has sealed in this pass, in the environment that was listed in it.
fn sealed<'a>(
    document: &'a Document,
    fence: &Fence,
) -> Result<(Termination, &'a [Server]), Failed> {
    let listed = document.retiring()?;
    let environment = &listed.environment;
    let order = Termination::sealed(&fence.deployment, environment, document.sealed()?)?;
    let order = order.giving_back(document.version_before(environment));
    Ok((order, &listed.servers))
}

/// Who asks for an end, and what is known of the environment.
struct Whose<'a> {
    fence: &'a Fence,
    act: Act,
    /// The listeners of the plan: no group with weight at any of them loses a server.
    listeners: &'a [String],
    /// Those that were listed before.
    servers: &'a [Server],
}

async fn end(cloud: &Cloud, order: &Termination, whose: Whose<'_>) -> Result<Terminated, Failed> {
    let work = match whose.act {
        Act::EndSealed => Work::EndSealed(&order.environment),
        _ => Work::EndUnserved(&order.environment),
    };
    let Whose {
        fence,
        listeners,
        servers,
        ..
    } = whose;
    let look = || observe::environment(cloud, order, listeners, servers);
    let mut seen = look().await?;
    // Last, so that as little time as possible lies between this and the first change.
    cloud.records.admit(fence, work).await?;
    order.refuse_weight(&seen)?;
    let decision = decide(&seen, order);
    let stale = stale(&seen);
    log(fence, order, &decision);
    let ending = end::Ending {
        cloud,
        fence,
        work,
        own_group: order.environment.auto_scaling_group.as_deref(),
    };
    // One that never served gets no more members before those that there are end.
    if order.licence == Licence::NeverServed && ending.park(&Parking::of(&seen, order)).await? {
        seen = look().await?;
    }
    if !(decision.terminate.is_empty() && stale.is_empty()) {
        ending
            .deregister(&seen.targets, &decision.terminate, &stale)
            .await?;
        ending.instances(&decision.terminate).await?;
        seen = look().await?;
    }
    // Those that were just ended among them: the hook holds up every end.
    if ending.release(&decide(&seen, order).release).await? {
        seen = look().await?;
    }
    // Twice: the hook goes once reading has shown that nobody is launched any more.
    for _ in 0..2 {
        if ending.park(&Parking::of(&seen, order)).await? {
            seen = look().await?;
        }
    }
    Ok(conclude(&seen, order)?)
}

fn log(fence: &Fence, order: &Termination, decision: &Decision) {
    let refused: Vec<String> = decision
        .refused
        .iter()
        .map(|(instance, refusal)| format!("{instance}: {refusal}"))
        .collect();
    tracing::info!(
        deployment = fence.deployment,
        epoch = fence.epoch,
        environment = order.environment.name,
        licence = ?order.licence,
        terminate = ?decision.terminate,
        release = ?decision.release,
        refused = ?refused,
        "decided"
    );
}
