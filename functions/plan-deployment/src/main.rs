//! The Lambda plan-deployment: wiring.

use std::sync::Arc;

use ebbtide_aws::{Clients, Cloud, Stack};
use ebbtide_rules::settings::Defaults;
use ebbtide_runtime::{Error, Variables, serve, start_logging};
use plan_deployment::{Settings, handle};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logging();
    let mut variables = Variables::of_process();
    let stack = Stack::read(|name| variables.required(name));
    let settings = settings(&mut variables);
    variables.finish()?;
    let shared = Arc::new((Cloud::new(Clients::connect().await, stack), settings));
    serve(move |payload| {
        let shared = Arc::clone(&shared);
        async move { handle(&shared.0, &shared.1, payload).await }
    })
    .await
}

/// The stack's settings; what is wrong with them is noted with the other variables.
fn settings(variables: &mut Variables) -> Settings {
    let target_groups = Settings::target_groups(&variables.list("EBBTIDE_TARGET_GROUPS"));
    let defaults = Defaults::parse(|name| Some(variables.optional(name)));
    let settings = Settings {
        target_groups: target_groups.clone().unwrap_or_default(),
        launch_template: variables.required("EBBTIDE_LAUNCH_TEMPLATE"),
        subnets: variables.list("EBBTIDE_SUBNETS"),
        defaults: defaults.clone().unwrap_or_default(),
    };
    variables.refuse(target_groups.err());
    variables.refuse(defaults.err().unwrap_or_default());
    settings
}
