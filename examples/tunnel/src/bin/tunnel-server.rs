//! The tunnel server as a program: reads its options, starts, and runs until a signal.
//!
//! SIGTERM and Ctrl-C end it at once, with whatever it holds: emptying a server is Ebbtide's work, and waiting here
//! would only hide that somebody skipped it.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tunnel::server::{Options, Server};

/// Gives private applications a public path through WebSocket tunnels
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let instance = arguments.options.instance.clone();
    let (mut terminate, server) = match (
        signal(SignalKind::terminate()),
        Server::start(arguments.options).await,
    ) {
        (Ok(terminate), Ok(server)) => (terminate, server),
        (Err(error), _) => return failed(&error),
        (_, Err(error)) => return failed(&error),
    };
    tracing::info!(instance, public = %server.public, private = %server.private, "serving");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    ExitCode::SUCCESS
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    tracing::error!("{error}");
    ExitCode::FAILURE
}
