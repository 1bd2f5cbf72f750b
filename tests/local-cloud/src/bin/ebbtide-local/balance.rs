//! `ebbtide-local balance`: one more process of a local cloud's load balancer.
//!
//! A load balancer holds two files for every tunnel, and one process may open only so many: `load` starts several of these,
//! as AWS starts nodes. Each watches the same listener by itself.

use std::process::ExitCode;
use std::time::Duration;

use ebbtide_local_cloud::Result;
use ebbtide_local_cloud::balancer::{Balancer, FOLLOWS_AFTER, Frontend, Passes, Settings};

/// What it balances.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where moto tells of changes, on 127.0.0.1
    #[arg(long)]
    pub(crate) routes_port: u16,
    /// The listener's ARN
    #[arg(long)]
    pub(crate) listener_arn: String,
    /// Where to listen, on 127.0.0.1
    #[arg(long)]
    pub(crate) port: u16,
    /// When a connection on which nothing moves is closed, in seconds
    #[arg(long)]
    pub(crate) idle_seconds: u64,
}

/// Balances until it is killed.
pub(crate) async fn balance(arguments: Arguments) -> Result<ExitCode> {
    let settings = Settings {
        routes_port: arguments.routes_port,
        passes: Passes::Http,
        frontends: vec![Frontend {
            arn: arguments.listener_arn,
            port: arguments.port,
        }],
        follows_after: FOLLOWS_AFTER,
        idle_timeout: Duration::from_secs(arguments.idle_seconds),
    };
    let _balancer = Balancer::start(settings).await?;
    std::future::pending().await
}
