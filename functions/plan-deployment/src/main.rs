//! The Lambda plan-deployment: wiring.

use ebbtide_aws::{Cloud, Stack};
use ebbtide_runtime::{Error, run};
use plan_deployment::{Payload, handle};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(
        |variables| Stack::read(|name| variables.required(name)),
        async |stack| Ok(Cloud::connect(stack).await),
        async |cloud, payload: Payload| handle(cloud, payload).await,
    )
    .await
}
