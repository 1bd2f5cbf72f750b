//! Green as plain instances: found by their tags, so that a repeat launches nothing more, and registered as they run.

use std::collections::BTreeMap;

use ebbtide_aws::{CloudError, RunInstances, client_token};
use ebbtide_rules::launch::{
    Decision, Launch, Launched, Launching, Observation, decide, wait_seconds,
};
use ebbtide_rules::observed::{DEPLOYMENT_TAG, ENVIRONMENT_TAG, SERVICE_TAG, everywhere};
use ebbtide_rules::plan::Recorded;
use ebbtide_rules::record::Work;
use jiff::Timestamp;

use crate::Call;

/// Gives green what it lacks and reads how it stands then.
pub(crate) async fn complete(
    call: &Call<'_>,
    former: Launching,
    now: Timestamp,
) -> Result<Launched, CloudError> {
    let decision = call.complete(former, now).await?;
    let Recorded { green, policy, .. } = call.plan;
    Ok(Launched {
        verdict: decision.verdict,
        reason: decision.reason,
        wait_seconds: wait_seconds(policy.healthy_seconds),
        environment: green.environment.clone(),
        servers: decision.servers,
        healthy: decision.healthy,
        wanted: green.count,
        launching: decision.launching,
    })
}

impl Call<'_> {
    async fn complete(&self, former: Launching, now: Timestamp) -> Result<Decision, CloudError> {
        let mut decision = self.decide(&former, now).await?;
        if !decision.launch.is_empty() {
            self.cloud.records.admit(&self.fence, Work::Green).await?;
            for launch in &decision.launch {
                self.launch(launch, decision.launching.generation).await?;
            }
            // What runs already can be registered now instead of in the next call.
            decision = self.decide(&decision.launching, now).await?;
        }
        if !decision.register.is_empty() {
            self.cloud.records.admit(&self.fence, Work::Green).await?;
            for group in &self.plan.green.environment.target_group_arns {
                let groups = &self.cloud.groups;
                groups.register(group, &decision.register).await?;
            }
            decision = self.decide(&decision.launching, now).await?;
        }
        Ok(decision)
    }

    async fn decide(&self, former: &Launching, now: Timestamp) -> Result<Decision, CloudError> {
        let Recorded { green, policy, .. } = self.plan;
        let tags = self.tags();
        let tags: Vec<(&str, &str)> = tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .filter(|(key, _)| *key != "Name")
            .collect();
        let seen = Observation {
            instances: self.cloud.instances.tagged(&tags).await?,
            targets: everywhere(self.cloud.groups.of(&green.environment).await?),
            given_up: self.given_up.clone(),
        };
        let decision = decide(&seen, green, policy.healthy_seconds, former, now);
        tracing::info!(
            deployment = self.fence.deployment,
            epoch = self.fence.epoch,
            verdict = ?decision.verdict,
            reason = decision.reason,
            launch = ?decision.launch,
            register = ?decision.register,
            "decided"
        );
        Ok(decision)
    }

    async fn launch(&self, launch: &Launch, generation: u32) -> Result<(), CloudError> {
        let green = &self.plan.green;
        let of = (self.cloud.service.as_str(), self.fence.deployment.as_str());
        let token = client_token(of, &launch.subnet, launch.index, generation);
        let order = RunInstances {
            template: &green.launch_template_id,
            version: &green.launch_template_version,
            subnet: &launch.subnet,
            count: launch.count,
            client_token: &token,
            tags: &self.tags(),
        };
        self.cloud.instances.launch(&order).await.map(|_| ())
    }

    /// What this deployment's green is found by, and its name for people.
    fn tags(&self) -> BTreeMap<String, String> {
        let environment = &self.plan.green.environment.name;
        [
            (SERVICE_TAG, &self.cloud.service),
            (ENVIRONMENT_TAG, environment),
            (DEPLOYMENT_TAG, &self.fence.deployment),
            ("Name", environment),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }
}
