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
use failed::Failed;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let interrupted = async {
        // Where no signal can be waited for there is none.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let done = tokio::select! {
        done = Box::pin(command::run(arguments)) => done,
        () = interrupted => Err(Failed::Interrupted),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => failed.report(),
    }
}
