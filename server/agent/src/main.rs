//! `ebbtide-agent`: reads its configuration, puts the rules up, says that it is ready, answers until it is ended.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ebbtide_agent::config::Config;
use ebbtide_agent::serve::Agent;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The session endpoint for a TCP server that nobody changes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration, in TOML.
    #[arg(long, default_value = "/etc/ebbtide-agent.toml")]
    config: PathBuf,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::of_file(&arguments.config)?;
    let listener = TcpListener::bind(config.listen).await?;
    let agent = Agent::start(config).await?;
    let mut terminated = signal(SignalKind::terminate())?;
    // The server may start: its unit comes after this one. No systemd is no error.
    sd_notify::notify(&[NotifyState::Ready])?;
    let ended = async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    Ok(agent.serve(listener, ended).await?)
}
