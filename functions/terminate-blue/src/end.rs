//! Deregisters and ends instances, one by one, asking before each whether the service is still ours.
//!
//! Called with nothing but what the rules allow. One instance that AWS will not end does not keep the others alive: it
//! is told after them.

use ebbtide_aws::{Cloud, CloudError};
use ebbtide_rules::hold::{ScalingGroup, ScalingMember};
use ebbtide_rules::observed::Target;
use ebbtide_rules::record::Work;
use ebbtide_rules::terminate::lower_min_size;
use ebbtide_rules::{ErrorName, Failure, Fence};

/// How many are ended in one call: two requests each, and a function has 60 seconds. The next pass ends the others.
const MOST_A_CALL: usize = 50;

/// Who ends, and of which target group.
pub(crate) struct Ending<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) fence: &'a Fence,
    pub(crate) work: Work<'a>,
    pub(crate) group: &'a str,
}

impl Ending<'_> {
    /// Deregisters those of `targets` that are about to be ended, and what is left of those that are gone. The record was
    /// read just before.
    pub(crate) async fn deregister(
        &self,
        targets: &[Target],
        ending: &[String],
        mut leaving: Vec<String>,
    ) -> Result<(), CloudError> {
        let ids = first(ending);
        let registered = targets.iter().filter(|target| target.registered);
        let ending = registered.filter(|target| ids.contains(&target.instance));
        leaving.extend(ending.map(|target| target.instance.clone()));
        self.cloud.groups.deregister(self.group, &leaving).await
    }

    /// Ends `ids`, or the first of them.
    pub(crate) async fn instances(&self, ids: &[String]) -> Result<(), CloudError> {
        let ids = first(ids);
        let groups = self.cloud.auto_scaling.groups_of(ids).await?;
        for group in &groups {
            self.lower(group).await?;
        }
        let mut failed = None;
        for id in ids {
            self.admit().await?;
            match end(self.cloud, &groups, id).await {
                Err(error) if error.name() == ErrorName::AwsRefused => {
                    tracing::warn!(instance = id, %error, "not ended");
                    failed.get_or_insert(error);
                }
                other => other?,
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Makes room below a group's desired capacity: AWS ends no member at the smallest size with the capacity decremented.
    async fn lower(&self, group: &ScalingGroup) -> Result<(), CloudError> {
        let ending = group.members.iter().filter(|member| stays(member)).count();
        let ending = u32::try_from(ending).unwrap_or(u32::MAX);
        let Some(least) = lower_min_size(group.min_size, group.desired, ending) else {
            return Ok(());
        };
        self.admit().await?;
        let scaling = &self.cloud.auto_scaling;
        scaling.set_min_size(&group.name, least).await
    }

    async fn admit(&self) -> Result<(), CloudError> {
        self.cloud.records.admit(self.fence, self.work).await?;
        Ok(())
    }
}

fn first(ids: &[String]) -> &[String] {
    &ids[..ids.len().min(MOST_A_CALL)]
}

async fn end(cloud: &Cloud, groups: &[ScalingGroup], id: &str) -> Result<(), CloudError> {
    let mut members = groups.iter().flat_map(|group| &group.members);
    match members.find(|member| member.instance == id && !member.is_detached()) {
        None => cloud.instances.terminate(id).await,
        // A member that is ended directly is replaced.
        Some(member) if stays(member) => cloud.auto_scaling.terminate(id).await,
        Some(member) => {
            tracing::info!(instance = id, lifecycle = member.lifecycle, "leaves alone");
            Ok(())
        }
    }
}

/// Whether the group counts it in its desired capacity, and would refuse nothing. Of the others, the terminating end
/// without us (one may have begun since the environment was read); the detaching are ended once they are out.
fn stays(member: &ScalingMember) -> bool {
    !(member.is_terminating() || member.is_detaching() || member.is_detached())
}
