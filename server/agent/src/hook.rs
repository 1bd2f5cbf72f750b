//! The busy hook: a server that knows better says how much is in use, whatever its bytes say.

use std::time::Duration;

use reqwest::{Client, redirect};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::config::Busy;

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
        let Busy { url, pointer } = &self.busy;
        let asked = async {
            let answer = self
                .client
                .get(url.clone())
                .send()
                .await?
                .error_for_status()?;
            answer.bytes().await
        };
        let body = self
            .runtime
            .block_on(asked)
            .map_err(|error| format!("busy.url: {error}"))?;
        let said: Option<Value> = serde_json::from_slice(&body).ok();
        let number = said
            .as_ref()
            .and_then(|said| said.pointer(pointer)?.as_u64());
        number.ok_or_else(|| format!("{url} says no whole number at {pointer:?}"))
    }
}
