//! The servers' own counts, summed for each environment.
//!
//! Pure: called by [`super::report`] and [`super::drawing`].

use std::collections::BTreeMap;

use serde::Serialize;

use super::observe::{Environment, Millis, Observation};

/// Highest sums of the servers' own reports, per environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Peaks {
    /// Blue's.
    pub blue: Peak,
    /// Green's.
    pub green: Peak,
}

/// Highest sums of one environment's reports. The highest busy and the highest idle count need not be of the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Peak {
    /// Servers seen in EC2.
    pub servers: usize,
    /// Busy sessions.
    pub busy: u64,
    /// Idle sessions.
    pub idle: u64,
}

/// Sums of one environment's reports over time: time, busy, idle. A server's last report holds until its next.
pub(super) fn counts_over_time(
    seen: &Observation,
    environment: Environment,
) -> Vec<(Millis, u64, u64)> {
    let mut latest = BTreeMap::new();
    let mut sums: Vec<(Millis, u64, u64)> = Vec::new();
    for sample in &seen.samples {
        let belongs = seen
            .servers
            .get(&sample.instance)
            .is_some_and(|server| server.environment == environment);
        if !belongs {
            continue;
        }
        match &sample.counts {
            Some(counts) => latest.insert(sample.instance.as_str(), (counts.busy, counts.idle)),
            None if is_gone(seen, &sample.instance, sample.at) => {
                latest.remove(sample.instance.as_str())
            }
            None => continue,
        };
        let (busy, idle) = latest
            .values()
            .fold((0, 0), |sum, (busy, idle)| (sum.0 + busy, sum.1 + idle));
        match sums.last_mut() {
            Some(last) if last.0 == sample.at => *last = (sample.at, busy, idle),
            _ => sums.push((sample.at, busy, idle)),
        }
    }
    sums
}

fn is_gone(seen: &Observation, instance: &str, at: Millis) -> bool {
    seen.servers
        .get(instance)
        .and_then(|server| server.terminated_at)
        .is_some_and(|gone| gone <= at)
}

/// The highest sums.
pub(super) fn peak(seen: &Observation, environment: Environment) -> Peak {
    let sums = counts_over_time(seen, environment);
    Peak {
        servers: seen
            .servers
            .values()
            .filter(|server| server.environment == environment)
            .count(),
        busy: sums.iter().map(|(_, busy, _)| *busy).max().unwrap_or(0),
        idle: sums.iter().map(|(_, _, idle)| *idle).max().unwrap_or(0),
    }
}
