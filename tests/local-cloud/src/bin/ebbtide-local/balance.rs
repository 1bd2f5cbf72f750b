//! `ebbtide-local balance`: one more process of a local cloud's load balancer.
//!
//! A load balancer holds two files for every tunnel, and one process may open only so many: `load` starts several of these,
//! as AWS starts nodes. Each watches the same listener by itself.

use std::process::ExitCode;
use std::time::Duration;

use ebbtide_local_cloud::Result;
use ebbtide_local_cloud::balancer::{Balancer, Settings};
use ebbtide_local_cloud::clients::Clients;
use ebbtide_local_cloud::observation::{self, Observation};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What it balances.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// MiniStack's URL
    #[arg(long)]
    pub(crate) ministack: String,
    /// moto's URL
    #[arg(long)]
    pub(crate) moto: String,
    /// The listener's ARN
    #[arg(long)]
    pub(crate) listener_arn: String,
    /// Where to listen, on 127.0.0.1
    #[arg(long)]
    pub(crate) port: u16,
    /// Every target's port
    #[arg(long)]
    pub(crate) service_port: u16,
    /// When a connection on which nothing moves is closed, in seconds
    #[arg(long)]
    pub(crate) idle_seconds: u64,
}

/// Balances until it is killed.
pub(crate) async fn balance(arguments: Arguments) -> Result<ExitCode> {
    let clients = Clients::new(&arguments.ministack, &arguments.moto);
    let (publisher, observed) = watch::channel(Observation::default());
    let settings = Settings {
        service_port: arguments.service_port,
        idle_timeout: Duration::from_secs(arguments.idle_seconds),
    };
    // Seen before it listens: whoever waits for the port finds targets behind it.
    publisher.send_replace(Observation::make(&clients, &arguments.listener_arn).await?);
    let _balancer = Balancer::start(arguments.port, settings, observed).await?;
    let never = CancellationToken::new();
    observation::publish(clients, arguments.listener_arn, publisher, never).await;
    Ok(ExitCode::SUCCESS)
}
