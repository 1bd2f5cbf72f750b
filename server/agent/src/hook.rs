//! The busy hook: a server that knows better says how much is in use, whatever its bytes say.
//!
//! Asked by HTTP, where it answers with JSON or with Prometheus metrics, or by a program, which has no capability.

use std::time::Duration;

use reqwest::{Client, redirect};
use serde_json::Value;
use tokio::runtime::Handle;
use url::Url;

use crate::config::{Busy, Within};
use crate::program;
use crate::samples;

/// A server that takes longer is Unknown.
const PATIENCE: Duration = Duration::from_millis(700);

/// Asks the server.
#[derive(Debug, Clone)]
pub struct Hook {
    client: Client,
    busy: Busy,
    runtime: Handle,
}

impl Hook {
    /// Called within a runtime.
    ///
    /// # Errors
    /// When there is no client.
    pub fn new(busy: Busy) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            busy,
            runtime: Handle::current(),
        })
    }

    /// How much is in use. Blocks.
    ///
    /// # Errors
    /// When it does not say a whole number.
    pub fn in_use(&self) -> Result<u64, String> {
        self.runtime.block_on(async {
            match &self.busy {
                Busy::Url { url, within } => self.fetched(url, within).await,
                Busy::Command(command) => program::number(command, PATIENCE)
                    .await
                    .map_err(|error| format!("busy.command: {error}")),
            }
        })
    }

    async fn fetched(&self, url: &Url, within: &Within) -> Result<u64, String> {
        let fetched = async {
            let answer = self.client.get(url.clone()).send().await?;
            answer.error_for_status()?.bytes().await
        };
        let body = fetched
            .await
            .map_err(|error| format!("busy.url: {error}"))?;
        match within {
            Within::Json(pointer) => json(&body, pointer)
                .ok_or_else(|| format!("{url} says no whole number at {pointer:?}")),
            Within::Metric { name, labels } => {
                samples::sum(&body, name, labels).map_err(|error| format!("{url}: {error}"))
            }
        }
    }
}

fn json(body: &[u8], pointer: &str) -> Option<u64> {
    let said: Value = serde_json::from_slice(body).ok()?;
    said.pointer(pointer)?.as_u64()
}
