//! After how long an Auto Scaling group replaces its instances, whatever they do.
//!
//! A process of its own that no suspension names: the group's maximum instance lifetime (Amazon EC2 Auto Scaling user
//! guide, "Replace Auto Scaling instances based on maximum instance lifetime"). At least a day; 0 or none is never.

use aws_sdk_autoscaling::Client;

use crate::CloudError;
use crate::error::Called;

/// DescribeAutoScalingGroups answers 50 groups a page.
const CHUNK: usize = 50;

/// Reads the maximum instance lifetime of Auto Scaling groups.
#[derive(Debug, Clone)]
pub struct Lifetimes {
    client: Client,
}

impl Lifetimes {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Those of the groups that have one, with its seconds.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn of(&self, groups: &[String]) -> Result<Vec<(String, u32)>, CloudError> {
        let mut found = Vec::new();
        for chunk in groups.chunks(CHUNK) {
            let mut pages = self
                .client
                .describe_auto_scaling_groups()
                .set_auto_scaling_group_names(Some(chunk.to_vec()))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.called(|| "DescribeAutoScalingGroups")?;
                let limited = page.auto_scaling_groups().iter().filter_map(|group| {
                    let seconds = u32::try_from(group.max_instance_lifetime()?).ok()?;
                    let name = group.auto_scaling_group_name()?.to_owned();
                    (seconds > 0).then_some((name, seconds))
                });
                found.extend(limited);
            }
        }
        Ok(found)
    }
}
