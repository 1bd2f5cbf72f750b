//! The Lambda check-drained: wiring.

use check_drained::handle;
use ebbtide_runtime::{Error, run};
use ebbtide_sessions::{Endpoint, SessionClient};
use jiff::Timestamp;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(
        |variables| {
            let (endpoint, errors) = Endpoint::of_variables(|name| variables.optional(name));
            variables.refuse(errors);
            endpoint
        },
        async |endpoint| Ok(SessionClient::new(endpoint)?),
        async |client, invocation| handle(client, Timestamp::now, invocation).await,
    )
    .await
}
