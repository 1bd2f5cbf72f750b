//! `watch --page`: the same view as a page on 127.0.0.1, live by server-sent events.
//!
//! It only reads: there is no way to wish anything by HTTP. Whoever asks by another name than that of this machine is
//! refused, or any web page could read it by way of its visitor's browser (DNS rebinding).

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use futures_util::Stream;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::aws::Aws;
use crate::failed::Failed;
use crate::looks::{Back, Looks};
use crate::print;

/// Nothing is loaded but what is in the page, and nothing is asked but this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What a page is told: a view as JSON, or why there is none.
#[derive(Debug, Clone)]
enum Said {
    Nothing,
    View(String),
    Trouble(String),
}

/// Serves the page until the process ends.
///
/// # Errors
/// When the port is taken.
pub(crate) async fn serve(aws: Aws, every: Duration, port: Option<u16>) -> Result<(), Failed> {
    let unfit =
        |error: std::io::Error| Failed::Usage(format!("the page cannot be served: {error}"));
    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).await;
    let listener = listener.map_err(unfit)?;
    let port = listener.local_addr().map_err(unfit)?.port();
    let (say, said) = watch::channel(Said::Nothing);
    print::line(&format!(
        "http://127.0.0.1:{port}/ (Ctrl-C ends it; it only reads)"
    ));
    tokio::select! {
        served = axum::serve(listener, router(said, port)).into_future() => served.map_err(unfit),
        () = look(aws, every, say) => Ok(()),
    }
}

fn router(said: watch::Receiver<Said>, port: u16) -> Router {
    Router::new()
        .route("/", get(|| async { Html(html()) }))
        .route("/events", get(events))
        .with_state(said)
        .layer(from_fn_with_state(port, admit))
}

/// The page, with style and script in it.
fn html() -> String {
    include_str!("page/page.html")
        .replace("{{style}}", include_str!("page/page.css"))
        .replace("{{script}}", include_str!("page/page.js"))
}

/// Refuses whoever calls this machine by another name, and says what the page may do.
async fn admit(State(port): State<u16>, request: Request, next: Next) -> Response {
    if !is_here(request.headers(), port) {
        return (
            StatusCode::FORBIDDEN,
            "asked by another name than 127.0.0.1 or localhost\n",
        )
            .into_response();
    }
    let mut response = next.run(request).await;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, header::HeaderValue::from_static(value));
    }
    response
}

fn is_here(headers: &HeaderMap, port: u16) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let names = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{port}"));
    hosts.next().is_none() && host.is_some_and(|host| names.iter().any(|name| name == host))
}

/// Each view as it comes; whoever comes late gets the last one at once.
async fn events(
    State(mut said): State<watch::Receiver<Said>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    said.mark_changed();
    let events = futures_util::stream::unfold(said, |mut said| async move {
        loop {
            said.changed().await.ok()?;
            let event = match &*said.borrow_and_update() {
                Said::Nothing => continue,
                Said::View(json) => Event::default().event("view").data(json),
                Said::Trouble(text) => Event::default().event("trouble").data(text),
            };
            return Some((Ok(event), said));
        }
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn look(aws: Aws, every: Duration, say: watch::Sender<Said>) {
    let mut looks = Looks::new(aws, Back::Far);
    loop {
        let said = match looks.look().await {
            Ok(view) => serde_json::to_string(&view)
                .map_or_else(|error| Said::Trouble(error.to_string()), Said::View),
            // One line: a line's end would end the event.
            Err(failed) => Said::Trouble(failed.to_string().replace(['\r', '\n'], " ")),
        };
        say.send_replace(said);
        tokio::time::sleep(every).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(hosts: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_who_asks_for_this_machine_by_its_name_is_admitted() {
        for host in ["127.0.0.1:4000", "localhost:4000"] {
            assert!(is_here(&headers(&[host]), 4000), "{host}");
        }
        for host in [
            "evil.example:4000",
            "127.0.0.1",
            "localhost:80",
            "127.0.0.1:4000.evil.example",
            "[::1]:4000",
            "",
        ] {
            assert!(!is_here(&headers(&[host]), 4000), "{host}");
        }
        assert!(!is_here(&headers(&[]), 4000));
        assert!(!is_here(
            &headers(&["localhost:4000", "evil.example"]),
            4000
        ));
    }

    #[test]
    fn the_page_is_one_file_that_loads_nothing() {
        let html = html();
        assert!(!html.contains("{{"), "a part is missing");
        for outside in [
            "src=",
            "@import",
            "url(",
            "//cdn",
            "<link rel=\"stylesheet\"",
        ] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
