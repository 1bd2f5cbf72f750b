//! The calls of the session endpoint, as Ebbtide makes them: limited in time, 64 KiB, no redirect, no proxy.
//!
//! Owns the HTTP side. What an answer means is the trial's.

use std::time::Duration;

use ebbtide_rules::report::{Reading, SessionReport, parse_report};
use reqwest::{Client, RequestBuilder, redirect};
use serde_json::{Value, json};

/// The largest body that Ebbtide reads.
const LARGEST: usize = 64 * 1024;

/// The three orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Drain,
    Resume,
    Seal,
}

impl Order {
    pub(crate) const ALL: [Self; 3] = [Self::Drain, Self::Resume, Self::Seal];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Resume => "resume",
            Self::Seal => "seal",
        }
    }
}

/// A status and a body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Its `error`, if it names one.
    pub(crate) fn error(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body["error"].as_str().map(str::to_owned)
    }

    /// What was seen, for a person.
    pub(crate) fn told(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let body: String = body.trim().chars().take(200).collect();
        format!("{} {body}", self.status)
    }

    /// The report in it, as Ebbtide would believe it.
    pub(crate) fn report(&self, instance: &str) -> Result<SessionReport, String> {
        match parse_report(&self.body, instance) {
            Reading::Report(report) => Ok(report),
            Reading::Unknown(reason) => Err(format!("{reason}: {}", self.told())),
        }
    }
}

/// A server's private port.
#[derive(Clone)]
pub(crate) struct Server {
    http: Client,
    url: String,
}

impl Server {
    /// The server whose `GET /sessions` is at this URL.
    pub(crate) fn new(url: &str, limit: Duration) -> Result<Self, String> {
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(limit)
            // A restart leaves no connection.
            .pool_max_idle_per_host(0)
            .build();
        Ok(Self {
            http: http.map_err(|error| error.to_string())?,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    pub(crate) async fn read(&self) -> Result<Answer, String> {
        call(self.http.get(&self.url)).await
    }

    pub(crate) async fn post(&self, order: Order, body: Vec<u8>) -> Result<Answer, String> {
        let url = format!("{}/{}", self.url, order.name());
        let request = self.http.post(url).body(body);
        call(request.header("content-type", "application/json")).await
    }
}

/// An order's body, for as long and as fast as the trial's rules want it; those that ask for something else change it.
pub(crate) fn body(instance: &str, epoch: u64) -> Value {
    json!({
        "instance": instance, "deployment": "conformance", "epoch": epoch,
        "perSecond": 50, "leaseSeconds": 600,
    })
}

async fn call(request: RequestBuilder) -> Result<Answer, String> {
    let failed = |error: reqwest::Error| {
        if error.is_timeout() {
            return "no answer in time".to_owned();
        }
        let mut told = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            told = error.to_string();
            cause = error.source();
        }
        format!("no answer: {told}")
    };
    let mut response = request.send().await.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err("an answer of more than 64 KiB".to_owned());
        }
    }
    Ok(Answer {
        status: response.status().as_u16(),
        body,
    })
}
