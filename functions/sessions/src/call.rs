//! One bounded HTTP call: what time, size and retries it may take, and what becomes of its failures.

use std::error::Error;
use std::io;
use std::time::Duration;

use ebbtide_rules::report::UnknownReason;
use ebbtide_signature::{Answer, Key};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect, retry};

use crate::signing::Sent;

/// The largest body that is read.
pub(crate) const MOST_BYTES: usize = 64 * 1024;

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For the connection.
    pub connect: Duration,
    /// For everything: the retry and the last byte of the body included.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            total: Duration::from_secs(3),
        }
    }
}

/// The HTTP client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be built: {0}")]
pub struct NoClient(#[from] reqwest::Error);

/// Makes bounded calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) http: Client,
    pub(crate) total: Duration,
}

/// A status and, where it was wanted, a body.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

/// Whether a body is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Read,
    Ignore,
}

impl Caller {
    pub(crate) fn new(limits: Limits) -> Result<Self, NoClient> {
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .retry(retry::never())
            .connect_timeout(limits.connect)
            // A Lambda is frozen between invocations: a connection kept from the last one is dead.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self {
            http,
            total: limits.total,
        })
    }

    /// Makes the call, signed with each of these keys, once more if the transport failed or the server answered 5xx, all within the total limit.
    pub(crate) async fn call(
        &self,
        request: impl Fn() -> RequestBuilder,
        body: Body,
        keys: &[Key],
    ) -> Result<Answered, UnknownReason> {
        let calls = async {
            let first = self.attempt(request(), body, keys).await;
            if is_worth_a_retry(&first) {
                self.attempt(request(), body, keys).await
            } else {
                first
            }
        };
        match tokio::time::timeout(self.total, calls).await {
            Ok(answered) => answered,
            Err(_) => Err(UnknownReason::TimedOut),
        }
    }

    /// With keys, what is sent is signed anew each time, and an answer that anything follows from has to be signed too.
    async fn attempt(
        &self,
        request: RequestBuilder,
        body: Body,
        keys: &[Key],
    ) -> Result<Answered, UnknownReason> {
        let mut request = request.build().map_err(|error| reason(&error))?;
        let sent = Sent::sign(&mut request, keys);
        let answer = self.http.execute(request).await;
        let mut response = answer.map_err(|error| reason(&error))?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let body = match body {
            Body::Read => read(response).await?,
            Body::Ignore => Vec::new(),
        };
        if let Some(sent) = sent {
            let answer = Answer {
                status,
                body: &body,
            };
            sent.verify(&answer, &headers, keys)?;
        }
        Ok(Answered { status, body })
    }
}

/// Reads piece by piece: a length that the server announces is not believed.
async fn read(mut response: Response) -> Result<Vec<u8>, UnknownReason> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| reason(&error))? {
        if body.len() + piece.len() > MOST_BYTES {
            return Err(UnknownReason::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn is_worth_a_retry(answered: &Result<Answered, UnknownReason>) -> bool {
    match answered {
        Ok(answered) => answered.status.is_server_error(),
        Err(reason) => matches!(
            reason,
            UnknownReason::Refused
                | UnknownReason::Unreachable
                | UnknownReason::Unresolved
                | UnknownReason::TimedOut
                | UnknownReason::Broken
        ),
    }
}

/// A kind, never the error's own text: that holds the URL, and what a server made it say.
pub(crate) fn reason(error: &reqwest::Error) -> UnknownReason {
    if error.is_timeout() {
        UnknownReason::TimedOut
    } else if !error.is_connect() {
        UnknownReason::Broken
    } else {
        no_connection(error)
    }
}

/// Why no connection came about. A name that is not resolved has no type of its own to be known by, so a test holds its words.
fn no_connection(error: &reqwest::Error) -> UnknownReason {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    for cause in causes {
        let io = cause.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
            return UnknownReason::Refused;
        }
        match io.and_then(of_tls) {
            Some(rustls::Error::InvalidCertificate(_)) => return UnknownReason::Untrusted,
            Some(_) => return UnknownReason::NoTls,
            None if cause.to_string() == "dns error" => return UnknownReason::Unresolved,
            None => {}
        }
    }
    UnknownReason::Unreachable
}

/// What TLS says, which comes wrapped in an error of input and output, or in two.
fn of_tls(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    let wrapped = || inner.downcast_ref().and_then(of_tls);
    inner.downcast_ref().or_else(wrapped)
}
