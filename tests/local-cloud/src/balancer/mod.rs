//! The load balancer: a small proxy of HTTP or TCP that follows the weights of its listeners and rules, and the targets' health.
//!
//! moto tells it of every change at once, and the caller of ModifyListener is not answered before it knows: how late it
//! follows new weights is set here and never depends on how busy the machine is.
//!
//! As an Application Load Balancer does, it routes plain HTTP per request and pins only upgraded connections. Refuses to
//! know sessions. What it does not imitate: failing open, stickiness, closing the connections of deregistered targets, and
//! the conditions of a rule, which has a port of its own here as every listener has.

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
    /// What it stands for.
    pub frontends: Vec<Frontend>,
    /// What it passes on.
    pub passes: Passes,
    /// How long after a change of weights it goes on by those of before: 75 s and 120 s were measured on AWS. Health it
    /// follows at once.
    pub follows_after: Duration,
    /// When a connection on which nothing moves is closed. An ALB's default is 60 s, its most 4000 s.
    pub idle_timeout: Duration,
}

/// What a load balancer passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passes {
    /// HTTP, request by request, as an Application Load Balancer does.
    Http,
    /// TCP, connection by connection, as a Network Load Balancer does, here with connections of its own to the targets.
    Tcp,
}

/// Where the clients of a listener, or those whom a rule is for, connect.
#[derive(Clone, Debug)]
pub struct Frontend {
    /// The listener's or the rule's ARN.
    pub arn: String,
    /// The port on 127.0.0.1.
    pub port: u16,
}

/// A running load balancer. Dropping it closes every connection.
#[derive(Debug)]
pub struct Balancer {
    /// Address and routes of each frontend.
    frontends: Vec<(SocketAddrV4, Arc<Routes>)>,
    stop: CancellationToken,
}

impl Balancer {
    /// Learns from moto where to forward to, then listens: whoever finds it listening finds targets behind it.
    ///
    /// # Errors
    /// If moto does not tell, or a port is taken.
    pub async fn start(settings: Settings) -> Result<Self> {
        let arns = settings.frontends.iter().map(|it| it.arn.clone());
        let routes = || Arc::new(Routes::new(settings.follows_after));
        let routes: Vec<_> = arns.map(|arn| (arn, routes())).collect();
        let feed = feed::Feed::start(settings.routes_port, routes.clone()).await?;
        let mut listening = Vec::new();
        for (frontend, (_, routes)) in settings.frontends.iter().zip(routes) {
            listening.push((listen(frontend.port).await?, routes));
        }
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(feed.follow()));
        let frontends = listening.into_iter().map(|((listener, address), routes)| {
            let proxy = proxy::Proxy::new(routes.clone(), settings.idle_timeout);
            let passes = settings.passes;
            tokio::spawn(proxy::serve(listener, passes, proxy, stop.clone()));
            (address, routes)
        });
        Ok(Self {
            frontends: frontends.collect(),
            stop,
        })
    }

    /// Where clients connect: an address for each frontend, in their order.
    pub fn urls(&self) -> Vec<String> {
        let addresses = self.frontends.iter().map(|(address, _)| address);
        addresses.map(|it| format!("http://{it}")).collect()
    }

    /// From now on, weights are followed this long after they changed, also those that changed before.
    pub fn follow_after(&self, delay: Duration) {
        for (_, routes) in &self.frontends {
            routes.follow_after(delay);
        }
    }

    /// From now on, every other request goes by the weights of before for this much longer after each change of weights:
    /// some of a real load balancer's nodes learn of it later than others.
    pub fn lag(&self, lag: Duration) {
        for (_, routes) in &self.frontends {
            routes.lag(lag);
        }
    }
}

async fn listen(port: u16) -> Result<(TcpListener, SocketAddrV4)> {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| Error::Io {
        what: format!("the load balancer cannot listen on {address}"),
        source,
    })?;
    Ok((listener, address))
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests;
