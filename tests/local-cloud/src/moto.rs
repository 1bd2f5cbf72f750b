//! What moto is told and asked by no API action of AWS's: see `python/control.py`.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Result;
use crate::http;

/// moto's own ways, at its URL.
#[derive(Clone, Debug)]
pub struct Moto {
    client: reqwest::Client,
    url: String,
}

impl Moto {
    /// The moto that answers at this URL.
    ///
    /// # Errors
    /// If there is no HTTP client to be had.
    pub fn at(url: &str) -> Result<Self> {
        Ok(Self {
            client: http::client()?,
            url: url.to_owned(),
        })
    }

    /// Brings an act about and returns what moto says of it.
    ///
    /// # Errors
    /// If moto refuses, does not answer, or answers with something else.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, act: &str, asked: &Value) -> Result<T> {
        let url = format!("{}/moto-api/ebbtide/{act}", self.url);
        http::post(&self.client, &url, &format!("moto's {act}"), asked).await
    }
}
