//! How fast idle sessions are closed: the pace split over the servers, and the lease after which an order lapses.
//!
//! Owns the decision what to order of whom. It refuses to order anything before the load balancer has settled: new
//! sessions still arrive then, and a real user would be turned away. Closing only what is idle at that moment is the
//! server's part of the promise. Called by `drain-idle`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::report::{Admission, Refusal, Reply, SessionReport, brief};
use crate::wait;

/// Seconds by which a lease outlasts the wait until the next pass, so that a late pass finds the order still standing.
const LEASE_MARGIN_SECONDS: u64 = 60;

/// Servers that are told as unknown; the execution's document has no room for five hundred.
const MOST_TOLD: usize = 20;

/// Sessions closed per second, over the whole environment: what green can take back without a stampede.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace(f64);

impl Pace {
    /// This many a second; the least is one.
    pub fn of(per_second: u32) -> Self {
        Self(f64::from(per_second.max(1)))
    }
}

/// A standing order to one server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Idle sessions to close per second, in equal slots.
    pub per_second: f64,
    /// Seconds after which the order lapses unless it is renewed.
    pub lease_seconds: u64,
}

/// What the decision depends on besides the servers.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// The pace of the whole environment.
    pub pace: Pace,
    /// When the load balancer stops sending new sessions; none while that is not known, in a step of traffic.
    pub settled_at: Option<Timestamp>,
    /// When anything last changed, as the last check saw it; none before the first.
    pub changed_at: Option<Timestamp>,
    /// Whether the last check found the deployment still baking.
    pub baking: bool,
    /// The longest wait between passes while baking.
    pub poll_seconds: u64,
}

/// What to order now.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// NotSettled is when the load balancer may still send new sessions: nothing is ordered.
    NotSettled {
        /// When that ends, if it is known.
        settled_at: Option<Timestamp>,
    },
    /// Order is what each server is told, by instance; none for those that are sealed already.
    Order {
        /// Whom, and what.
        orders: Vec<(String, Order)>,
        /// How many are sealed and need no order.
        sealed: usize,
        /// The lease that they all carry.
        lease_seconds: u64,
    },
}

/// A server that could not be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Untold {
    /// The instance's id.
    pub instance: String,
    /// Why.
    pub reason: String,
}

/// The answer of `drain-idle`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drained {
    /// When it was decided.
    pub at: Timestamp,
    /// How many servers have taken their order.
    pub ordered: usize,
    /// Idle sessions per second that they may close, all together.
    pub per_second: f64,
    /// The lease of the orders; 0 when there are none.
    pub lease_seconds: u64,
    /// Servers that could not be told, 20 at most.
    pub unknown: Vec<Untold>,
    /// What was done, in a sentence.
    pub reason: String,
}

/// Whether orders may be given at all; asked before any server is.
pub fn not_settled(question: &Question, now: Timestamp) -> Option<Decision> {
    (!wait::reached(question.settled_at, now)).then_some(Decision::NotSettled {
        settled_at: question.settled_at,
    })
}

/// Splits the pace over the servers that answered, by what each has to close.
///
/// A server with nothing idle has a share too (the one in `idle + 1`): its busy sessions become idle between passes.
/// Each of the `unknown` servers that did not answer keeps a mean share to itself: its order of before may stand until
/// the lease ends, and green must not get more than the pace from all of them together.
pub fn decide(
    reports: &[&SessionReport],
    unknown: usize,
    question: &Question,
    now: Timestamp,
) -> Decision {
    if let Some(not_settled) = not_settled(question, now) {
        return not_settled;
    }
    let lease_seconds = lease_seconds(question, now);
    let unsealed: Vec<&&SessionReport> = reports
        .iter()
        .filter(|report| report.admission != Admission::Sealed)
        .collect();
    let answered: f64 = unsealed.iter().map(|report| weight(report)).sum();
    let whole = answered * share_of_all(unsealed.len(), unknown);
    let orders = unsealed
        .iter()
        .map(|report| {
            let order = Order {
                per_second: question.pace.0 * weight(report) / whole,
                lease_seconds,
            };
            (report.instance.clone(), order)
        })
        .collect();
    Decision::Order {
        orders,
        sealed: reports.len() - unsealed.len(),
        lease_seconds,
    }
}

/// By how much all servers outweigh those that answered, if the others hold as much on average.
fn share_of_all(answered: usize, unknown: usize) -> f64 {
    let count = |servers: usize| f64::from(u32::try_from(servers).unwrap_or(u32::MAX));
    if answered == 0 {
        return 1.0;
    }
    (count(answered) + count(unknown)) / count(answered)
}

/// Whether a server has taken its order.
///
/// # Errors
/// Why not, in words. One that sealed meanwhile needs none.
pub fn taken(answer: &Reply) -> Result<(), String> {
    match answer {
        Reply::Report(report) if report.admission == Admission::Open => {
            Err("it agreed to drain and is open".to_owned())
        }
        Reply::Report(_) | Reply::Refused(Refusal::Sealed, _) => Ok(()),
        Reply::Refused(refusal, _) => Err(refusal.to_string()),
        Reply::Unknown(reason) => Err(reason.to_string()),
    }
}

impl Drained {
    /// Nothing was done, because the load balancer has not settled.
    pub fn not_settled(settled_at: Option<Timestamp>, at: Timestamp) -> Self {
        let reason = match settled_at {
            Some(settled_at) => {
                format!(
                    "the load balancer may send new sessions until {settled_at}: nothing ordered"
                )
            }
            None => "the load balancer still sends new sessions: nothing ordered".to_owned(),
        };
        Self {
            at,
            ordered: 0,
            per_second: 0.0,
            lease_seconds: 0,
            unknown: Vec::new(),
            reason,
        }
    }

    /// Orders were given: those `taken`, all with one lease, and the servers that could not be told.
    pub fn of_orders(
        taken: &[Order],
        lease_seconds: u64,
        sealed: usize,
        unknown: Vec<Untold>,
        at: Timestamp,
    ) -> Self {
        // From 0.0, because the sum of nothing is -0.0.
        let per_second = taken.iter().fold(0.0, |sum, order| sum + order.per_second);
        let ordered = if taken.is_empty() {
            "no server to order".to_owned()
        } else {
            format!(
                "servers ordered: {}, to close {per_second:.1} idle sessions a second for {lease_seconds} s",
                taken.len()
            )
        };
        let reason = format!("{ordered}; sealed: {sealed}; unknown: {}", unknown.len());
        let unknown = unknown
            .into_iter()
            .take(MOST_TOLD)
            .map(|untold| Untold {
                reason: brief(&untold.reason),
                ..untold
            })
            .collect();
        Self {
            at,
            ordered: taken.len(),
            per_second,
            lease_seconds: if taken.is_empty() { 0 } else { lease_seconds },
            unknown,
            reason,
        }
    }
}

/// The lease outlasts the wait that the check after this order will ask for.
fn lease_seconds(question: &Question, now: Timestamp) -> u64 {
    let changed_at = question.changed_at.unwrap_or(now);
    // Of a group the wait is shorter, and a longer lease does no harm.
    let longest = wait::longest(question.baking, question.poll_seconds, false);
    let wait = wait::seconds(now, changed_at, question.settled_at, longest);
    wait + LEASE_MARGIN_SECONDS
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a report's counts are far below 2^53"
)]
fn weight(report: &SessionReport) -> f64 {
    (report.idle + 1) as f64
}

#[cfg(test)]
mod tests;
