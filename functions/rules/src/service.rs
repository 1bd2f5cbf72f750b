//! What the user's checks say through the load balancer: before anything is touched, of green before it has any weight, and
//! while steps and bake last.
//!
//! Owns what follows from it. Before the switch whoever does not pass is refused at once; afterwards one failure is no
//! verdict, since a target that is being replaced fails one as well. But while they fail nothing goes on that could not be
//! taken back. Called by `ask-service`.

use serde::{Deserialize, Serialize};

use crate::green_test::{Finding, NotFit, Subject};
use crate::plan::Pages;
use crate::service_url::ServiceUrl;

/// Failures in a row that roll a deployment back.
pub const MOST_FAILURES: u32 = 3;

/// Where the checks are made, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// Where users reach the service, before anything is touched: what does not pass now would roll back every deployment.
    Blue,
    /// Where green alone is reached, before it has any weight.
    Green,
    /// Where users reach the service, while steps and bake last.
    Users,
}

impl Asking {
    /// The parameter that says where.
    fn parameter(self) -> &'static str {
        match self {
            Self::Blue | Self::Users => "ServiceUrl",
            Self::Green => "green's place in TestUrls",
        }
    }
}

/// What is to be asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where, and when.
    pub asking: Asking,
    /// The checks.
    pub pages: &'a Pages,
    /// Where; none where the stack names no such place.
    pub url: Option<&'a ServiceUrl>,
    /// AskService's answer in the pass before this one.
    pub previous: Option<&'a Service>,
}

/// The answer of `ask-service`, and how it came to be so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// How often in a row the checks have failed, this time among them; 0 where they have passed.
    pub failures: u32,
    /// What failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// What that means, in a sentence.
    pub reason: String,
}

impl Question<'_> {
    /// The answer where nobody is asked.
    pub fn unasked(&self) -> Service {
        let reason = match self.asking {
            Asking::Blue | Asking::Users => "nobody was asked: the stack has no ServiceUrl",
            Asking::Green => "nobody was asked: the stack has no TestUrls",
        };
        Service::passed(reason.to_owned())
    }

    /// What follows from what was found.
    ///
    /// # Errors
    /// [`NotFit`] before the switch, unless the checks have passed.
    pub fn conclude(&self, found: &Finding) -> Result<Service, NotFit> {
        let (again, failed) = match found {
            Finding::Fit => {
                let place = self.asking.parameter();
                return Ok(Service::passed(format!("the checks at {place} pass")));
            }
            Finding::NotYet(failed) => (true, failed),
            Finding::Unfit(failed) => (false, failed),
        };
        let subject = match self.asking {
            Asking::Blue => Subject::Blue,
            Asking::Green => Subject::Green,
            // What asking again may mend counts as well: the next pass asks again.
            Asking::Users => return Ok(Service::failed(self.previous, failed)),
        };
        let place = self.asking.parameter();
        // A place that is reached from elsewhere alone never answers, and only its operator can tell.
        let from = if again {
            " (asked from where AskServiceFrom says)"
        } else {
            ""
        };
        Err(NotFit {
            subject,
            again,
            reason: format!("the checks at {place} do not pass: {failed}{from}"),
        })
    }
}

impl Service {
    fn passed(reason: String) -> Self {
        Self {
            reason,
            ..Self::default()
        }
    }

    fn failed(previous: Option<&Self>, failed: &str) -> Self {
        let mut service = Self {
            failures: previous.map_or(0, |it| it.failures).saturating_add(1),
            failed: Some(failed.to_owned()),
            reason: String::new(),
        };
        service.reason = service.fails().unwrap_or_default();
        service
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
    use crate::{ErrorName, Failure};

    fn asking(asking: Asking) -> Question<'static> {
        static NONE: Pages = Pages {
            port: 0,
            paths: Vec::new(),
            web_sockets: None,
            service: None,
            green: None,
        };
        Question {
            asking,
            pages: &NONE,
            url: None,
            previous: None,
        }
    }

    #[test]
    fn three_failures_in_a_row_speak_against_green_and_a_success_forgets_them() {
        let failed = Finding::NotYet("/health answers 503".to_owned());
        let mut service: Option<Service> = None;
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
            let question = Question {
                previous: service.as_ref(),
                ..asking(Asking::Users)
            };
            let next = question.conclude(found).unwrap();
            assert_eq!(next.failures, failures);
            assert_eq!(next.fails().is_some(), failures > 0);
            assert_eq!(next.against().is_some(), against, "{next:?}");
            service = Some(next);
        }
        let service = service.unwrap();
        let told =
            "the checks through the load balancer failed 4 times in a row: /health answers 503";
        assert_eq!(service.against().as_deref(), Some(told));
        assert_eq!(service.reason, told);
    }

    #[test]
    fn before_the_switch_whoever_does_not_pass_is_refused() {
        for (whom, unfit, place) in [
            (Asking::Blue, ErrorName::PreflightRefused, "ServiceUrl"),
            (
                Asking::Green,
                ErrorName::GreenUnfit,
                "green's place in TestUrls",
            ),
        ] {
            let question = asking(whom);
            let passed = question.conclude(&Finding::Fit).unwrap();
            assert_eq!(passed.reason, format!("the checks at {place} pass"));
            assert_eq!(passed.fails(), None);
            for (found, name, from) in [
                (
                    Finding::NotYet("/x: no".to_owned()),
                    ErrorName::NotFitYet,
                    " (asked from where AskServiceFrom says)",
                ),
                (Finding::Unfit("/x: no".to_owned()), unfit, ""),
            ] {
                let refused = question.conclude(&found).unwrap_err();
                let told = format!("the checks at {place} do not pass: /x: no{from}");
                assert_eq!((refused.name(), refused.to_string()), (name, told));
            }
        }
    }

    #[test]
    fn where_nobody_is_asked_nothing_speaks_against_going_on() {
        for whom in [Asking::Blue, Asking::Green, Asking::Users] {
            let unasked = asking(whom).unasked();
            assert_eq!((unasked.failures, unasked.fails()), (0, None));
            assert!(unasked.reason.contains("has no "), "{}", unasked.reason);
        }
    }
}
