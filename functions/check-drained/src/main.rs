//! Wires the Lambda `check-drained`.

use check_drained::{Payload, check_drained};
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
        async move { check_drained(&client, Timestamp::now, payload).await }
    })
    .await
}
