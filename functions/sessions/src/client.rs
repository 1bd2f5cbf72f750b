//! The calls of the session endpoint, version 1, each to many servers at once; answers come in the servers' order.

use std::sync::Arc;

use ebbtide_rules::drain::Order;
use ebbtide_rules::report::{Reading, Reply, UnknownReason, parse_refusal, parse_report};
use ebbtide_rules::{Fence, Server};
use ebbtide_signature::{Key, Master};
use futures_util::{StreamExt, stream};
use reqwest::StatusCode;
use serde::Serialize;

use crate::call::{Answered, Body, Caller, Limits, NoClient};
use crate::checks::CheckClient;
use crate::endpoint::Endpoint;

/// Servers called at a time: more would crowd a small Lambda's sockets, fewer would not get through 500 in time.
pub(crate) const AT_A_TIME: usize = 256;

/// Calls session endpoints.
#[derive(Debug, Clone)]
pub struct SessionClient {
    pub(crate) caller: Caller,
    endpoint: Endpoint,
    masters: Arc<[Master]>,
}

/// What every POST names, so that neither a reused address nor a late caller is obeyed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    instance: &'a str,
    deployment: &'a str,
    epoch: u64,
    #[serde(flatten)]
    order: Option<Order>,
}

impl SessionClient {
    /// A client of the endpoint that every server has there.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(endpoint: Endpoint) -> Result<Self, NoClient> {
        Self::within(Limits::default(), endpoint)
    }

    /// The same with other limits, for tests that wait for them.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn within(limits: Limits, endpoint: Endpoint) -> Result<Self, NoClient> {
        Ok(Self {
            caller: Caller::new(limits)?,
            endpoint,
            masters: Arc::default(),
        })
    }

    /// The user's checks, made with the same limits. They are never signed.
    pub fn checks(&self) -> CheckClient {
        CheckClient {
            caller: self.caller.clone(),
        }
    }

    /// The same, with calls that are signed with every server's keys of these masters, the newest first; with none they are
    /// not signed.
    pub fn signing(&self, masters: Arc<[Master]>) -> Self {
        Self {
            masters,
            ..self.clone()
        }
    }

    fn keys_of(&self, server: &Server) -> Vec<Key> {
        let key = |master: &Master| master.key_of(&server.instance);
        self.masters.iter().map(key).collect()
    }

    /// Reads every server: `GET`.
    pub async fn read(&self, servers: &[Server]) -> Vec<Reading> {
        stream::iter(servers)
            .map(|server| self.read_one(server))
            .buffered(AT_A_TIME)
            .collect()
            .await
    }

    /// Gives every server its standing order: `POST …/drain`.
    pub async fn drain(&self, fence: &Fence, orders: &[(Server, Order)]) -> Vec<Reply> {
        stream::iter(orders)
            .map(|(server, order)| self.ask(fence, server, "/drain", Some(*order)))
            .buffered(AT_A_TIME)
            .collect()
            .await
    }

    /// Asks every server to be open, and to take the epoch: `POST …/resume`.
    pub async fn resume(&self, fence: &Fence, servers: &[Server]) -> Vec<Reply> {
        self.ask_all(fence, servers, "/resume").await
    }

    /// Asks every server for its seal: `POST …/seal`.
    pub async fn seal(&self, fence: &Fence, servers: &[Server]) -> Vec<Reply> {
        self.ask_all(fence, servers, "/seal").await
    }

    async fn read_one(&self, server: &Server) -> Reading {
        let url = match self.endpoint.url(&server.ip, "") {
            Ok(url) => url,
            Err(reason) => return Reading::Unknown(reason),
        };
        match self
            .caller
            .call(
                || self.caller.http.get(&url),
                Body::Read,
                &self.keys_of(server),
            )
            .await
        {
            Ok(answered) if answered.status == StatusCode::OK => {
                parse_report(&answered.body, &server.instance)
            }
            Ok(answered) => Reading::Unknown(of_status(answered.status)),
            Err(reason) => Reading::Unknown(reason),
        }
    }

    async fn ask_all(&self, fence: &Fence, servers: &[Server], call: &str) -> Vec<Reply> {
        stream::iter(servers)
            .map(|server| self.ask(fence, server, call, None))
            .buffered(AT_A_TIME)
            .collect()
            .await
    }

    async fn ask(&self, fence: &Fence, server: &Server, call: &str, order: Option<Order>) -> Reply {
        let url = match self.endpoint.url(&server.ip, call) {
            Ok(url) => url,
            Err(reason) => return Reply::Unknown(reason),
        };
        let asked = Asked {
            instance: &server.instance,
            deployment: &fence.deployment,
            epoch: fence.epoch,
            order,
        };
        let answered = self
            .caller
            .call(
                || self.caller.http.post(&url).json(&asked),
                Body::Read,
                &self.keys_of(server),
            )
            .await;
        match answered {
            Ok(answered) => answer(&answered, server, fence),
            Err(reason) => Reply::Unknown(reason),
        }
    }
}

fn answer(answered: &Answered, server: &Server, fence: &Fence) -> Reply {
    match answered.status {
        StatusCode::OK => match parse_report(&answered.body, &server.instance) {
            Reading::Report(report) => Reply::Report(report),
            Reading::Unknown(reason) => Reply::Unknown(reason),
        },
        StatusCode::CONFLICT => parse_refusal(&answered.body, &server.instance, fence.epoch),
        status => Reply::Unknown(of_status(status)),
    }
}

/// Why an answer of this status says nothing. A signed call that was refused has been told apart before.
fn of_status(status: StatusCode) -> UnknownReason {
    match status {
        StatusCode::UNAUTHORIZED => UnknownReason::DemandsSignature,
        other => UnknownReason::Status(other.as_u16()),
    }
}
