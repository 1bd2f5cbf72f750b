//! What Prometheus may ask: `/metrics` on the private port.
//!
//! Owns the counters; gauges are read from the report when asked, so they cannot drift from what decisions are made on.

use std::fmt;

use ebbtide_endpoint::admission::Mode;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Shared;

/// Things that happened since the process started.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) opened: Counter,
    pub(crate) refused: Counter,
    pub(crate) lost: Counter,
    pub(crate) replaced: Counter,
    pub(crate) closed: Counter,
    pub(crate) requests: Counter,
    pub(crate) passed_on: Counter,
    pub(crate) failed: Counter,
}

impl Metrics {
    pub(crate) fn encode(&self, shared: &Shared) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("tunnel");
        for (name, help, counter) in self.counters() {
            registry.register(name, help, counter.clone());
        }
        for (name, help, value) in gauges(shared) {
            let gauge: Gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        }
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }

    fn counters(&self) -> [(&'static str, &'static str, &Counter); 8] {
        [
            ("opened", "Tunnels opened", &self.opened),
            (
                "refused",
                "Tunnels refused while draining or sealed",
                &self.refused,
            ),
            (
                "lost",
                "Tunnels that ended without a closing handshake",
                &self.lost,
            ),
            (
                "replaced",
                "Tunnels replaced by a newer one of their name",
                &self.replaced,
            ),
            (
                "closed",
                "Idle tunnels closed by drain orders",
                &self.closed,
            ),
            ("requests", "Requests from users", &self.requests),
            (
                "requests_passed_on",
                "Requests passed on to another server",
                &self.passed_on,
            ),
            (
                "requests_failed",
                "Requests answered by this server with an error",
                &self.failed,
            ),
        ]
    }
}

fn gauges(shared: &Shared) -> [(&'static str, &'static str, u64); 7] {
    let report = shared.endpoint.report();
    let state = shared.endpoint.state();
    let admission = match state.mode {
        Mode::Open => 0,
        Mode::Draining | Mode::Sealing => 1,
        Mode::Sealed => 2,
    };
    [
        (
            "busy",
            "Busy sessions, handshakes, and requests carried or waiting",
            report.busy,
        ),
        ("idle", "Idle sessions", report.idle),
        (
            "in_use",
            "Sessions, handshakes and requests that refuse the seal",
            state.in_use,
        ),
        ("admission", "0 open, 1 draining, 2 sealed", admission),
        ("epoch", "Highest epoch seen", report.epoch),
        (
            "closed_by_order",
            "Sessions closed by orders since draining began",
            report.closed,
        ),
        (
            "requests_waiting",
            "Requests that wait for their tunnel",
            shared.registry.waiting() as u64,
        ),
    ]
}
