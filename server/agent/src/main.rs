//! `ebbtide-agent`: a helper with capabilities, and below it the process without any that puts the rules up by its help, says
//! that it is ready, and answers until it is ended.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use clap::{Parser, Subcommand};
use ebbtide_agent::check::check;
use ebbtide_agent::config::{BadConfig, Config};
use ebbtide_agent::orders::Orders;
use ebbtide_agent::serve::Agent;
use ebbtide_agent::split::{self, NotSplit};
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
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
    /// The process without capabilities that the agent starts.
    #[command(hide = true)]
    Listen,
    /// Say what can be guaranteed on this machine and what cannot; fails if something is missing.
    Check,
    /// Ask the running agent for its report.
    Status,
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let outcome = match command.unwrap_or(Command::Run) {
        Command::Run => run(&config),
        // Before there are threads: each has capabilities of its own.
        Command::Listen => split::listener()
            .map_err(Into::into)
            .and_then(|(config, orders)| runtime()?.block_on(listen(config, orders))),
        Command::Check => told(&config, |config| Ok(runtime()?.block_on(report(config)))),
        Command::Status => told(&config, |config| runtime()?.block_on(status(config))),
    };
    outcome.unwrap_or_else(|error| {
        tracing::error!("{error}");
        ExitCode::FAILURE
    })
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

/// Whoever reads a terminal is told what is wrong with the configuration line by line.
fn told(path: &Path, then: impl FnOnce(&Config) -> Outcome) -> Outcome {
    match Config::of_file(path) {
        Ok(config) => then(&config),
        Err(error) => Ok(wrong(path, &error)),
    }
}

fn wrong(path: &Path, error: &BadConfig) -> ExitCode {
    eprintln!("{}:\n{error}", path.display());
    ExitCode::FAILURE
}

/// This process stays the helper; the one that listens is this program again.
fn run(config: &Path) -> Outcome {
    let mut listener = process::Command::new("/proc/self/exe");
    listener.arg0("ebbtide-agent").arg("listen");
    match split::helper(config, listener) {
        Err(NotSplit::Config(error)) => Ok(wrong(config, &error)),
        ended => Ok(ended?),
    }
}

async fn listen(config: Config, orders: Orders) -> Outcome {
    let listener = TcpListener::bind(config.listen).await?;
    let agent = Agent::start(config, orders).await?;
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
