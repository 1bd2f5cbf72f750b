//! The calls of the session endpoint, as Ebbtide makes them: limited in time, 64 KiB, no redirect, no proxy, and with keys
//! signed, each anew.
//!
//! Owns the HTTP side. What an answer means is the trial's.

use std::sync::Arc;
use std::time::Duration;

use ebbtide_rules::report::{Reading, SessionReport, parse_report};
use ebbtide_signature::Key;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Url, redirect};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::call::{Call, now};

/// The largest body that Ebbtide reads.
const LARGEST: usize = 64 * 1024;

/// A server that has just started refuses what was signed in that second and the next two: so long a call that it refuses is
/// signed anew.
const JUST_STARTED: Duration = Duration::from_secs(6);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

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

/// A status, headers and a body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
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
    /// None where calls are not signed.
    pub(crate) keys: Arc<[Key]>,
}

impl Server {
    /// The server whose `GET /sessions` is at this URL.
    pub(crate) fn new(url: &str, limit: Duration, keys: Arc<[Key]>) -> Result<Self, String> {
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
            keys,
        })
    }

    /// The call that reads, not signed yet.
    pub(crate) fn reading(&self) -> Result<Call, String> {
        self.call(Method::GET, "", Vec::new())
    }

    /// The call that gives an order, not signed yet.
    pub(crate) fn ordering(&self, order: Order, body: Vec<u8>) -> Result<Call, String> {
        let mut call = self.call(Method::POST, &format!("/{}", order.name()), body)?;
        let json = HeaderValue::from_static("application/json");
        call.headers.insert(CONTENT_TYPE, json);
        Ok(call)
    }

    fn call(&self, method: Method, below: &str, body: Vec<u8>) -> Result<Call, String> {
        let url = format!("{}{below}", self.url);
        Ok(Call {
            method,
            url: Url::parse(&url).map_err(|error| format!("{url}: {error}"))?,
            body,
            headers: HeaderMap::new(),
        })
    }

    /// With keys, an answer that anything follows from has to be signed: another one is none.
    pub(crate) async fn read(&self) -> Result<Answer, String> {
        self.ask(&self.reading()?).await
    }

    /// As [`Self::read`].
    pub(crate) async fn post(&self, order: Order, body: Vec<u8>) -> Result<Answer, String> {
        self.ask(&self.ordering(order, body)?).await
    }

    async fn ask(&self, call: &Call) -> Result<Answer, String> {
        let (call, answer) = self.whatever(call).await?;
        if !self.keys.is_empty() && [200, 409].contains(&answer.status) {
            self.believe(&call, &answer)?;
        }
        Ok(answer)
    }

    /// The first report, whether its signature is right or not.
    pub(crate) async fn first(&self) -> Result<Answer, String> {
        let (_, answer) = self.whatever(&self.reading()?).await?;
        Ok(answer)
    }

    /// Signs a call, if there are keys, and sends it: as it was sent, and the answer, whoever's it is.
    async fn whatever(&self, call: &Call) -> Result<(Call, Answer), String> {
        if self.keys.is_empty() {
            return Ok((call.clone(), self.send(call).await?));
        }
        let deadline = Instant::now() + JUST_STARTED;
        loop {
            let call = call.signed(&self.keys, now());
            let answer = self.send(&call).await?;
            if answer.status != 401 || Instant::now() >= deadline {
                return Ok((call, answer));
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether an answer is signed as the one to this call.
    pub(crate) fn believe(&self, call: &Call, answer: &Answer) -> Result<(), String> {
        let believed = call.verify(answer, &self.keys);
        believed.map_err(|refused| {
            let seen = answer.told();
            format!("the answer is not signed as the one to this call: {refused}; seen {seen}")
        })
    }

    /// Sends a call as it is; the answer may be anybody's.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, String> {
        let request = self.http.request(call.method.clone(), call.url.clone());
        let request = request
            .headers(call.headers.clone())
            .body(call.body.clone());
        let mut response = request.send().await.map_err(|error| told(&error))?;
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| told(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err("an answer of more than 64 KiB".to_owned());
            }
        }
        Ok(Answer {
            status: response.status().as_u16(),
            headers,
            body,
        })
    }
}

/// An order's body, for as long and as fast as the trial's rules want it; those that ask for something else change it.
pub(crate) fn body(instance: &str, epoch: u64) -> Value {
    json!({
        "instance": instance, "deployment": "conformance", "epoch": epoch,
        "perSecond": 50, "leaseSeconds": 600,
    })
}

fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told = error.to_string();
        cause = error.source();
    }
    format!("no answer: {told}")
}
