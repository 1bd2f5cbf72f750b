//! The load balancer: a small HTTP proxy that follows the listener's weights and the targets' health.
//!
//! moto tells it of every change at once, and the caller of ModifyListener is not answered before it knows: how late it
//! follows new weights is set here and never depends on how busy the machine is.
//!
//! As an Application Load Balancer does, it routes plain HTTP per request and pins only upgraded connections. Refuses to
//! know sessions. What it does not imitate: failing open, stickiness, listener rules, closing the connections of
//! deregistered targets.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

mod copying;
mod feed;
mod proxy;
mod routing;

use routing::Routes;

/// How late new weights are followed unless a test says otherwise: a load balancer that is quick, and not at once.
pub const FOLLOWS_AFTER: Duration = Duration::from_millis(500);

/// How the balancer behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where moto tells of changes: see [`crate::emulators::Emulators::routes_port`].
    pub routes_port: u16,
    /// The listener that it stands for.
    pub listener_arn: String,
    /// How long after a change of weights it goes on by those of before: 75 s and 120 s were measured on AWS. Health it
    /// follows at once.
    pub follows_after: Duration,
    /// When a connection on which nothing moves is closed. An ALB's default is 60 s, its most 4000 s.
    pub idle_timeout: Duration,
}

/// A running load balancer. Dropping it closes every connection.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddrV4,
    routes: Arc<Routes>,
    stop: CancellationToken,
}

impl Balancer {
    /// Learns from moto where to forward to, then listens on 127.0.0.1:`port`: whoever finds it listening finds targets
    /// behind it.
    ///
    /// # Errors
    /// If moto does not tell, or the port is taken.
    pub async fn start(port: u16, settings: Settings) -> Result<Self> {
        let routes = Arc::new(Routes::new(settings.follows_after));
        let feed = feed::Feed::start(&settings, routes.clone()).await?;
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| Error::Io {
                what: format!("the load balancer cannot listen on {address}"),
                source,
            })?;
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(feed.follow()));
        tokio::spawn(proxy::serve(
            listener,
            proxy::Proxy::new(routes.clone(), settings.idle_timeout),
            stop.clone(),
        ));
        Ok(Self {
            address,
            routes,
            stop,
        })
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, weights are followed this long after they changed, also those that changed before.
    pub fn follow_after(&self, delay: Duration) {
        self.routes.follow_after(delay);
    }

    /// From now on, every other request goes by the weights of before for this much longer after each change of weights:
    /// some of a real load balancer's nodes learn of it later than others.
    pub fn lag(&self, lag: Duration) {
        self.routes.lag(lag);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests;
