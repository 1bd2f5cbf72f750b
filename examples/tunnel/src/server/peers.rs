//! The other servers of the service, and the calls to them.
//!
//! Owns the list, read again when its file changes. Everything asked here is asked of all peers at once, and a peer
//! that does not answer is as good as one that says no, but for the final verdict.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use serde::Serialize;
use thiserror::Error;

use super::announce::Notice;
use super::body::{BoxError, Outgoing, outgoing};
use super::headers::{RESERVATION, strip};
use super::reserve::{Ask, Granted};
use super::wire::{NoResponse, Wire};
use crate::sync::{sleep, timeout};

/// How long a peer may think about a question.
const ANSWER: Duration = Duration::from_secs(2);
const READ_LIST_EVERY: Duration = Duration::from_secs(1);
const LARGEST_ANSWER: usize = 4 * 1024;

/// Where a request that is passed on arrives, with the application's path behind it.
pub(crate) const FORWARD: &str = "/peers/forward";

pub(crate) struct Peers {
    path: PathBuf,
    own: SocketAddr,
    list: RwLock<Arc<[SocketAddr]>>,
    wire: Box<dyn Wire>,
}

/// A tunnel that a peer keeps for one request.
#[derive(Debug)]
pub(crate) struct Reserved {
    peer: SocketAddr,
    token: HeaderValue,
}

/// The answer of all peers together.
#[derive(Debug)]
pub(crate) enum Asked {
    Reserved(Reserved),
    /// No peer holds the tunnel, but for those that did not answer.
    Nobody {
        silent: usize,
    },
}

/// A request that was passed on in vain.
#[derive(Debug, Error)]
pub(crate) enum PassOnFailed {
    #[error("the server that holds the tunnel let the reservation lapse")]
    Lapsed,
    #[error("the server that holds the tunnel could not be reached: {0}")]
    Unreached(NoResponse),
    #[error("the server that holds the tunnel failed: {0}")]
    Peer(BoxError),
}

impl PassOnFailed {
    /// The application has certainly not seen the request.
    pub(crate) fn unsent(&self) -> bool {
        matches!(self, Self::Lapsed | Self::Unreached(_))
    }
}

impl Peers {
    pub(crate) fn new(path: PathBuf, own: SocketAddr, wire: Box<dyn Wire>) -> Arc<Self> {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            tracing::warn!(%error, "no list of peers yet: no request can be passed on");
            String::new()
        });
        let list = RwLock::new(parse(&text, own).into());
        Arc::new(Self {
            path,
            own,
            list,
            wire,
        })
    }

    /// Follows the file. One that cannot be read leaves the list as it was.
    pub(crate) async fn follow(self: Arc<Self>) {
        loop {
            sleep(READ_LIST_EVERY).await;
            match tokio::fs::read_to_string(&self.path).await {
                Ok(text) => self.set(parse(&text, self.own)),
                Err(error) => tracing::debug!(%error, "the list of peers could not be read"),
            }
        }
    }

    fn set(&self, list: Vec<SocketAddr>) {
        if *self.list() != *list {
            tracing::info!(peers = list.len(), "the list of peers changed");
            *self.list.write().unwrap_or_else(PoisonError::into_inner) = list.into();
        }
    }

    fn list(&self) -> Arc<[SocketAddr]> {
        self.list
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks all peers to keep the tunnel for a request; the first that does gets it.
    pub(crate) async fn reserve(&self, name: &str) -> Asked {
        let list = self.list();
        let mut asking: FuturesUnordered<_> = list
            .iter()
            .map(|peer| self.reserve_at(*peer, name))
            .collect();
        let mut silent = 0;
        while let Some(answer) = asking.next().await {
            match answer {
                Ok(Some(reserved)) => return Asked::Reserved(reserved),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "a peer did not answer");
                    silent += 1;
                }
            }
        }
        Asked::Nobody { silent }
    }

    async fn reserve_at(&self, peer: SocketAddr, name: &str) -> Result<Option<Reserved>, BoxError> {
        let response = self
            .post(
                peer,
                "/peers/reserve",
                &Ask {
                    name: name.to_owned(),
                },
            )
            .await?;
        match response.status() {
            StatusCode::OK => {
                let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect();
                let body = timeout(ANSWER, body).await??;
                let granted: Granted = serde_json::from_slice(&body.to_bytes())?;
                Ok(Some(Reserved {
                    peer,
                    token: granted.token.parse()?,
                }))
            }
            StatusCode::NOT_FOUND => Ok(None),
            other => Err(format!("{peer} answered {other}").into()),
        }
    }

    /// Tells all peers; whoever does not hear it, does not.
    pub(crate) async fn announce(&self, notice: &Notice) {
        let list = self.list();
        let telling: FuturesUnordered<_> = list
            .iter()
            .map(|peer| self.post(*peer, "/peers/taken", notice))
            .collect();
        telling.for_each(|_| std::future::ready(())).await;
    }

    async fn post<T: Serialize>(
        &self,
        peer: SocketAddr,
        path: &str,
        body: &T,
    ) -> Result<Response<Body>, BoxError> {
        let body = Full::new(Bytes::from(serde_json::to_vec(body)?));
        let request = Request::post(format!("http://{peer}{path}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(outgoing(body))?;
        Ok(timeout(ANSWER, self.wire.send(request)).await??)
    }

    /// Passes a request on to the peer that keeps the tunnel for it, streamed both ways, without a time limit.
    pub(crate) async fn pass_on(
        &self,
        reserved: Reserved,
        mut request: Request<Outgoing>,
    ) -> Result<Response<Body>, PassOnFailed> {
        *request.uri_mut() =
            forward_uri(reserved.peer, request.uri()).map_err(PassOnFailed::Peer)?;
        request.headers_mut().insert(RESERVATION, reserved.token);
        let mut response = self
            .wire
            .send(request)
            .await
            .map_err(|none| match none.unreached {
                true => PassOnFailed::Unreached(none),
                false => PassOnFailed::Peer(none.into()),
            })?;
        if response.headers().contains_key(RESERVATION) {
            return Err(PassOnFailed::Lapsed);
        }
        strip(response.headers_mut());
        Ok(response)
    }
}

fn forward_uri(peer: SocketAddr, uri: &Uri) -> Result<Uri, BoxError> {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    Ok(format!("http://{peer}{FORWARD}{path}").parse()?)
}

/// One address a line; empty lines and what follows a `#` say nothing. Our own address is left out.
fn parse(text: &str, own: SocketAddr) -> Vec<SocketAddr> {
    let mut list = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.parse() {
            Ok(peer) if peer != own && !list.contains(&peer) => list.push(peer),
            Ok(_) => {}
            Err(_) if line.is_empty() => {}
            Err(_) => tracing::warn!(line, "not an address IP:PORT in the list of peers"),
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_leaves_out_comments_repeats_and_ourselves() {
        let text = "10.0.0.1:81\n# blue\n10.0.0.2:81 # b\n\nnonsense\n10.0.0.2:81\n10.0.0.3:81\n";
        let list = parse(text, "10.0.0.1:81".parse().unwrap());
        let expected: Vec<SocketAddr> = vec![
            "10.0.0.2:81".parse().unwrap(),
            "10.0.0.3:81".parse().unwrap(),
        ];
        assert_eq!(list, expected);
    }

    #[test]
    fn a_path_and_its_query_stay_as_they_are() {
        let uri = forward_uri(
            "10.0.0.2:81".parse().unwrap(),
            &"/a//b%2Fc/?q=1&r=%20".parse().unwrap(),
        )
        .unwrap();
        assert_eq!(
            uri.to_string(),
            "http://10.0.0.2:81/peers/forward/a//b%2Fc/?q=1&r=%20"
        );
    }
}
