//! Each server's admission over time, as strips of the page.
//!
//! Owns the choice of servers when there are more than fit. Pure: called by [`super::drawing`].

use serde::Serialize;

use super::observe::{Environment, Millis, Observation, Sample};

/// More servers of one environment than this are not drawn.
const MOST_SERVERS: usize = 20;

/// One server's admission over time.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Strip<'a> {
    pub(super) instance: &'a str,
    pub(super) environment: Environment,
    /// Start, end, admission; `unknown` when it gave no report.
    pub(super) spans: Vec<(Millis, Millis, &'a str)>,
}

/// The strips, blue's first, in the order in which the servers were first heard of.
pub(super) fn strips(seen: &Observation) -> Vec<Strip<'_>> {
    let mut strips: Vec<Strip<'_>> = seen
        .servers
        .keys()
        .filter_map(|instance| strip(instance, seen))
        .collect();
    strips.sort_by_key(|strip| (strip.environment, strip.spans.first().map(|span| span.0)));
    let mut drawn = [0; 2];
    strips.retain(|strip| {
        let of_its = &mut drawn[usize::from(strip.environment == Environment::Green)];
        *of_its += 1;
        *of_its <= MOST_SERVERS
    });
    strips
}

fn strip<'a>(instance: &'a str, seen: &'a Observation) -> Option<Strip<'a>> {
    let server = seen.servers.get(instance)?;
    let gone = server.terminated_at.unwrap_or(Millis::MAX);
    let mut spans: Vec<(Millis, Millis, &str)> = Vec::new();
    for sample in seen
        .samples
        .iter()
        .filter(|sample| sample.instance == instance && sample.at < gone)
    {
        let admission = admission(sample);
        if let Some(last) = spans.last_mut() {
            last.1 = sample.at;
            if last.2 == admission {
                continue;
            }
        }
        spans.push((sample.at, sample.at, admission));
    }
    if let (Some(last), Some(gone)) = (spans.last_mut(), server.terminated_at) {
        last.1 = gone;
    }
    Some(Strip {
        instance,
        environment: server.environment,
        spans,
    })
}

fn admission(sample: &Sample) -> &str {
    sample
        .counts
        .as_ref()
        .map_or("unknown", |counts| counts.admission.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::observe::{Counts, Server};
    use super::*;

    #[test]
    fn a_strip_follows_a_servers_admission_until_it_is_gone() {
        let mut seen = Observation::default();
        let server = Server {
            environment: Environment::Blue,
            terminated_at: Some(5_000),
        };
        seen.servers.insert("i-b".into(), server);
        let counts = |admission: &str| {
            Some(Counts {
                admission: admission.into(),
                busy: 0,
                idle: 0,
                closed: 0,
            })
        };
        for (at, counts) in [
            (0, counts("open")),
            (1_000, counts("open")),
            (2_000, counts("draining")),
            (3_000, None),
            (4_000, counts("sealed")),
            (5_000, None),
        ] {
            seen.samples.push(Sample {
                at,
                instance: "i-b".into(),
                counts,
            });
        }
        let strips = strips(&seen);
        assert_eq!(
            strips[0].spans,
            [
                (0, 2_000, "open"),
                (2_000, 3_000, "draining"),
                (3_000, 4_000, "unknown"),
                (4_000, 5_000, "sealed")
            ]
        );
    }
}
