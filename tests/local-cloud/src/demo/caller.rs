//! Sends requests to a tunnel's public path as anybody on the internet would, and compares what comes back.
//!
//! Owns what a good answer is: status 200, from the right customer's application, every byte as sent, and a streamed
//! body that comes back while it is still being sent. Every request, good or not, goes into the record.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, Response, StatusCode};

use super::app::APPLICATION;
use super::observe::{Environment, Kind, Recorder};

/// Response header by which a tunnel server says which instance holds the tunnel.
const SERVER: &str = "tunnel-server";

/// No request of the demo works longer than a few seconds; one that takes this long hangs.
const LONGEST_REQUEST: Duration = Duration::from_secs(45);

/// A streamed body: this many pieces of this size, this far apart.
const PIECES: usize = 16;
const PIECE_BYTES: usize = 8 * 1024;
const PIECE_PAUSE: Duration = Duration::from_millis(80);

/// How long a streamed request takes at least.
pub(super) const STREAM_TAKES: Duration = Duration::from_millis(16 * 80);

/// Somebody who has work for the clients of a service. Every request, good or not, goes into the record; with an environment
/// expected, an answer from elsewhere is a failure.
pub(super) trait Caller: Clone + Send + Sync + 'static {
    /// Work for so long, of a kind that is not [`Kind::Stream`].
    fn wait(
        &self,
        client: &str,
        kind: Kind,
        wait: Duration,
        expected: Option<Environment>,
    ) -> impl Future<Output = ()> + Send;

    /// A lot of data, there and back.
    fn stream(
        &self,
        client: &str,
        expected: Option<Environment>,
    ) -> impl Future<Output = ()> + Send;
}

/// A client of the listener.
#[derive(Clone, Debug)]
pub(super) struct HttpCaller {
    http: reqwest::Client,
    listener: Arc<str>,
    recorder: Recorder,
}

impl HttpCaller {
    /// A caller of the listener at `http://host:port`.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub(super) fn new(listener: &str, recorder: Recorder) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(LONGEST_REQUEST)
            .build()?;
        Ok(Self {
            http,
            listener: listener.trim_end_matches('/').into(),
            recorder,
        })
    }
}

impl Caller for HttpCaller {
    /// Asks the tunnel's application to answer after `wait`.
    async fn wait(&self, tunnel: &str, kind: Kind, wait: Duration, expected: Option<Environment>) {
        let word = format!("{tunnel}-{}", self.recorder.now());
        let url = format!(
            "{}/t/{tunnel}/wait/{}/{word}",
            self.listener,
            wait.as_millis()
        );
        self.recorder
            .request(tunnel, kind, expected, async {
                let response = self.http.get(url).send().await.map_err(in_full)?;
                let server = good(tunnel, &response)?;
                let body = response.bytes().await.map_err(in_full)?;
                if body == word {
                    Ok((server, 0))
                } else {
                    Err(format!("answered {body:?}, expected {word:?}"))
                }
            })
            .await;
    }

    /// Streams a body to the tunnel's application and back, and compares every byte as it comes.
    async fn stream(&self, tunnel: &str, expected: Option<Environment>) {
        let seed = usize::try_from(self.recorder.now()).unwrap_or(0);
        self.recorder
            .request(tunnel, Kind::Stream, expected, async {
                let sent = Arc::new(AtomicUsize::new(0));
                let body = Body::wrap_stream(pieces(seed, Arc::clone(&sent)));
                let url = format!("{}/t/{tunnel}/echo", self.listener);
                let mut response = self
                    .http
                    .post(url)
                    .body(body)
                    .send()
                    .await
                    .map_err(in_full)?;
                let server = good(tunnel, &response)?;
                let mut compared = Compared {
                    seed,
                    ..Compared::default()
                };
                while let Some(piece) = response.chunk().await.map_err(in_full)? {
                    compared.take(&piece, sent.load(Ordering::Relaxed))?;
                }
                compared.finish().map(|()| (server, 0))
            })
            .await;
    }
}

// The server that holds the tunnel, when the answer is a good one so far.
fn good(tunnel: &str, response: &Response) -> Result<String, String> {
    let header = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    if response.status() != StatusCode::OK {
        return Err(format!("answered {}", response.status()));
    }
    match header(APPLICATION) {
        Some(name) if name == tunnel => {}
        other => return Err(format!("answered by the application of {other:?}")),
    }
    header(SERVER)
        .map(str::to_owned)
        .ok_or_else(|| format!("no {SERVER} header in the answer"))
}

// An HTTP error says little without its sources, and its address is known.
fn in_full(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[derive(Debug, Default)]
struct Compared {
    seed: usize,
    bytes: usize,
    came_back_early: bool,
}

impl Compared {
    fn take(&mut self, piece: &[u8], sent: usize) -> Result<(), String> {
        if let Some(at) = piece
            .iter()
            .enumerate()
            .position(|(at, byte)| *byte != pattern(self.seed, self.bytes + at))
        {
            return Err(format!("byte {} of the stream differs", self.bytes + at));
        }
        self.bytes += piece.len();
        self.came_back_early |= sent < PIECES;
        Ok(())
    }

    fn finish(&self) -> Result<(), String> {
        match self.bytes {
            bytes if bytes != PIECES * PIECE_BYTES => Err(format!(
                "{bytes} bytes came back of {}",
                PIECES * PIECE_BYTES
            )),
            _ if !self.came_back_early => {
                Err("nothing came back before all was sent: not streamed".to_owned())
            }
            _ => Ok(()),
        }
    }
}

// Two bodies of different seeds differ, and so do two pieces of one body.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low byte is the pattern"
)]
fn pattern(seed: usize, at: usize) -> u8 {
    (seed.wrapping_mul(131) ^ at.wrapping_mul(31) ^ (at >> 8)) as u8
}

fn pieces(
    seed: usize,
    sent: Arc<AtomicUsize>,
) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((0, sent), move |(piece, sent)| async move {
        if piece == PIECES {
            return None;
        }
        if piece > 0 {
            tokio::time::sleep(PIECE_PAUSE).await;
        }
        sent.store(piece + 1, Ordering::Relaxed);
        let from = piece * PIECE_BYTES;
        let bytes: Bytes = (from..from + PIECE_BYTES)
            .map(|at| pattern(seed, at))
            .collect();
        Some((Ok(bytes), (piece + 1, sent)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(seed: usize) -> Vec<u8> {
        (0..PIECES * PIECE_BYTES)
            .map(|at| pattern(seed, at))
            .collect()
    }

    #[test]
    fn a_body_that_comes_back_as_sent_and_early_is_good() {
        let mut compared = Compared {
            seed: 5,
            ..Compared::default()
        };
        for (number, piece) in body(5).chunks(1000).enumerate() {
            assert_eq!(compared.take(piece, number / 8 + 1), Ok(()));
        }
        assert_eq!(compared.finish(), Ok(()));
    }

    #[test]
    fn a_changed_a_missing_and_a_held_back_body_are_told_apart() {
        let mut changed = Compared {
            seed: 5,
            ..Compared::default()
        };
        assert_eq!(
            changed.take(&body(6), 1),
            Err("byte 0 of the stream differs".to_owned())
        );
        let mut short = Compared {
            seed: 5,
            ..Compared::default()
        };
        assert_eq!(short.take(&body(5)[..100], 1), Ok(()));
        assert!(short.finish().is_err_and(|text| text.contains("100 bytes")));
        let mut held_back = Compared {
            seed: 5,
            ..Compared::default()
        };
        assert_eq!(held_back.take(&body(5), PIECES), Ok(()));
        assert!(
            held_back
                .finish()
                .is_err_and(|text| text.contains("not streamed"))
        );
    }
}
