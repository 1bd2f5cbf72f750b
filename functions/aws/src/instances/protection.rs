//! What keeps an instance from being terminated, and which instances AWS ends by itself.

use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{InstanceAttributeName, InstanceLifecycleType};
use ebbtide_rules::{ErrorName, Failure};
use futures_util::{StreamExt, stream};

use super::{CHUNK, Instances, filter};
use crate::CloudError;
use crate::error::Called;

/// How many instances are asked about at once; no call answers for more than one. EC2 grants a non-mutating action a
/// hundred calls and then 20 a second, in the whole account ("Request throttling for the Amazon EC2 API").
const AT_ONCE: usize = 4;

/// The states of a Spot request that may still launch (SpotInstanceRequest's reference).
const OPEN: [&str; 3] = ["open", "active", "disabled"];

/// Which of some instances have termination protection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Protection {
    /// Those that have it.
    pub protected: Vec<String>,
    /// Those that were not asked about any more when AWS asked for fewer calls.
    pub unread: Vec<String>,
}

/// Which of some instances are Spot instances.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spot {
    /// All of them.
    pub instances: Vec<String>,
    /// Those that come of a persistent request, which brings back what is ended (Amazon EC2 user guide, "Spot Instance
    /// request types").
    pub persistent: Vec<String>,
}

impl Instances {
    /// Which of the instances have termination protection (`disableApiTermination`).
    ///
    /// # Errors
    /// AWS's failure; but being asked for fewer calls is no failure: hundreds of instances may need more of them than
    /// AWS grants at once, and a deployment must not depend on that. The rest is left unread then.
    pub async fn protection(&self, ids: &[String]) -> Result<Protection, CloudError> {
        let mut answers = stream::iter(ids)
            .map(|id| async move { (id, Box::pin(self.is_protected(id)).await) })
            .buffer_unordered(AT_ONCE);
        let mut protection = Protection {
            protected: Vec::new(),
            unread: ids.to_vec(),
        };
        while let Some((id, answer)) = answers.next().await {
            match answer {
                Err(error) if error.name() == ErrorName::Throttled => break,
                answer => {
                    protection.unread.retain(|unread| unread != id);
                    if answer? {
                        protection.protected.push(id.clone());
                    }
                }
            }
        }
        protection.protected.sort();
        Ok(protection)
    }

    async fn is_protected(&self, id: &str) -> Result<bool, CloudError> {
        let call = self
            .client
            .describe_instance_attribute()
            .attribute(InstanceAttributeName::DisableApiTermination)
            .instance_id(id);
        match call.send().await {
            Ok(answer) => Ok(answer
                .disable_api_termination()
                .and_then(|attribute| attribute.value())
                == Some(true)),
            // Gone since it was listed.
            Err(error) if error.code() == Some("InvalidInstanceID.NotFound") => Ok(false),
            Err(error) => Err(error).called(|| format!("DescribeInstanceAttribute of {id}")),
        }
    }

    /// Those of the instances that are Spot instances (`InstanceLifecycle`), and those of them whose request is persistent.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn spot(&self, ids: &[String]) -> Result<Spot, CloudError> {
        let mut spot = Spot::default();
        for chunk in ids.chunks(CHUNK) {
            let filters = vec![filter("instance-id", chunk.iter().cloned())];
            let instances = self.pages(filters).await?;
            let of_spot = instances
                .iter()
                .filter(|it| it.instance_lifecycle() == Some(&InstanceLifecycleType::Spot));
            let of_spot = of_spot.filter_map(|it| it.instance_id().map(str::to_owned));
            spot.instances.extend(of_spot);
        }
        spot.instances.sort();
        for chunk in spot.instances.chunks(CHUNK) {
            spot.persistent.extend(self.persistent(chunk).await?);
        }
        spot.persistent.sort();
        Ok(spot)
    }

    /// By filter: a request that is gone is no failure, and one that is cancelled brings nothing back.
    async fn persistent(&self, ids: &[String]) -> Result<Vec<String>, CloudError> {
        let mut pages = self
            .client
            .describe_spot_instance_requests()
            .filters(filter("instance-id", ids.iter().cloned()))
            .filters(filter("type", ["persistent".to_owned()]))
            .filters(filter("state", OPEN.map(str::to_owned)))
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.called(|| "DescribeSpotInstanceRequests")?;
            let requests = page.spot_instance_requests().iter();
            found.extend(requests.filter_map(|it| it.instance_id().map(str::to_owned)));
        }
        Ok(found)
    }
}
