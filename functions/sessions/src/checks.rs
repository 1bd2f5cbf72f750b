//! The user's own checks, of many servers at once, whose answers come in the servers' order, and of the service where its
//! users reach it. In a path `*` stands for the instance's id, and for the deployment's name at the service.

use std::time::Duration;

use ebbtide_rules::Server;
use ebbtide_rules::green_test::{Finding, PageAnswer, SocketAnswer, of_both};
use ebbtide_rules::knobs::MOST_INSTANCES;
use ebbtide_rules::plan::{Pages, WebSockets};
use ebbtide_rules::report::UnknownReason;
use ebbtide_rules::service_url::ServiceUrl;
use ebbtide_rules::url_path::UrlPath;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use crate::call::{Body, Caller, Limits, NoClient};
use crate::client::AT_A_TIME;
use crate::endpoint::url;
use crate::web_socket;

/// WebSockets are held, so all servers take theirs at once; a Lambda has file descriptors for twice as many.
const SOCKETS_AT_A_TIME: usize = MOST_INSTANCES as usize;

/// Where checks are made.
struct Place<'a> {
    /// What a path follows on, unless there is nobody to be called.
    base: Result<String, UnknownReason>,
    /// What `*` stands for.
    whom: &'a str,
}

impl<'a> Place<'a> {
    fn server(server: &'a Server, port: u16) -> Self {
        Self {
            base: url(&server.ip, port, ""),
            whom: &server.instance,
        }
    }

    fn url(&self, path: &UrlPath) -> Result<String, UnknownReason> {
        let path = path.naming(self.whom);
        self.base.clone().map(|base| base + &path)
    }
}

/// Makes the user's checks.
#[derive(Debug, Clone)]
pub struct CheckClient {
    pub(crate) caller: Caller,
}

impl CheckClient {
    /// A client with the time that a check has.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new() -> Result<Self, NoClient> {
        Self::within(Limits::default())
    }

    /// The same with other limits, for tests that wait for them.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn within(limits: Limits) -> Result<Self, NoClient> {
        let caller = Caller::new(limits)?;
        Ok(Self { caller })
    }

    /// Asks every server for the user's pages; per server, in the order of the paths, up to the first that gives no
    /// answer: a dead server costs one time-out, not one for each page. What is not answered by `until` is not.
    pub async fn pages(
        &self,
        servers: &[Server],
        pages: &Pages,
        until: Instant,
    ) -> Vec<Vec<(String, PageAnswer)>> {
        stream::iter(servers)
            .map(|server| Place::server(server, pages.port))
            .map(|place| self.pages_at(place, &pages.paths, until))
            .buffered(AT_A_TIME)
            .collect()
            .await
    }

    /// Opens the user's WebSockets on `port` of every server, holds each for its seconds and closes it; per server one
    /// after the other, up to the first that is not held. What is not over by `until` is given up.
    pub async fn sockets(
        &self,
        servers: &[Server],
        port: u16,
        sockets: &WebSockets,
        until: Instant,
    ) -> Vec<Vec<(String, SocketAnswer)>> {
        stream::iter(servers)
            .map(|server| Place::server(server, port))
            .map(|place| self.sockets_at(place, sockets, until))
            .buffered(SOCKETS_AT_A_TIME)
            .collect()
            .await
    }

    /// Makes the same checks where users reach the service, and says what they came to. Whichever server answers, a
    /// WebSocket is a session of it for that long, and is closed in order.
    pub async fn service(
        &self,
        service: &ServiceUrl,
        deployment: &str,
        pages: &Pages,
        until: Instant,
    ) -> Finding {
        // A server may keep a name that lost its connection for a while: no look has another one's.
        let whom = format!("{deployment}-{:08x}", rand::random::<u32>());
        let place = || Place {
            base: Ok(service.as_str().to_owned()),
            whom: &whom,
        };
        let answered = self.pages_at(place(), &pages.paths, until).await;
        let Some(sockets) = &pages.web_sockets else {
            return of_both(&answered, &[], 0);
        };
        let held = self.sockets_at(place(), sockets, until).await;
        of_both(&answered, &held, sockets.seconds)
    }

    async fn pages_at(
        &self,
        place: Place<'_>,
        paths: &[UrlPath],
        until: Instant,
    ) -> Vec<(String, PageAnswer)> {
        let mut answers = Vec::with_capacity(paths.len());
        for path in paths {
            let answer = timeout_at(until, self.page(place.url(path))).await;
            let answer = answer.unwrap_or(PageAnswer::Unknown(UnknownReason::TimedOut));
            let is_silent = matches!(answer, PageAnswer::Unknown(_));
            answers.push((path.as_str().to_owned(), answer));
            if is_silent {
                break;
            }
        }
        answers
    }

    async fn sockets_at(
        &self,
        place: Place<'_>,
        sockets: &WebSockets,
        until: Instant,
    ) -> Vec<(String, SocketAnswer)> {
        let hold = Duration::from_secs(sockets.seconds.into());
        let mut answers = Vec::with_capacity(sockets.paths.len());
        for path in &sockets.paths {
            let answer = timeout_at(until, self.socket(place.url(path), hold)).await;
            let answer = answer.unwrap_or(SocketAnswer::Unknown(UnknownReason::TimedOut));
            let is_held = answer == SocketAnswer::Held;
            answers.push((path.as_str().to_owned(), answer));
            if !is_held {
                break;
            }
        }
        answers
    }

    async fn page(&self, url: Result<String, UnknownReason>) -> PageAnswer {
        let url = match url {
            Ok(url) => url,
            Err(reason) => return PageAnswer::Unknown(reason),
        };
        match self
            .caller
            .call(|| self.caller.http.get(&url), Body::Ignore, &[])
            .await
        {
            Ok(answered) => PageAnswer::Status(answered.status.as_u16()),
            Err(reason) => PageAnswer::Unknown(reason),
        }
    }

    async fn socket(&self, url: Result<String, UnknownReason>, hold: Duration) -> SocketAnswer {
        match url {
            Ok(url) => web_socket::hold(&self.caller, &url, hold).await,
            Err(reason) => SocketAnswer::Unknown(reason),
        }
    }
}
