//! The Lambda keep-record: wiring.

use ebbtide_aws::Ledger;
use ebbtide_runtime::{Error, run};
use jiff::Timestamp;
use keep_record::{handle, tell};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(
        |variables| {
            let table = variables.required("EBBTIDE_TABLE");
            (table, variables.required("EBBTIDE_SERVICE"))
        },
        async |(table, service)| Ok(Ledger::connect(table, service).await),
        async |ledger, invocation| handle(ledger, Timestamp::now(), invocation, tell).await,
    )
    .await
}
