//! The user's own checks, each of many servers at once; answers come in the servers' order. In a path `*` stands for the
//! instance's id.

use std::time::Duration;

use ebbtide_rules::Server;
use ebbtide_rules::green_test::{PageAnswer, SocketAnswer};
use ebbtide_rules::knobs::MOST_INSTANCES;
use ebbtide_rules::plan::{Pages, WebSockets};
use ebbtide_rules::report::UnknownReason;
use ebbtide_rules::url_path::UrlPath;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use crate::call::Body;
use crate::client::{AT_A_TIME, SessionClient};
use crate::endpoint::url;
use crate::web_socket;

/// WebSockets are held, so all servers take theirs at once; a Lambda has file descriptors for twice as many.
const SOCKETS_AT_A_TIME: usize = MOST_INSTANCES as usize;

impl SessionClient {
    /// Asks every server for the user's pages; per server, in the order of the paths, up to the first that gives no
    /// answer: a dead server costs one time-out, not one for each page. What is not answered by `until` is not.
    pub async fn pages(
        &self,
        servers: &[Server],
        pages: &Pages,
        until: Instant,
    ) -> Vec<Vec<(String, PageAnswer)>> {
        stream::iter(servers)
            .map(|server| async move {
                let mut answers = Vec::with_capacity(pages.paths.len());
                for path in &pages.paths {
                    let answer = self.page(server, pages.port, path);
                    let answer = timeout_at(until, answer).await;
                    let answer = answer.unwrap_or(PageAnswer::Unknown(UnknownReason::TimedOut));
                    let is_silent = matches!(answer, PageAnswer::Unknown(_));
                    answers.push((path.as_str().to_owned(), answer));
                    if is_silent {
                        break;
                    }
                }
                answers
            })
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
        let hold = Duration::from_secs(sockets.seconds.into());
        stream::iter(servers)
            .map(|server| async move {
                let mut answers = Vec::with_capacity(sockets.paths.len());
                for path in &sockets.paths {
                    let answer = timeout_at(until, self.socket(server, port, path, hold)).await;
                    let answer = answer.unwrap_or(SocketAnswer::Unknown(UnknownReason::TimedOut));
                    let is_held = answer == SocketAnswer::Held;
                    answers.push((path.as_str().to_owned(), answer));
                    if !is_held {
                        break;
                    }
                }
                answers
            })
            .buffered(SOCKETS_AT_A_TIME)
            .collect()
            .await
    }

    async fn page(&self, server: &Server, port: u16, path: &UrlPath) -> PageAnswer {
        let url = match url(&server.ip, port, &path.naming(&server.instance)) {
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

    async fn socket(
        &self,
        server: &Server,
        port: u16,
        path: &UrlPath,
        hold: Duration,
    ) -> SocketAnswer {
        match url(&server.ip, port, &path.naming(&server.instance)) {
            Ok(url) => web_socket::hold(&self.caller, &url, hold).await,
            Err(reason) => SocketAnswer::Unknown(reason),
        }
    }
}
