//! Wires the Lambda `resume-blue`.

use ebbtide_runtime::{Error, Variables, serve, start_logging};
use ebbtide_sessions::{Endpoint, SessionClient, UrlPath};
use jiff::Timestamp;
use resume_blue::{Payload, resume_blue};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logging();
    let mut variables = Variables::of_process();
    let endpoint = Endpoint {
        port: variables.parsed("EBBTIDE_SESSION_PORT", "a port number"),
        path: variables.parsed_or(
            "EBBTIDE_SESSION_PATH",
            "a path such as /sessions",
            UrlPath::default(),
        ),
    };
    variables.finish()?;
    let client = SessionClient::new(endpoint)?;
    serve(move |payload: Payload| {
        let client = client.clone();
        async move { resume_blue(&client, Timestamp::now, payload).await }
    })
    .await
}
