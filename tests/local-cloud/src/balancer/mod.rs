//! The load balancer: a small HTTP proxy that follows the listener's weights and the targets' health.
//!
//! As an Application Load Balancer does, it routes plain HTTP per request and pins only upgraded connections. Refuses to
//! know sessions. What it does not imitate: failing open, stickiness, listener rules, closing the connections of
//! deregistered targets.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::observation::Observation;

mod copying;
mod proxy;
mod routing;

pub use routing::{Group, Routes};

/// How the balancer behaves.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The port of every target.
    pub service_port: u16,
    /// When a connection on which nothing moves is closed. An ALB's default is 60 s, its most 4000 s.
    pub idle_timeout: Duration,
}

/// A running load balancer. Dropping it closes every connection.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddrV4,
    delays: Arc<Delays>,
    stop: CancellationToken,
}

/// How long the balancer goes by weights of before, in milliseconds.
#[derive(Debug, Default)]
struct Delays {
    /// For every request.
    stale: AtomicU64,
    /// For every other request.
    lag: AtomicU64,
}

impl Delays {
    fn set(delay: &AtomicU64, to: Duration) {
        let millis = u64::try_from(to.as_millis()).unwrap_or(u64::MAX);
        delay.store(millis, Ordering::Relaxed);
    }

    fn of(delay: &AtomicU64) -> Duration {
        Duration::from_millis(delay.load(Ordering::Relaxed))
    }
}

impl Balancer {
    /// Listens on 127.0.0.1:`port` and follows what is observed.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(
        port: u16,
        settings: Settings,
        observed: watch::Receiver<Observation>,
    ) -> Result<Self> {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| Error::Io {
                what: format!("the load balancer cannot listen on {address}"),
                source,
            })?;
        let routes = Arc::new(Routes::default());
        let (stop, delays) = (CancellationToken::new(), Arc::new(Delays::default()));
        let follower = follow(
            observed,
            routes.clone(),
            settings.service_port,
            delays.clone(),
        );
        tokio::spawn(stop.clone().run_until_cancelled_owned(follower));
        tokio::spawn(proxy::serve(
            listener,
            proxy::Proxy::new(routes, settings.idle_timeout),
            stop.clone(),
        ));
        Ok(Self {
            address,
            delays,
            stop,
        })
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, each change of weights is followed only after `delay`, as real load balancers do; health is
    /// followed at once. 75 s and 120 s were measured on AWS.
    pub fn follow_weights_after(&self, delay: Duration) {
        Delays::set(&self.delays.stale, delay);
    }

    /// From now on, every other request still goes by the weights of before for this long after each change of weights:
    /// some of a real load balancer's nodes learn of it later than others.
    pub fn lag(&self, lag: Duration) {
        Delays::set(&self.delays.lag, lag);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Weights by target group, in the listener's order.
type Weights = Vec<(String, u32)>;

/// Keeps the routes as they were last observed, with the weights of before while those are to stay stale.
async fn follow(
    mut observed: watch::Receiver<Observation>,
    routes: Arc<Routes>,
    port: u16,
    delays: Arc<Delays>,
) {
    let mut weights = Weights::new();
    let mut changed_at: Option<Instant> = None;
    let mut lagging: Option<(Weights, Instant)> = None;
    loop {
        let groups = groups(&observed.borrow_and_update(), port);
        let wanted = weights_of(&groups);
        let delay = Delays::of(&delays.stale);
        if wanted == weights {
            changed_at = None;
        } else {
            let due = *changed_at.get_or_insert_with(Instant::now) + delay;
            if weights.is_empty() || due <= Instant::now() {
                let before = std::mem::replace(&mut weights, wanted);
                let until = Instant::now() + Delays::of(&delays.lag);
                lagging = (!before.is_empty()).then_some((before, until));
                changed_at = None;
            }
        }
        lagging.take_if(|(_, until)| *until <= Instant::now());
        let before = lagging.as_ref();
        routes.set_before(before.map_or_else(Vec::new, |(old, _)| weighted(&groups, old)));
        routes.set(weighted(&groups, &weights));
        let due = changed_at.map(|at| at + delay);
        let due = due.into_iter().chain(before.map(|(_, until)| *until)).min();
        let due = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            alive = observed.changed() => if alive.is_err() { return },
            () = due => {}
        }
    }
}

/// The groups with these weights; 0 for a group that is not among them.
fn weighted(groups: &[Group], weights: &Weights) -> Vec<Group> {
    let weight = |group: &Group| {
        let known = weights.iter().find(|(arn, _)| *arn == group.arn);
        known.map_or(0, |(_, weight)| *weight)
    };
    groups
        .iter()
        .map(|group| Group {
            weight: weight(group),
            ..group.clone()
        })
        .collect()
}

fn weights_of(groups: &[Group]) -> Weights {
    groups
        .iter()
        .map(|group| (group.arn.clone(), group.weight))
        .collect()
}

fn groups(observation: &Observation, port: u16) -> Vec<Group> {
    let address = |id: &String| {
        let instance = observation
            .instances
            .iter()
            .find(|instance| instance.id == *id)?;
        Some(SocketAddrV4::new(instance.ip, port))
    };
    observation
        .forwarding
        .iter()
        .map(|forwarding| Group {
            arn: forwarding.group.clone(),
            weight: forwarding.weight,
            targets: forwarding.healthy.iter().filter_map(address).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
