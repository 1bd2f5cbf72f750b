//! The Lambda hold-blue: sees to it that nothing but this deployment ends a server of the retiring environment, then
//! lists its servers; or gives back what holding took.
//!
//! Called before the first weight moves and again in every pass, because an Auto Scaling group may have launched more
//! meanwhile; with the act `letGo`, for an environment that serves on. Refuses an environment with a target that EC2 does
//! not know: nobody can say what it holds.

mod hold;
mod let_go;

use ebbtide_aws::{Cloud, CloudError};
use ebbtide_rules::document::{Act, Invocation, Told, WrongAct};
use ebbtide_rules::hold::{HeldFor, ScalingGroup};
use ebbtide_rules::observed::{Instance, Target};
use ebbtide_rules::record::Work;
use ebbtide_rules::{Environment, Fence, Retiring};
use jiff::Timestamp;

pub use ebbtide_runtime::Failed;

/// Holds an environment, or lets it go, and lists it.
///
/// # Errors
/// [`Failed`]; some of what was to be done may have been ordered already, and a repeat orders the rest.
pub async fn handle(
    cloud: &Cloud,
    now: Timestamp,
    invocation: Invocation,
) -> Result<Told<Retiring>, Failed> {
    let document = &invocation.document;
    let (list, former) = match invocation.act {
        Act::Hold => {
            let call = Call::new(cloud, document.fence()?, document.to_hold()?);
            (hold::environment(&call, now).await?, &document.retiring)
        }
        Act::LetGo => {
            let call = Call::new(cloud, document.fence()?, document.to_let_go()?);
            (let_go::environment(&call, now).await?, &document.held)
        }
        other => return Err(WrongAct(other).into()),
    };
    Ok(Told::new(list, invocation.retries, former.as_ref(), now))
}

/// One call.
struct Call<'a> {
    cloud: &'a Cloud,
    fence: Fence,
    environment: &'a Environment,
    holder: HeldFor,
}

impl<'a> Call<'a> {
    fn new(cloud: &'a Cloud, fence: Fence, environment: &'a Environment) -> Self {
        Self {
            holder: HeldFor::new(&cloud.service, &fence, environment),
            cloud,
            fence,
            environment,
        }
    }

    async fn admit(&self, work: Work<'_>) -> Result<(), CloudError> {
        self.cloud.records.admit(&self.fence, work).await?;
        Ok(())
    }
}

/// The environment as AWS shows it.
struct Seen {
    instances: Vec<Instance>,
    groups: Vec<ScalingGroup>,
}

fn registered(targets: &[Target]) -> Vec<String> {
    let registered = targets.iter().filter(|target| target.registered);
    registered.map(|target| target.instance.clone()).collect()
}

fn live(instances: &[Instance]) -> Vec<String> {
    let live = instances.iter().filter(|instance| instance.is_live());
    live.map(|instance| instance.id.clone()).collect()
}
