//! Learns from moto where to forward to, at the moment that changes: see `python/routes.py`.
//!
//! Owns the connection to moto and its answers. An answer says that the change is known, not that it is followed: when
//! that is, [`Routes`] decides, counted from the moment at which moto changed.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::routing::{Group, Routes};
use crate::error::{Error, Result};

const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// What moto tells: the groups of every listener and every rule, in the order of its forward action.
#[derive(Debug, Deserialize)]
struct Told {
    /// When it came to be so, in seconds since 1970.
    at: f64,
    forwards: HashMap<String, Vec<Group>>,
}

impl Told {
    /// The same moment by this process's clock.
    fn at(&self) -> Instant {
        let now = Instant::now();
        let at = Duration::try_from_secs_f64(self.at).unwrap_or_default();
        let age = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH + at)
            .unwrap_or_default();
        now.checked_sub(age).unwrap_or(now)
    }
}

/// Moto, and what is learned from it.
pub(super) struct Feed {
    moto: BufReader<TcpStream>,
    port: u16,
    /// By the ARN of the listener or rule that they are for.
    routes: Vec<(String, Arc<Routes>)>,
}

impl Feed {
    /// Connects, and returns when the routes are known.
    pub(super) async fn start(port: u16, routes: Vec<(String, Arc<Routes>)>) -> Result<Self> {
        let broken = |source| Error::Io {
            what: format!("moto does not say on port {port} where to forward to"),
            source,
        };
        let mut feed = Self {
            moto: connect(port).await.map_err(broken)?,
            port,
            routes,
        };
        feed.learn().await.map_err(broken)?;
        Ok(feed)
    }

    /// Learns for ever. While moto cannot be reached, the routes stay as they are.
    pub(super) async fn follow(mut self) {
        loop {
            if let Err(error) = self.learn().await {
                tracing::warn!(%error, "moto says no more where to forward to");
                self.moto = loop {
                    tokio::time::sleep(AGAIN_AFTER).await;
                    if let Ok(moto) = connect(self.port).await {
                        break moto;
                    }
                };
            }
        }
    }

    async fn learn(&mut self) -> std::io::Result<()> {
        let mut line = String::new();
        if self.moto.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let mut told: Told = serde_json::from_str(&line)?;
        for (arn, routes) in &self.routes {
            let groups = told.forwards.remove(arn).unwrap_or_default();
            routes.told(groups, told.at());
        }
        self.moto.get_mut().write_all(b"\n").await
    }
}

async fn connect(port: u16) -> std::io::Result<BufReader<TcpStream>> {
    let moto = TcpStream::connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).await?;
    moto.set_nodelay(true)?;
    Ok(BufReader::new(moto))
}
