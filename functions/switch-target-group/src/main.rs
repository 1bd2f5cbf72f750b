//! The Lambda switch-target-group: wiring.

use ebbtide_aws::{Cloud, Stack};
use ebbtide_runtime::{Error, run};
use jiff::Timestamp;
use switch_target_group::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(
        |variables| Stack::read(|name| variables.required(name)),
        async |stack| Ok(Cloud::connect(stack).await),
        async |cloud, invocation| Box::pin(handle(cloud, Timestamp::now, invocation)).await,
    )
    .await
}
