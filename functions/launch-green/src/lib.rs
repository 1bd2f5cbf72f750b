//! The Lambda launch-green: launches what green lacks, or wakes its Auto Scaling group, and says whether green is healthy.
//!
//! Called again and again until it says anything but `wait`. Refuses nothing by itself: whether green is given up is
//! decided in `ebbtide_rules::launch`.

mod group;
mod instances;

use ebbtide_aws::Cloud;
use ebbtide_rules::Fence;
use ebbtide_rules::document::{Act, Invocation, Told, WrongAct};
use ebbtide_rules::launch::Launched;
use ebbtide_rules::plan::Recorded;
use ebbtide_rules::record::Front;
use jiff::Timestamp;

pub use ebbtide_runtime::Failed;

/// Gives green what it lacks and reads how it stands then.
///
/// # Errors
/// [`Failed`]; instances that were launched before it carry their tags and are found by the repeat.
pub async fn handle(
    cloud: &Cloud,
    now: Timestamp,
    invocation: Invocation,
) -> Result<Told<Launched>, Failed> {
    if invocation.act != Act::Launch {
        return Err(WrongAct(invocation.act).into());
    }
    let document = &invocation.document;
    let fence = document.fence()?;
    let record = cloud.records.read().await?;
    let front = record.front_of(&fence.deployment);
    let call = Call {
        cloud,
        given_up: front.and_then(Front::given_up),
        fence,
        plan: document.recorded()?,
    };
    let former = document.green.as_ref();
    let launching = former.map(|it| it.launching.clone()).unwrap_or_default();
    let launched = match (
        &call.plan.green.group,
        &call.plan.green.environment.auto_scaling_group,
    ) {
        (Some(wake), Some(name)) => {
            Box::pin(group::complete(&call, wake, name, launching, now)).await?
        }
        _ => Box::pin(instances::complete(&call, launching, now)).await?,
    };
    Ok(Told::new(launched, invocation.retries, former, now))
}

/// One call.
struct Call<'a> {
    cloud: &'a Cloud,
    fence: Fence,
    plan: &'a Recorded,
    /// Why an operator wants green given up, if one does: it is read in each call, so green ends as soon as that is said.
    given_up: Option<String>,
}
