//! The Lambda resume-blue: wiring.

use ebbtide_aws::SigningSecret;
use ebbtide_runtime::{Error, run};
use ebbtide_sessions::{Endpoint, SessionClient};
use jiff::Timestamp;
use resume_blue::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(
        |variables| {
            let (endpoint, errors) = Endpoint::of_variables(|name| variables.optional(name));
            variables.refuse(errors);
            (endpoint, variables.optional("EBBTIDE_SIGNING_SECRET"))
        },
        async |(endpoint, secret)| {
            let client = SessionClient::new(endpoint)?;
            Ok((client, SigningSecret::connect(secret).await))
        },
        async |(client, secret), invocation| {
            let client = client.signing(secret.masters().await?);
            handle(&client, Timestamp::now, invocation).await
        },
    )
    .await
}
