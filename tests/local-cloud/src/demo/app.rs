//! The customer's private application behind each tunnel, in this process: it waits, or it sends back what it gets.
//!
//! Owns the two paths that [`super::load`] asks for. Every answer names the tunnel whose application gave it, so that a
//! caller notices a request that went to somebody else's.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Body;
use hyper::service::Service;

/// Response header that carries the tunnel's name.
pub(super) const APPLICATION: &str = "application";

/// Longest wait that a caller may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// One customer's application.
#[derive(Clone, Debug)]
pub(super) struct App {
    name: Arc<str>,
}

impl App {
    /// The application behind the tunnel of this name.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into() }
    }
}

/// What a request's path asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    /// `/wait/{milliseconds}/{word}`: answers the word after that time.
    Wait(Duration, &'a str),
    /// `/echo`: streams the request's body back as it arrives.
    Echo,
    /// Nothing this application has.
    Nothing,
}

fn asked(path: &str) -> Asked<'_> {
    let mut parts = path.trim_start_matches('/').splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("wait"), Some(millis), Some(word)) => match millis.parse().map(Duration::from_millis)
        {
            Ok(wait) if wait <= LONGEST_WAIT => Asked::Wait(wait, word),
            _ => Asked::Nothing,
        },
        (Some("echo"), None, None) => Asked::Echo,
        _ => Asked::Nothing,
    }
}

impl<B> Service<Request<B>> for App
where
    B: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Either<Full<Bytes>, B>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let name = HeaderValue::from_str(&self.name).unwrap_or(HeaderValue::from_static(""));
        Box::pin(async move {
            let mut response = match asked(request.uri().path()) {
                Asked::Wait(wait, word) => {
                    let word = Bytes::copy_from_slice(word.as_bytes());
                    tokio::time::sleep(wait).await;
                    Response::new(Either::Left(Full::new(word)))
                }
                Asked::Echo => Response::new(Either::Right(request.into_body())),
                Asked::Nothing => {
                    let mut response = Response::new(Either::Left(Full::new(Bytes::new())));
                    *response.status_mut() = StatusCode::NOT_FOUND;
                    response
                }
            };
            response.headers_mut().insert(APPLICATION, name);
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn answer(path: &str, body: &'static str) -> (StatusCode, String, Bytes) {
        let request = Request::builder()
            .uri(path)
            .body(Full::new(Bytes::from_static(body.as_bytes())));
        let response = App::new("t-7")
            .call(request.expect("a request"))
            .await
            .expect("an answer");
        let status = response.status();
        let name = response.headers()[APPLICATION]
            .to_str()
            .expect("a name")
            .to_owned();
        (
            status,
            name,
            response
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes(),
        )
    }

    #[tokio::test]
    async fn it_answers_the_word_it_was_asked_for_and_says_who_it_is() {
        let (status, name, body) = answer("/wait/1/hello", "").await;
        assert_eq!(
            (status, name.as_str(), body.as_ref()),
            (StatusCode::OK, "t-7", b"hello".as_slice())
        );
    }

    #[tokio::test]
    async fn it_sends_back_what_it_gets() {
        let (status, _, body) = answer("/echo", "some bytes").await;
        assert_eq!(
            (status, body.as_ref()),
            (StatusCode::OK, b"some bytes".as_slice())
        );
    }

    #[tokio::test]
    async fn anything_else_is_not_found() {
        for path in [
            "/",
            "/wait/soon/x",
            "/wait/1",
            "/wait/999999999/x",
            "/echo/more",
        ] {
            assert_eq!(answer(path, "").await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
