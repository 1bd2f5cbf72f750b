//! The Lambda hold-blue: sees to it that nothing but this deployment ends a server of the retiring environment, then
//! lists its servers; or gives back what holding took.
//!
//! Called before the first weight moves and again in every pass, because an Auto Scaling group may have launched more
//! meanwhile; with the act `letGo`, for an environment that serves on. Refuses an environment with a target that EC2 does
//! not know: nobody can say what it holds.

mod hold;
mod let_go;

use std::collections::BTreeSet;

use ebbtide_aws::{Cloud, CloudError};
use ebbtide_rules::document::{Act, Invocation, Told, WrongAct};
use ebbtide_rules::hold::{HeldFor, held_up};
use ebbtide_rules::observed::{Instance, Target};
use ebbtide_rules::record::Work;
use ebbtide_rules::scaling::ScalingGroup;
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

impl Call<'_> {
    /// What something else is ending lives on for a while longer by the hook; nothing brings it back into service.
    async fn hold_up(&self, seen: &Seen) -> Result<(), CloudError> {
        for (group, member) in held_up(&seen.instances, &seen.groups) {
            let own = self.environment.auto_scaling_group.as_deref() == Some(group);
            tracing::warn!(
                deployment = self.fence.deployment,
                group,
                instance = member.instance,
                own,
                "is being ended by its group; a hook holds that up"
            );
            if own {
                let scaling = &self.cloud.auto_scaling;
                scaling.hold_up(group, &member.instance).await?;
            }
        }
        Ok(())
    }

    /// The environment's own Auto Scaling group. One in which nothing runs, and nothing can, holds nobody.
    async fn own_group(&self) -> Result<Option<ScalingGroup>, CloudError> {
        let Some(name) = &self.environment.auto_scaling_group else {
            return Ok(None);
        };
        let own = self.cloud.auto_scaling.own(name).await?;
        Ok(own.filter(|group| !group.is_parked()))
    }

    /// The Auto Scaling groups that have any of the instances, and the environment's own.
    async fn groups(
        &self,
        own: Option<ScalingGroup>,
        instances: &[Instance],
    ) -> Result<Vec<ScalingGroup>, CloudError> {
        let scaling = &self.cloud.auto_scaling;
        let mut groups = scaling.groups_of(&live(instances)).await?;
        groups.retain(|group| !self.holder.owns(group));
        groups.extend(own);
        Ok(groups)
    }
}

/// Who is registered at any listener, and who is a member of the environment's own group, registered or not.
fn belonging(targets: &[Target], own: Option<&ScalingGroup>) -> Vec<String> {
    let registered = targets.iter().filter(|target| target.registered);
    let members = own.into_iter().flat_map(|group| &group.members);
    let ids: BTreeSet<&String> = registered
        .map(|target| &target.instance)
        .chain(members.map(|member| &member.instance))
        .collect();
    ids.into_iter().cloned().collect()
}

/// The environment as AWS shows it.
struct Seen {
    instances: Vec<Instance>,
    groups: Vec<ScalingGroup>,
}

fn live(instances: &[Instance]) -> Vec<String> {
    let live = instances.iter().filter(|instance| instance.is_live());
    live.map(|instance| instance.id.clone()).collect()
}
