//! Orders and answers as JSON, whatever carries them.
//!
//! Owns what an order has to look like, and which status and which name every outcome has. Refuses an order that is not
//! of its form before anything looks at it. `http` and the fakes call it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::admission::Refusal;
use crate::order::{Kind, Order, Refused, What};
use crate::report::Report;

/// The longest body of an order, in bytes.
pub const LARGEST_BODY: usize = 64 * 1024;
/// What every reader of JSON can hold (RFC 8259, section 6).
pub const LARGEST_EPOCH: u64 = (1 << 53) - 1;
/// A lease longer than this, in seconds, is a mistake: a forgotten order must lapse.
pub const LONGEST_LEASE: u64 = 86_400;

/// An order that is not of its form, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct IllFormed(pub String);

#[derive(Deserialize)]
struct Named {
    instance: String,
    deployment: String,
    epoch: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DrainOrder {
    #[serde(flatten)]
    named: Named,
    per_second: f64,
    lease_seconds: u64,
}

impl Order {
    /// Reads the body of an order of this kind. Fields that it does not know are ignored.
    ///
    /// # Errors
    /// When a field is missing, of another type, or out of its bounds.
    pub fn read(kind: Kind, body: &[u8]) -> Result<Self, IllFormed> {
        let (named, what) = match kind {
            Kind::Drain => {
                let order: DrainOrder = parse(body)?;
                let what = drain(order.per_second, order.lease_seconds)?;
                (order.named, what)
            }
            Kind::Resume => (parse(body)?, What::Resume),
            Kind::Seal => (parse(body)?, What::Seal),
        };
        named.order(what)
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, IllFormed> {
    serde_json::from_slice(body).map_err(|error| IllFormed(error.to_string()))
}

fn drain(per_second: f64, lease_seconds: u64) -> Result<What, IllFormed> {
    if !(per_second.is_finite() && per_second > 0.0) {
        return Err(IllFormed(format!(
            "perSecond: expected a number above 0, got {per_second}"
        )));
    }
    if !(1..=LONGEST_LEASE).contains(&lease_seconds) {
        return Err(IllFormed(format!(
            "leaseSeconds: expected a whole number from 1 to {LONGEST_LEASE}, got {lease_seconds}"
        )));
    }
    Ok(What::Drain {
        per_second,
        lease: Duration::from_secs(lease_seconds),
    })
}

impl Named {
    fn order(self, what: What) -> Result<Order, IllFormed> {
        for (name, value) in [
            ("instance", &self.instance),
            ("deployment", &self.deployment),
        ] {
            if value.is_empty() {
                return Err(IllFormed(format!("{name}: expected a name, got none")));
            }
        }
        if self.epoch > LARGEST_EPOCH {
            return Err(IllFormed(format!(
                "epoch: expected at most {LARGEST_EPOCH}, got {}",
                self.epoch
            )));
        }
        Ok(Order {
            instance: self.instance,
            deployment: self.deployment,
            epoch: self.epoch,
            what,
        })
    }
}

impl Refused {
    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::WrongInstance { .. } | Self::StaleEpoch { .. } | Self::Admission(_) => 409,
            Self::NotKept(_) | Self::Unknown(_) | Self::Interrupted(_) => 500,
        }
    }

    /// Its name in the answer.
    pub fn name(&self) -> &'static str {
        match self {
            Self::WrongInstance { .. } => "WrongInstance",
            Self::StaleEpoch { .. } => "StaleEpoch",
            Self::Admission(Refusal::Sealed) => "Sealed",
            Self::Admission(_) => "InUse",
            Self::NotKept(_) => "NotPersisted",
            Self::Unknown(_) => "Unknown",
            Self::Interrupted(_) => "Interrupted",
        }
    }

    /// The body of the answer: `error` and `message` beside the fields of the report.
    pub fn beside(&self, report: &Report) -> Value {
        let mut body = json!({ "error": self.name(), "message": self.to_string() });
        if let (Value::Object(body), Ok(Value::Object(report))) =
            (&mut body, serde_json::to_value(report))
        {
            body.extend(report);
        }
        body
    }
}
