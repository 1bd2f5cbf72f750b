//! What the user's checks say through the load balancer, while steps and bake last.
//!
//! Owns how often they may fail in a row. One failure is no verdict: a target that is being replaced fails one as well. But
//! while they fail nothing goes on that could not be taken back.

use serde::{Deserialize, Serialize};

use crate::green_test::Finding;

/// Failures in a row that roll a deployment back.
pub const MOST_FAILURES: u32 = 3;

/// What was found in this pass, and how it came to be so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// How often in a row the checks have failed, this time among them; 0 where they have passed.
    pub failures: u32,
    /// What failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl Service {
    /// After this finding. What asking again may mend counts as well: the next pass asks again.
    pub(super) fn after(previous: Option<&Self>, found: &Finding) -> Self {
        match found {
            Finding::Fit => Self::default(),
            Finding::NotYet(failed) | Finding::Unfit(failed) => Self {
                failures: previous.map_or(0, |it| it.failures).saturating_add(1),
                failed: Some(failed.clone()),
            },
        }
    }

    /// Why nothing may go on; none where the checks have passed.
    pub fn fails(&self) -> Option<String> {
        let failed = self.failed.as_ref()?;
        let times = match self.failures {
            1 => "once".to_owned(),
            times => format!("{times} times in a row"),
        };
        Some(format!(
            "the checks through the load balancer failed {times}: {failed}"
        ))
    }

    /// Why the deployment has to be rolled back.
    pub fn against(&self) -> Option<String> {
        self.fails().filter(|_| self.failures >= MOST_FAILURES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_speak_against_green_and_a_success_forgets_them() {
        let failed = Finding::NotYet("/health answers 503".to_owned());
        let mut service = None;
        for (found, failures, against) in [
            (&failed, 1, false),
            (&failed, 2, false),
            (&Finding::Fit, 0, false),
            (&failed, 1, false),
            (&failed, 2, false),
            (
                &Finding::Unfit("/health answers 404, expected 2xx".to_owned()),
                3,
                true,
            ),
            (&failed, 4, true),
        ] {
            let next = Service::after(service.as_ref(), found);
            assert_eq!(next.failures, failures);
            assert_eq!(next.fails().is_some(), failures > 0);
            assert_eq!(next.against().is_some(), against, "{next:?}");
            service = Some(next);
        }
        assert_eq!(
            service.and_then(|it| it.against()).as_deref(),
            Some(
                "the checks through the load balancer failed 4 times in a row: /health answers 503"
            )
        );
    }
}
