//! The Lambda ask-service: wiring.

use ask_service::handle;
use ebbtide_rules::document::Invocation;
use ebbtide_runtime::{Error, run};
use ebbtide_sessions::CheckClient;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(
        |_| (),
        async |()| Ok(CheckClient::new()?),
        async |client, invocation: Invocation| handle(client, invocation).await,
    )
    .await
}
