//! Wires the Lambda `drain-idle`.

use drain_idle::{Payload, drain_idle};
use ebbtide_runtime::{Error, Variables, serve, start_logging};
use ebbtide_sessions::{Endpoint, SessionClient};
use jiff::Timestamp;

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logging();
    let mut variables = Variables::of_process();
    let (endpoint, errors) = Endpoint::of_variables(|name| variables.optional(name));
    variables.refuse(errors);
    variables.finish()?;
    let client = SessionClient::new(endpoint)?;
    serve(move |payload: Payload| {
        let client = client.clone();
        async move { drain_idle(&client, Timestamp::now, payload).await }
    })
    .await
}
