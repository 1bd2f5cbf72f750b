//! The Lambda terminate-blue: wiring.

use ebbtide_aws::{Cloud, Stack};
use ebbtide_runtime::{Error, run};
use jiff::Timestamp;
use terminate_blue::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(
        |variables| Stack::read(|name| variables.required(name)),
        async |stack| Ok(Cloud::connect(stack).await),
        async |cloud, invocation| handle(cloud, Timestamp::now(), invocation).await,
    )
    .await
}
