//! `ebbtide`: see a deployment, start one, stop it, approve it.
//!
//! It reads what the service's record and its executions say, and starts executions; what becomes of a wish, keep-record
//! decides. `docs/cli.md` has the exit statuses and the policy that it needs.

mod arguments;
mod aws;
mod command;
mod failed;
mod guide;
mod input;
mod looks;
mod page;
mod print;
mod rows;
mod seen;
mod view;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    let done = Box::pin(command::run(Arguments::parse())).await;
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => failed.report(),
    }
}
