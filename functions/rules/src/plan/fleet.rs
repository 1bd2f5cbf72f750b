//! What an Auto Scaling group of blue's does to its servers by itself, and what that means for a deployment.
//!
//! Refused is what would cut sessions or leave the deployment without an end for certain, each with the way out of it; what
//! may is told. Scheduled actions and scaling policies are neither: their processes are suspended before weight moves.

use std::fmt;

/// One Auto Scaling group of blue's, as a deployment finds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fleet {
    /// Its name.
    pub name: String,
    /// Whether it carries the service's tag.
    pub is_tagged: bool,
    /// The versions of launch templates that it launches from, its overrides' among them: numbers, `$Latest`, `$Default`.
    pub versions: Vec<String>,
    /// The status of its instance refresh that has not ended, in AWS's words.
    pub refresh: Option<String>,
    /// Its lifecycle hooks that hold up the end of a member, each with the most seconds between two heartbeats.
    pub ending_hooks: Vec<(String, u32)>,
    /// Whether a member is kept when such a hook is abandoned (instance lifecycle policy).
    pub retains: bool,
    /// Whether what leaves it goes back to its warm pool instead of ending.
    pub reuses: bool,
    /// Members on standby.
    pub standby: Vec<String>,
    /// Whether scale-in spares what it launches.
    pub protects_new: bool,
    /// After how many seconds it replaces a member, busy or not; never if `None`.
    pub lifetime: Option<u32>,
}

/// Why a deployment may not begin while blue is in this group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetFault {
    /// Untagged is when the functions may not touch it.
    Untagged,
    /// Floats is when its next scale-out runs whatever version is the template's newest, or its default.
    Floats(String),
    /// Refreshes is when AWS is replacing its servers, busy or not.
    Refreshes(String),
    /// Retains is when a server whose hook is abandoned never ends.
    Retains,
    /// Reuses is when a server goes to the warm pool and never ends.
    Reuses,
}

impl fmt::Display for FleetFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untagged => formatter.write_str(
                "does not carry the tag ebbtide:service of this service, and the stack's functions may change no other: \
                 tag it",
            ),
            Self::Floats(version) => write!(
                formatter,
                "launches from version {version} of its template: its next scale-out would run the version that is to be \
                 deployed, unreleased; pin it to the number that blue runs (UpdateAutoScalingGroup with the launch \
                 template's Version)"
            ),
            Self::Refreshes(status) => write!(
                formatter,
                "has an instance refresh ({status}), which replaces its servers, busy or not: wait for its end, or cancel \
                 it (CancelInstanceRefresh)"
            ),
            Self::Retains => formatter.write_str(
                "keeps a server whose termination hook is abandoned (instance lifecycle policy), and a deployment would \
                 wait for its end for good: set TerminateHookAbandon to terminate",
            ),
            Self::Reuses => formatter.write_str(
                "takes servers back into its warm pool, and a deployment would wait for their end for good: turn \
                 ReuseOnScaleIn off",
            ),
        }
    }
}

impl Fleet {
    /// Everything that stops a deployment.
    pub(super) fn faults(&self) -> Vec<FleetFault> {
        let floating = self.versions.iter().find(|it| it.starts_with('$'));
        // Without a termination hook nothing is abandoned (Auto Scaling user guide, "Configure instance retention").
        let retains = self.retains && !self.ending_hooks.is_empty();
        [
            (!self.is_tagged).then_some(FleetFault::Untagged),
            floating.cloned().map(FleetFault::Floats),
            self.refresh.clone().map(FleetFault::Refreshes),
            retains.then_some(FleetFault::Retains),
            self.reuses.then_some(FleetFault::Reuses),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What may cut sessions or take time, and stops nothing.
    pub(super) fn warnings(&self) -> Vec<String> {
        let name = &self.name;
        let mut warnings = Vec::new();
        if let Some(seconds) = self.lifetime {
            warnings.push(format!(
                "Auto Scaling group {name} replaces its instances after {seconds} s, busy or not: clear its maximum \
                 instance lifetime"
            ));
        }
        if !self.protects_new {
            warnings.push(format!(
                "Auto Scaling group {name} does not protect what it launches from scale-in, which cuts busy sessions \
                 whenever no deployment runs: turn NewInstancesProtectedFromScaleIn on"
            ));
        }
        for (hook, seconds) in &self.ending_hooks {
            warnings.push(format!(
                "lifecycle hook {hook} of Auto Scaling group {name} holds up the end of each server, until it is \
                 completed or for {seconds} s after its last heartbeat"
            ));
        }
        if !self.standby.is_empty() {
            warnings.push(format!(
                "Auto Scaling group {name} has members on standby, which no deployment counts, drains or ends: {}",
                super::refusal::named(&self.standby)
            ));
        }
        warnings
    }
}
