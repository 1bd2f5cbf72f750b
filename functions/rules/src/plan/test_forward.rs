//! The forwards by which green is tested through the load balancer: one for each environment, always to that environment.
//!
//! They stand still. A listener that were pointed at green for a test would have to be pointed back on every road, by whoever
//! takes over as well; one for each environment changes nothing, needs no permission to, and leaves nothing behind.

use super::{Observation, OtherForward, Refusal};
use crate::service_url::ServiceUrl;

/// The test forward of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestForward {
    /// The listener's or the listener rule's ARN.
    pub arn: String,
    /// Where it is reached.
    pub url: ServiceUrl,
}

/// Whether a forward is an environment's test forward, which may name a group beside the listeners that are moved.
pub(super) fn is_one(seen: &Observation, other: &OtherForward) -> bool {
    seen.tests.iter().any(|test| test.arn == other.from)
}

/// A test forward that names another environment's group would find green fit by asking blue.
pub(super) fn refuse(seen: &Observation) -> Vec<Refusal> {
    let astray = seen.environments.iter().zip(&seen.tests);
    let astray = astray.filter(|(environment, test)| {
        let of_test = seen.other_forwards.iter().filter(|it| it.from == test.arn);
        let mut named = of_test.map(|it| &it.target_group_arn).peekable();
        named.peek().is_none() || !named.all(|arn| environment.has(arn))
    });
    astray
        .map(|(environment, test)| Refusal::TestForwardAstray {
            from: test.arn.clone(),
            environment: environment.name.clone(),
        })
        .collect()
}
