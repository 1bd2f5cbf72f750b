//! The Lambda test-green: wiring.

use ebbtide_runtime::{Error, run};
use ebbtide_sessions::{Endpoint, SessionClient};
use test_green::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(
        |variables| {
            let (endpoint, errors) = Endpoint::of_variables(|name| variables.optional(name));
            variables.refuse(errors);
            endpoint
        },
        async |endpoint| Ok(SessionClient::new(endpoint)?),
        async |client, invocation| handle(client, invocation).await,
    )
    .await
}
