//! The Lambda issue-keys: wiring.

use ebbtide_aws::SigningSecrets;
use ebbtide_runtime::{Error, run};
use issue_keys::{Service, handle};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(
        |variables| {
            let secret = variables.required("EBBTIDE_SIGNING_SECRET");
            let role = variables.required("EBBTIDE_INSTANCE_ROLE");
            Service { secret, role }
        },
        async |service| Ok((SigningSecrets::connect(), service)),
        async |(secrets, service), asked| handle(secrets, service, asked).await,
    )
    .await
}
