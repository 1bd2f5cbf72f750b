//! The load balancer's health check: whether the server listens, and what its own check says where it has one.
//!
//! Opens no connection to a served port: that would be a session, and spoil the seal. Green while draining and while sealed,
//! as an NLB cuts the connections of a target that turns unhealthy.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use reqwest::{Client, redirect};
use tokio::task::spawn_blocking;
use url::Url;

use crate::sockets::without_listener;

/// Less than the shortest time that a load balancer waits, which is 2 s.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What the health check looks at.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    ports: Vec<u16>,
    own: Option<(Client, Url)>,
}

impl Health {
    pub(crate) fn new(ports: &[u16], url: Option<Url>) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .redirect(redirect::Policy::none());
        let own = url.map(|url| Ok((client.build()?, url))).transpose()?;
        Ok(Self {
            ports: ports.into(),
            own,
        })
    }

    pub(crate) async fn answer(&self) -> Response {
        match self.unhealthy().await {
            None => (StatusCode::OK, "healthy\n").into_response(),
            Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
        }
    }

    /// What is wrong, if anything is.
    pub(crate) async fn unhealthy(&self) -> Option<String> {
        let ports = self.ports.clone();
        match spawn_blocking(move || without_listener(&ports)).await {
            Ok(Ok(without)) if without.is_empty() => {}
            Ok(Ok(without)) => return Some(format!("nobody listens on {without:?}")),
            Ok(Err(error)) => return Some(format!("the sockets cannot be read: {error}")),
            Err(died) => return Some(died.to_string()),
        }
        let (client, url) = self.own.as_ref()?;
        match client.get(url.clone()).send().await {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("{url} answers {}", answer.status())),
            Err(error) => Some(format!("{url}: {error}")),
        }
    }
}
