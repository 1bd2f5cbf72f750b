//! The Lambda launch-green: wiring.

use std::sync::Arc;

use ebbtide_aws::{Clients, Cloud, Stack};
use ebbtide_runtime::{Error, Variables, serve, start_logging};
use jiff::Timestamp;
use launch_green::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logging();
    let mut variables = Variables::of_process();
    let stack = Stack::read(|name| variables.required(name));
    variables.finish()?;
    let cloud = Arc::new(Cloud::new(Clients::connect().await, stack));
    serve(move |payload| {
        let cloud = Arc::clone(&cloud);
        async move { handle(&cloud, payload, Timestamp::now()).await }
    })
    .await
}
