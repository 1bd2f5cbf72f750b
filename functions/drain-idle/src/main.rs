//! The Lambda drain-idle: wiring.

use drain_idle::handle;
use ebbtide_aws::SigningSecrets;
use ebbtide_rules::document::Invocation;
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
        async |endpoint| Ok((SessionClient::new(endpoint)?, SigningSecrets::connect())),
        async |(client, secrets), invocation: Invocation| {
            let secret = invocation.document.signing_secret();
            let client = client.signing(secrets.masters(secret).await?);
            handle(&client, Timestamp::now, invocation).await
        },
    )
    .await
}
