//! The report: every answer of the session endpoint.
//!
//! Owns its JSON shape (docs/session-endpoint.yaml in Ebbtide's repository). Endpoint and fakes make it.

use serde::Serialize;

use crate::admission::Mode;

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of the session endpoint: 1.
    pub version: u32,
    /// The instance that answers.
    pub instance: String,
    /// `open`, `draining` or `sealed`.
    pub admission: &'static str,
    /// The highest epoch accepted that a restart would still know.
    pub epoch: u64,
    /// Sessions in use, and whatever else termination would cut.
    pub busy: u64,
    /// Sessions open but unused.
    pub idle: u64,
    /// Sessions closed by orders since draining began.
    pub closed: u64,
    /// For how long the longest busy of `busy` has been busy.
    pub oldest_busy_seconds: u64,
    /// Who reports for a server that knows nothing of it, name and version; a server that reports for itself names nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<&'static str>,
}

/// The version of the session endpoint that this library speaks.
#[cfg(any(feature = "serve", feature = "fake"))]
pub(crate) const VERSION: u32 = 1;

impl Mode {
    /// Its name in a report. A seal is reported once it would survive a restart, not before.
    pub fn reported(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Draining | Self::Sealing => "draining",
            Self::Sealed => "sealed",
        }
    }
}
