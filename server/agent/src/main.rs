//! `ebbtide-agent`: reads its configuration, puts the rules up, says that it is ready, answers until it is ended.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ebbtide_agent::check::check;
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
    #[arg(long, default_value = "/etc/ebbtide-agent.toml", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the session endpoint (the default).
    Run,
    /// Say what can be guaranteed on this machine and what cannot; fails if something is missing.
    Check,
    /// Ask the running agent for its report.
    Status,
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let Arguments { config, command } = Arguments::parse();
    let config = match Config::of_file(&config) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{}:\n{error}", config.display());
            return ExitCode::FAILURE;
        }
    };
    let outcome = match command.unwrap_or(Command::Run) {
        Command::Run => run(config).await,
        Command::Check => Ok(report(&config).await),
        Command::Status => status(&config).await,
    };
    outcome.unwrap_or_else(|error| {
        tracing::error!("{error}");
        ExitCode::FAILURE
    })
}

async fn run(config: Config) -> Outcome {
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
    agent.serve(listener, ended).await?;
    Ok(ExitCode::SUCCESS)
}

async fn report(config: &Config) -> ExitCode {
    let findings = check(config).await;
    for finding in &findings {
        println!("{finding}");
    }
    if findings.iter().all(|finding| finding.found.is_ok()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn status(config: &Config) -> Outcome {
    let mut agent = config.listen;
    if agent.ip().is_unspecified() {
        agent = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), agent.port());
    }
    let client = reqwest::Client::builder().no_proxy().build()?;
    let answer = client.get(format!("http://{agent}/metrics")).send().await?;
    let succeeded = answer.status().is_success();
    let text = answer.text().await?;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        println!("{}", line.trim_start_matches("ebbtide_agent_"));
    }
    let known = succeeded && text.contains("ebbtide_agent_known 1");
    Ok(if known {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
