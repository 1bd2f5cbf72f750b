//! keep-record of a version to come: it writes records of the next shape, and knows nothing else that is new.
//!
//! For the scenario that updates the stack in the middle of a deployment.

use ebbtide_aws::Ledger;
use ebbtide_rules::record::SHAPE;
use ebbtide_runtime::{Error, run};
use jiff::Timestamp;
use keep_record::{handle_in, tell};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(
        |variables| {
            let table = variables.required("EBBTIDE_TABLE");
            (table, variables.required("EBBTIDE_SERVICE"))
        },
        async |(table, service)| Ok(Ledger::connect(table, service).await),
        async |ledger, invocation| {
            // A record and a document make it large.
            let shape = SHAPE + 1;
            Box::pin(handle_in(shape, ledger, Timestamp::now(), invocation, tell)).await
        },
    )
    .await
}
