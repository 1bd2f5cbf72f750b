//! How the emulators are called where AWS has no API for it.

use std::time::Duration;

use reqwest::Client;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result, chain};

/// How long an emulator may take: it has one lock, six clouds have two cores, and a machine has other guests. It bounds
/// hanging; nothing is measured by it.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// A client for loopback addresses: no proxy.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn client() -> Result<Client> {
    Client::builder()
        .no_proxy()
        .timeout(ANSWER_LIMIT)
        .build()
        .map_err(|error| Error::Missing(format!("no HTTP client: {error}")))
}

/// Posts JSON and reads JSON; `call` is what messages say of it.
///
/// # Errors
/// [`Error::Aws`] if it is refused, not answered, or answered with something else.
pub(crate) async fn post<T: DeserializeOwned>(
    client: &Client,
    url: &str,
    call: &str,
    asked: &Value,
) -> Result<T> {
    let answer = async {
        let answer = client.post(url).json(asked).send().await?;
        answer.error_for_status()?.json().await
    };
    answer.await.map_err(|error: reqwest::Error| Error::Aws {
        call: call.to_owned(),
        why: chain(&error),
    })
}
