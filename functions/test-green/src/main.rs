//! Wires the Lambda `test-green`.

use std::sync::Arc;

use ebbtide_runtime::{Error, Variables, serve, start_logging};
use ebbtide_sessions::{Endpoint, SessionClient, UrlPath};
use test_green::{Pages, Payload, test_green};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logging();
    let mut variables = Variables::of_process();
    let (endpoint, errors) = Endpoint::of_variables(|name| variables.optional(name));
    variables.refuse(errors);
    let pages = Arc::new(pages(&mut variables));
    variables.finish()?;
    let client = SessionClient::new(endpoint)?;
    serve(move |payload: Payload| {
        let (client, pages) = (client.clone(), Arc::clone(&pages));
        async move { test_green(&client, &pages, payload).await }
    })
    .await
}

/// The user's pages; without any, no port is needed.
fn pages(variables: &mut Variables) -> Pages {
    let mut pages = Pages::default();
    for text in variables.list("EBBTIDE_TEST_PATHS") {
        match text.parse::<UrlPath>() {
            Ok(path) => pages.paths.push(path),
            Err(wrong) => variables.refuse([format!("EBBTIDE_TEST_PATHS: {wrong}")]),
        }
    }
    if !pages.paths.is_empty() {
        pages.port = variables.parsed("EBBTIDE_TEST_PORT", "a port number");
    }
    pages
}
