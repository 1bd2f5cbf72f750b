//! Reads the servers' session endpoints, for people and scenarios to look at. The deployment has its own reader.

use std::net::Ipv4Addr;
use std::time::Duration;

use ebbtide_signature::{Key, Request, sign_request};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, chain};

/// How long whoever draws the servers twice a second waits for one of them.
pub const GLANCE: Duration = Duration::from_secs(1);

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

/// Reads one server's report, with a call that is signed if there are keys.
///
/// # Errors
/// [`Error::Aws`] if it does not answer within `limit`, or with something else.
pub async fn read(
    client: &reqwest::Client,
    (ip, port): (Ipv4Addr, u16),
    keys: &[Key],
    limit: Duration,
) -> Result<Report> {
    let url = format!("http://{ip}:{port}/sessions");
    let asked = async {
        client
            .get(&url)
            .headers(signed(&format!("{ip}:{port}"), keys))
            .timeout(limit)
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

/// The headers of a signed call; none without keys.
fn signed(authority: &str, keys: &[Key]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !keys.is_empty() {
        let request = Request {
            method: &Method::GET,
            authority,
            path: "/sessions",
            body: b"",
        };
        let now = Timestamp::now().as_second().cast_unsigned();
        let nonce = format!("{:032x}", rand::random::<u128>());
        sign_request(&request, &mut headers, keys, now, &nonce);
    }
    headers
}
