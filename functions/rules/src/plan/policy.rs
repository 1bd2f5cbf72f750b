//! The numbers that bound a deployment: what the input asks for, else the stack's, else the load balancer's.

use super::blue::Counts;
use super::{Observation, Policy, Refusal, agents, watching};
use crate::input::Input;
use crate::settings::Defaults;

/// The policy of a deployment whose blue has so many servers.
///
/// Green has to carry what blue was meant to; of blue nobody asks more than it has.
pub(super) fn policy(
    seen: &Observation,
    input: &Input,
    defaults: &Defaults,
    Counts {
        registered,
        healthy,
    }: Counts,
) -> Policy {
    let percent = input
        .minimum_healthy_percent
        .unwrap_or(defaults.minimum_healthy_percent);
    // New sessions reached blue for 75 s and 120 s after a switch, measured on NLBs; ALBs follow within seconds.
    let by_kind = if seen.is_network() { 180 } else { 30 };
    let share = |servers: u32| percent.saturating_mul(servers).div_ceil(100).max(1);
    let list = |asked: &Option<Vec<String>>, default: &Vec<String>| {
        asked.as_ref().unwrap_or(default).clone()
    };
    Policy {
        healthy_seconds: input.healthy_seconds.unwrap_or(defaults.healthy_seconds),
        minimum_healthy: share(registered),
        blue_minimum: share(healthy),
        steps: input.steps.as_ref().unwrap_or(&defaults.steps).clone(),
        step_seconds: input.step_seconds.unwrap_or(defaults.step_seconds),
        bake_seconds: input.bake_seconds.unwrap_or(defaults.bake_seconds),
        alarms: list(&input.alarms, &defaults.alarms),
        settle_seconds: input
            .settle_seconds
            .or(defaults.settle_seconds)
            .unwrap_or(by_kind),
        closures_per_second: input
            .closures_per_second
            .unwrap_or(defaults.closures_per_second),
        poll_seconds: input.poll_seconds.unwrap_or(defaults.poll_seconds),
        deadline_seconds: input.deadline_seconds.unwrap_or(defaults.deadline_seconds),
        detached: input.detached.unwrap_or(defaults.detached),
        approve: input.approve.as_ref().unwrap_or(&defaults.approve).clone(),
        pause_seconds: input.pause_seconds.unwrap_or(defaults.pause_seconds),
        most_passes: defaults.passes_per_execution,
        pages: defaults.pages.clone(),
        signing_secret: defaults.signing_secret.clone(),
        against_agents: agents::against(seen),
    }
}

/// What one execution's history has no room for would fail half-way, and could not be redriven. A drain has no such
/// bound: it goes on in another execution.
pub(super) fn refuse_length(policy: &Policy) -> Option<Refusal> {
    let passes = watching::passes(policy);
    (passes > u64::from(policy.most_passes)).then_some(Refusal::TooLong {
        steps: policy.steps.len().saturating_sub(1),
        step_seconds: policy.step_seconds,
        bake_seconds: policy.bake_seconds,
        poll_seconds: policy.poll_seconds,
        passes,
        most: policy.most_passes,
    })
}

/// A deadline before the first seal would fail every deployment, some of them in mid-bake.
pub(super) fn refuse_deadline(policy: &Policy) -> Option<Refusal> {
    let first_seal = policy.bake_seconds.max(policy.settle_seconds);
    (policy.deadline_seconds <= first_seal).then_some(Refusal::DeadlineBeforeSeal {
        deadline_seconds: policy.deadline_seconds,
        first_seal,
    })
}
