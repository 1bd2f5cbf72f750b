//! The Lambda guard-stack: wiring.

use ebbtide_aws::Table;
use ebbtide_runtime::{Error, run};
use guard_stack::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(
        |variables| variables.required("EBBTIDE_TABLE"),
        async |table| Ok(Table::connect(table).await),
        async |table, request| handle(table, request).await,
    )
    .await
}
