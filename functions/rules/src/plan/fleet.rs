//! What an Auto Scaling group does to its servers by itself, and what that means for a deployment.
//!
//! Refused is what would cut sessions or leave the deployment without an end for certain, each with the way out of it; what
//! may is told. Scheduled actions and scaling policies are neither: their processes are suspended before weight moves.

use std::fmt;

use crate::scaling::Sizes;
use crate::shape::Environment;

/// One Auto Scaling group, as a deployment finds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fleet {
    /// Its name.
    pub name: String,
    /// Whether there is such a group.
    pub is_missing: bool,
    /// Its sizes.
    pub sizes: Sizes,
    /// How many members it has, in a warm pool or not.
    pub members: usize,
    /// The target groups that it is attached to, by ARN.
    pub target_groups: Vec<String>,
    /// Its launch template, by id; none of a group with a launch configuration.
    pub template: Option<String>,
    /// Whether it names instance types itself, by overrides.
    pub names_types: bool,
    /// Whether overrides launch from templates of their own.
    pub has_other_templates: bool,
    /// Whether its sizes count something else than servers: weights of overrides, processors, memory.
    pub is_weighted: bool,
    /// Whether it has a warm pool.
    pub is_warm: bool,
    /// Its processes that are suspended.
    pub suspended: Vec<String>,
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

/// Why a deployment may not begin with this group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetFault {
    /// Missing is when there is no group of that name.
    Missing,
    /// Detached is when it registers its members not where its environment has them.
    Detached(Vec<String>),
    /// NotParked is when green's group may have servers that this deployment did not launch.
    NotParked(Sizes, usize),
    /// NoTemplate is when green's group has a launch configuration: nothing says what a new version would be.
    NoTemplate,
    /// OtherTemplate is when green's group launches from another template than the stack names.
    OtherTemplate(String),
    /// OtherTemplates is when overrides name templates of their own, whose versions would stay.
    OtherTemplates,
    /// Warm is when its pool holds instances of the version of before, which would serve beside green's.
    Warm,
    /// Suspended is when it would not launch, or not register what it launches.
    Suspended(&'static str),
    /// Untagged is when the functions may not touch it.
    Untagged,
    /// Floats is when its next scale-out runs whatever version is the template's newest, or its default.
    Floats(String),
    /// Refreshes is when AWS is replacing its servers, busy or not.
    Refreshes(String),
    /// Retains is when a server whose hook is abandoned never ends.
    Retains,
    /// Weighted is when its sizes count something else than servers.
    Weighted,
    /// Standby is when members of blue's group are kept apart.
    Standby(Vec<String>),
    /// Reuses is when a server goes to the warm pool and never ends.
    Reuses,
}

impl fmt::Display for FleetFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str(
                "does not exist: make it, parked (0/0/0), or correct AutoScalingGroupNames",
            ),
            Self::Detached(arns) => write!(
                formatter,
                "is not attached to {}, which is its environment's by the order of AutoScalingGroupNames: attach it \
                 (AttachTrafficSources), or correct the order",
                arns.join(", ")
            ),
            Self::NotParked(sizes, members) => write!(
                formatter,
                "is to launch green and has sizes {sizes} and {members} members: park it (0/0/0) once its servers hold \
                 nobody's session"
            ),
            Self::NoTemplate => formatter.write_str(
                "launches from a launch configuration, and a deployment launches a version of a template: give it a \
                 launch template",
            ),
            Self::OtherTemplate(id) => write!(
                formatter,
                "launches from template {id} and not from the stack's LaunchTemplateId: give it that one, or leave the \
                 parameter empty"
            ),
            Self::OtherTemplates => formatter.write_str(
                "has overrides that launch from templates of their own, whose version no deployment sets: remove \
                 LaunchTemplateSpecification from them",
            ),
            Self::Warm => formatter.write_str(
                "has a warm pool, whose instances are of the version of before and would serve beside green's: delete \
                 the pool",
            ),
            Self::Suspended(process) => write!(
                formatter,
                "has {process} suspended, and green would never be whole: resume it"
            ),
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
            Self::Weighted => formatter.write_str(
                "has sizes that do not count servers (WeightedCapacity of its overrides, or a DesiredCapacityType), and a \
                 deployment counts them: take the weights out and set units",
            ),
            Self::Standby(members) => write!(
                formatter,
                "has members on standby, which a drain would wait for like for the others: put them into service (ExitStandby) \
                 or end them: {}",
                super::refusal::named(members)
            ),
            Self::Reuses => formatter.write_str(
                "takes servers back into its warm pool, and a deployment would wait for their end for good: turn \
                 ReuseOnScaleIn off",
            ),
        }
    }
}

/// What green's group needs, and this version of its template would not give it.
const NEEDED: [&str; 2] = ["Launch", "AddToLoadBalancer"];

impl Fleet {
    /// Everything that keeps it from launching green, the servers of `environment`, and from being emptied again; `wanted`
    /// is the template that the stack names.
    pub(super) fn faults_of_green(
        &self,
        environment: &Environment,
        wanted: Option<&str>,
    ) -> Vec<FleetFault> {
        if self.is_missing {
            return vec![FleetFault::Missing];
        }
        let parked = self.sizes == Sizes::PARKED && self.members == 0;
        let template = self.template.as_ref();
        let other = template.filter(|id| wanted.is_some_and(|wanted| wanted != id.as_str()));
        let suspended = NEEDED
            .into_iter()
            .find(|process| self.is_suspended(process));
        let own = [
            (!parked).then_some(FleetFault::NotParked(self.sizes, self.members)),
            template.is_none().then_some(FleetFault::NoTemplate),
            other.cloned().map(FleetFault::OtherTemplate),
            self.has_other_templates
                .then_some(FleetFault::OtherTemplates),
            self.is_warm.then_some(FleetFault::Warm),
            suspended.map(FleetFault::Suspended),
        ];
        let own = own.into_iter().flatten();
        own.chain(self.detached(environment))
            .chain(self.faults_of_any(true))
            .collect()
    }

    /// Everything that stops a deployment while it has blue's servers. One in which nothing runs stops nothing: blue's are
    /// plain instances then.
    pub(super) fn faults_of_blue(&self, environment: &Environment) -> Vec<FleetFault> {
        if self.is_missing {
            return vec![FleetFault::Missing];
        }
        let is_own = environment.auto_scaling_group.as_ref() == Some(&self.name);
        if is_own && self.sizes == Sizes::PARKED && self.members == 0 {
            // It is parked again when blue has gone, and that writes its tags.
            let untagged = (!self.is_tagged).then_some(FleetFault::Untagged);
            return untagged.into_iter().collect();
        }
        let floating = self.versions.iter().find(|it| it.starts_with('$'));
        let floats = floating.cloned().map(FleetFault::Floats);
        let detached = self.detached(environment).filter(|_| is_own);
        // All members of its own group are blue's: one that is kept apart would be asked for its seal like the others.
        let standby = self.standby.clone();
        let standby = (is_own && !standby.is_empty()).then_some(FleetFault::Standby(standby));
        let faults = floats.into_iter().chain(detached).chain(standby);
        faults.chain(self.faults_of_any(is_own)).collect()
    }

    fn is_suspended(&self, process: &str) -> bool {
        self.suspended.iter().any(|it| it == process)
    }

    fn detached(&self, environment: &Environment) -> Option<FleetFault> {
        let arns = environment.target_group_arns.iter();
        let lacking: Vec<String> = arns
            .filter(|arn| !self.target_groups.contains(arn))
            .cloned()
            .collect();
        (!lacking.is_empty()).then_some(FleetFault::Detached(lacking))
    }

    /// What stops a deployment whichever environment's it is; an environment's own group gets a hook when it is held.
    fn faults_of_any(&self, is_own: bool) -> Vec<FleetFault> {
        // Without a termination hook nothing is abandoned (Auto Scaling user guide, "Configure instance retention").
        let retains = self.retains && (is_own || !self.ending_hooks.is_empty());
        [
            (!self.is_tagged).then_some(FleetFault::Untagged),
            self.refresh.clone().map(FleetFault::Refreshes),
            retains.then_some(FleetFault::Retains),
            (is_own && self.is_weighted).then_some(FleetFault::Weighted),
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
