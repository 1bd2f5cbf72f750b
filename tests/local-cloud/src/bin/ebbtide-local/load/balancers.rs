//! The load balancer's processes, each with its share of the tunnels.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ebbtide_local_cloud::program::Program;
use ebbtide_local_cloud::wait::{Seen, until};
use ebbtide_local_cloud::{Error, LocalCloud, Result, ports};
use tokio::net::TcpStream;
use tokio::process::Child;

const LISTENS_WITHIN: Duration = Duration::from_secs(30);

/// The processes; dropping it ends them.
#[derive(Debug)]
pub(super) struct Balancers {
    listeners: Vec<String>,
    _processes: Vec<Child>,
}

impl Balancers {
    /// Starts `count` of them and waits until all listen. A connection on which nothing moves for `idle` is closed.
    pub(super) async fn start(cloud: &LocalCloud, count: usize, idle: Duration) -> Result<Self> {
        let (mut listeners, mut processes) = (Vec::new(), Vec::new());
        for number in 1..=count {
            let port = ports::free()?;
            processes.push(program(cloud, number, port, idle)?.start()?);
            let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
            let what = format!("load balancer {number} to listen on {address}");
            until(&what, LISTENS_WITHIN, || async {
                Ok(match TcpStream::connect(address).await {
                    Ok(_) => Seen::Done(()),
                    Err(error) => Seen::NotYet(error.to_string()),
                })
            })
            .await?;
            listeners.push(format!("http://{address}"));
        }
        Ok(Self {
            listeners,
            _processes: processes,
        })
    }

    /// Their URLs.
    pub(super) fn listeners(&self) -> &[String] {
        &self.listeners
    }
}

fn program(cloud: &LocalCloud, number: usize, port: u16, idle: Duration) -> Result<Program> {
    let this = std::env::current_exe().map_err(|source| Error::Io {
        what: "cannot find this program".to_owned(),
        source,
    })?;
    let emulators = cloud.emulators()?;
    let what = format!("load-balancer-{number}");
    Ok(Program::new(&what, this, cloud.directory())
        .arg("balance")
        .args(["--routes-port", &emulators.routes_port.to_string()])
        .args(["--listener-arn", &cloud.world().listener_arn])
        .args(["--port", &port.to_string()])
        .args(["--idle-seconds", &idle.as_secs().to_string()]))
}
