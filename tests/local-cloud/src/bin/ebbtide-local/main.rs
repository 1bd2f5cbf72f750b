//! `ebbtide-local`: the local cloud at the command line. `make up`, `make deployment`, `make down`, `make demo`,
//! `make bench-pacing` and `make load` call it.

mod balance;
mod demo;
mod deployment;
mod down;
mod load;
mod pacing;
mod serve;
mod tunnels;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ebbtide_local_cloud::Result;
use tracing_subscriber::EnvFilter;

/// The local cloud: emulators, real servers and a load balancer on this machine
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start it and keep it up; returns when three blue servers are healthy
    Up,
    /// Run a deployment on it, with the input in the environment variable INPUT, and follow it
    Deployment {
        /// The execution's input, a JSON object
        #[arg(long, env = "INPUT", default_value = "{}")]
        input: String,
    },
    /// End it; fine if it is not up
    Down,
    /// Run one deployment of 300 tunnels at work, on a local cloud of its own, and judge what was seen
    Demo(ebbtide_local_cloud::demo::Arguments),
    /// Measure how evenly green gets thousands of idle tunnels back, on a local cloud of its own
    Pacing(pacing::Arguments),
    /// Run one deployment of thousands of tunnels, many of them busy, on a local cloud of its own
    Load(load::Arguments),
    /// Be one more process of a local cloud's load balancer: what `load` starts
    #[command(hide = true)]
    Balance(balance::Arguments),
    /// Hold it: what `up` starts in the background
    #[command(hide = true)]
    Serve,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,ebbtide_local_cloud=info"));
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::Serve | Command::Balance(_)) {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(std::io::stderr)
            .init();
    }
    match run(arguments.command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ebbtide-local: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Up => up::up().await,
        Command::Deployment { input } => deployment::deployment(&input).await,
        Command::Down => down::down().await,
        Command::Demo(arguments) => demo::demo(arguments).await,
        Command::Pacing(arguments) => pacing::pacing(arguments).await,
        Command::Load(arguments) => load::load(arguments).await,
        Command::Balance(arguments) => balance::balance(arguments).await,
        Command::Serve => serve::serve().await,
    }
}
