//! Reads the servers' session endpoints, for people and scenarios to look at. The deployment has its own reader.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, chain};

const LIMIT: Duration = Duration::from_secs(1);

/// A session endpoint's report, version 1: `docs/session-endpoint.yaml`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// 1.
    pub version: u64,
    /// The instance that answers.
    pub instance: String,
    /// `open`, `draining` or `sealed`.
    pub admission: String,
    /// The highest epoch it has seen.
    pub epoch: u64,
    /// Busy sessions, and requests that it carries.
    pub busy: u64,
    /// Idle sessions.
    pub idle: u64,
    /// Sessions closed by orders since draining began.
    pub closed: u64,
    /// How long the longest busy session has been, in seconds.
    pub oldest_busy_seconds: u64,
}

/// Reads one server's report.
///
/// # Errors
/// [`Error::Aws`] if it does not answer within a second, or with something else.
pub async fn read(client: &reqwest::Client, ip: Ipv4Addr, port: u16) -> Result<Report> {
    let url = format!("http://{ip}:{port}/sessions");
    let asked = async {
        client
            .get(&url)
            .timeout(LIMIT)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await
    };
    asked.await.map_err(|error: reqwest::Error| Error::Aws {
        call: url.clone(),
        why: chain(&error),
    })
}
