//! Green in an Auto Scaling group: the group is woken, gets back what parking took, and launches by itself.

use ebbtide_aws::CloudError;
use ebbtide_rules::hold::SUSPENDED_TAG;
use ebbtide_rules::launch::group::{Bounds, Decision, Observation, Step, decide};
use ebbtide_rules::launch::{Launched, Launching, wait_seconds};
use ebbtide_rules::observed::everywhere;
use ebbtide_rules::plan::{GroupLaunch, Recorded};
use ebbtide_rules::record::Work;
use ebbtide_rules::scaling::ScalingGroup;
use jiff::Timestamp;

use crate::Call;

/// As many steps as there are; a group that shows none of them done is looked at again by the next call.
const STEPS: usize = 3;

/// Gives green's group what it lacks and reads how it stands then.
pub(crate) async fn complete(
    call: &Call<'_>,
    wake: &GroupLaunch,
    name: &str,
    former: Launching,
    now: Timestamp,
) -> Result<Launched, CloudError> {
    let group = Group {
        call,
        wake,
        name,
        now,
    };
    let mut decision = group.look(&former).await?;
    for _ in 0..STEPS {
        let Some(step) = decision.step.take() else {
            break;
        };
        call.cloud.records.admit(&call.fence, Work::Green).await?;
        group.take(&step).await?;
        decision = group.look(&decision.launching).await?;
        if decision.step.as_ref() == Some(&step) {
            break;
        }
    }
    let Recorded { green, policy, .. } = call.plan;
    Ok(Launched {
        verdict: decision.verdict,
        reason: decision.reason,
        wait_seconds: wait_seconds(policy.healthy_seconds),
        environment: green.environment.clone(),
        servers: decision.servers,
        healthy: decision.healthy,
        wanted: decision.wanted,
        launching: decision.launching,
    })
}

/// Green's group in one call.
struct Group<'a> {
    call: &'a Call<'a>,
    wake: &'a GroupLaunch,
    name: &'a str,
    now: Timestamp,
}

impl Group<'_> {
    async fn look(&self, former: &Launching) -> Result<Decision, CloudError> {
        let cloud = self.call.cloud;
        let Recorded { green, policy, .. } = self.call.plan;
        let group = cloud.auto_scaling.own(self.name).await?;
        let group = group.unwrap_or_else(|| deleted(self.name));
        let members = group.members.iter().map(|it| it.instance.clone());
        let members: Vec<String> = members.collect();
        let since = former.unseen.as_ref().map_or(self.now, |it| it.since);
        let seen = Observation {
            instances: cloud.instances.by_ids(&members).await?,
            targets: everywhere(cloud.groups.of(&green.environment).await?),
            failures: cloud.auto_scaling.failures(self.name, since).await?,
            given_up: self.call.given_up.clone(),
            group,
        };
        let bounds = Bounds {
            healthy_seconds: policy.healthy_seconds,
            minimum_healthy: policy.minimum_healthy,
        };
        let decision = decide(&seen, green, self.wake, bounds, former, self.now);
        tracing::info!(
            deployment = self.call.fence.deployment,
            epoch = self.call.fence.epoch,
            group = self.name,
            sizes = %seen.group.sizes,
            verdict = ?decision.verdict,
            reason = decision.reason,
            step = ?decision.step,
            "decided"
        );
        Ok(decision)
    }

    async fn take(&self, step: &Step) -> Result<(), CloudError> {
        let scaling = &self.call.cloud.auto_scaling;
        match step {
            Step::Wake => {
                let version = &self.call.plan.green.launch_template_version;
                scaling
                    .set_sizes(self.name, self.wake.sizes, Some(version))
                    .await
            }
            Step::Resume(processes) => scaling.resume(self.name, processes).await,
            Step::Forget => scaling.untag(self.name, SUSPENDED_TAG).await,
        }
    }
}

/// A group that somebody deleted launches nobody; what becomes of green is said as of one that does not.
fn deleted(name: &str) -> ScalingGroup {
    ScalingGroup {
        name: name.to_owned(),
        ..ScalingGroup::default()
    }
}
