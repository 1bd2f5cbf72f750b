//! The tunnel client as a program: gives a local HTTP application a public path, until Ctrl-C.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tunnel::client::forwarder::Forwarder;
use tunnel::client::{Event, Options, run};

/// Gives a local HTTP application a public path through a tunnel server
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The server, or the load balancer before it: ws://host:port
    #[arg(long)]
    server: String,
    /// The tunnel's name; the application is then at http://host:port/t/NAME/
    #[arg(long)]
    name: String,
    /// The application: http://127.0.0.1:3000
    #[arg(long)]
    to: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    log();
    let arguments = Arguments::parse();
    let app = match Forwarder::new(&arguments.to) {
        Ok(app) => app,
        Err(error) => {
            tracing::error!("--to: {error}");
            return ExitCode::FAILURE;
        }
    };
    let url = format!(
        "{}/tunnel/{}",
        arguments.server.trim_end_matches('/'),
        arguments.name
    );
    let (events, mut received) = unbounded_channel();
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(
        Options {
            url,
            ..Options::default()
        },
        app,
        events,
        stop.clone(),
    ));
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    while let Some(event) = received.recv().await {
        tell(&event);
    }
    if running.await.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn tell(event: &Event) {
    match event {
        Event::Connected { server } => tracing::info!(server, "connected"),
        Event::Closed {
            code,
            reason,
            in_flight,
        } => tracing::info!(code, reason, in_flight, "closed by the server"),
        Event::Lost { error, in_flight } => tracing::warn!(error, in_flight, "no connection"),
        Event::Reconnecting { after } => tracing::info!(?after, "reconnecting"),
        Event::RequestStarted => tracing::debug!("request started"),
        Event::RequestEnded => tracing::debug!("request ended"),
    }
}

fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
