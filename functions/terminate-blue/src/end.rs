//! Deregisters and ends instances, one by one, asking before each whether the service is still ours; parks their group.
//!
//! Called with nothing but what the rules allow. One instance that AWS will not end does not keep the others alive: it
//! is told after them.

use std::collections::BTreeMap;

use ebbtide_aws::{Cloud, CloudError};
use ebbtide_rules::hold::SUSPENDED_TAG;
use ebbtide_rules::observed::{GroupTargets, Target};
use ebbtide_rules::record::Work;
use ebbtide_rules::scaling::Sizes;
use ebbtide_rules::terminate::{MemberEnd, Parking, group_end};
use ebbtide_rules::{ErrorName, Failure, Fence};

/// How many are ended in one call: two requests each, and a function has 60 seconds. The next pass ends the others.
const MOST_A_CALL: usize = 50;

/// Who ends, and of which Auto Scaling group.
pub(crate) struct Ending<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) fence: &'a Fence,
    pub(crate) work: Work<'a>,
    pub(crate) own_group: Option<&'a str>,
}

impl Ending<'_> {
    /// Deregisters, from each of the environment's groups, those that are about to be ended and those that are `gone`. The
    /// record was read just before.
    pub(crate) async fn deregister(
        &self,
        groups: &[GroupTargets],
        ending: &[String],
        gone: &[String],
    ) -> Result<(), CloudError> {
        let ids = first(ending);
        let leaves = |target: &&Target| {
            let id = &target.instance;
            target.registered && (ids.contains(id) || gone.contains(id))
        };
        for group in groups {
            let leaving: Vec<Target> = group.targets.iter().filter(leaves).cloned().collect();
            let arn = &group.target_group_arn;
            self.cloud.groups.deregister(arn, &leaving).await?;
        }
        Ok(())
    }

    /// Ends `ids`, or the first of them.
    pub(crate) async fn instances(&self, ids: &[String]) -> Result<(), CloudError> {
        let ids = first(ids);
        let groups = self.cloud.auto_scaling.groups_of(ids).await?;
        let mut members = BTreeMap::new();
        for group in &groups {
            let end = group_end(group);
            if let Some(min_size) = end.min_size {
                self.admit().await?;
                let scaling = &self.cloud.auto_scaling;
                scaling.set_min_size(&group.name, min_size).await?;
            }
            members.extend(end.members);
        }
        let mut failed = None;
        for id in ids {
            self.admit().await?;
            let how = members.get(id).copied().unwrap_or(MemberEnd::Directly);
            match end(self.cloud, how, id).await {
                Err(error) if error.name() == ErrorName::AwsRefused => {
                    tracing::warn!(instance = id, %error, "not ended");
                    failed.get_or_insert(error);
                }
                other => other?,
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Lets those end that the hook on the environment's own group holds up; whether there were any.
    pub(crate) async fn release(&self, ids: &[String]) -> Result<bool, CloudError> {
        let Some(group) = self.own_group.filter(|_| !ids.is_empty()) else {
            return Ok(false);
        };
        for id in first(ids) {
            self.admit().await?;
            self.cloud.auto_scaling.release(group, id).await?;
        }
        Ok(true)
    }

    /// Does to the environment's own group what is left until it is parked, in the order of `Parking`; whether there was
    /// anything. The note outlives what it names.
    pub(crate) async fn park(&self, left: &Parking) -> Result<bool, CloudError> {
        let Some(group) = self.own_group.filter(|_| !left.is_none()) else {
            return Ok(false);
        };
        self.admit().await?;
        tracing::info!(group, ?left, "parks");
        let scaling = &self.cloud.auto_scaling;
        if left.sizes || left.version.is_some() {
            let version = left.version.as_deref();
            scaling.set_sizes(group, Sizes::PARKED, version).await?;
        }
        if let Some(note) = &left.note {
            scaling.tag(group, SUSPENDED_TAG, &note.value()).await?;
        }
        if !left.suspend.is_empty() {
            scaling.suspend(group, &left.suspend).await?;
        }
        scaling.resume(group, &left.resume).await?;
        match &left.keep {
            Some(Some(note)) => scaling.tag(group, SUSPENDED_TAG, &note.value()).await?,
            Some(None) => scaling.untag(group, SUSPENDED_TAG).await?,
            None => {}
        }
        if left.unhook {
            scaling.unhook(group).await?;
        }
        Ok(true)
    }

    async fn admit(&self) -> Result<(), CloudError> {
        self.cloud.records.admit(self.fence, self.work).await?;
        Ok(())
    }
}

fn first(ids: &[String]) -> &[String] {
    &ids[..ids.len().min(MOST_A_CALL)]
}

async fn end(cloud: &Cloud, how: MemberEnd, id: &str) -> Result<(), CloudError> {
    match how {
        MemberEnd::Directly => cloud.instances.terminate(id).await,
        MemberEnd::Shrink => cloud.auto_scaling.terminate(id, true).await,
        MemberEnd::Surplus => cloud.auto_scaling.terminate(id, false).await,
        MemberEnd::Alone => {
            tracing::info!(instance = id, "its group ends it, or lets it go");
            Ok(())
        }
    }
}
