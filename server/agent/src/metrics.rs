//! What Prometheus may ask: `/metrics`, from a report that is made when asked, so it cannot drift from what is decided on.

use std::fmt;

use ebbtide_endpoint::Report;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// A report as Prometheus's text; without one it says only that there is none.
pub(crate) fn text(report: Option<&Report>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("ebbtide_agent");
    let mut gauge = |name, help, value: u64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    gauge(
        "known",
        "1 if what is in use can be told, 0 if not",
        report.is_some().into(),
    );
    if let Some(report) = report {
        let admission = match report.admission {
            "open" => 0,
            "draining" => 1,
            _ => 2,
        };
        gauge(
            "busy",
            "Connections in use, half-open and closing ones too",
            report.busy,
        );
        gauge(
            "idle",
            "Connections without data for idleAfterSeconds",
            report.idle,
        );
        gauge("admission", "0 open, 1 draining, 2 sealed", admission);
        gauge("epoch", "Highest epoch seen", report.epoch);
        gauge(
            "closed",
            "Connections closed by orders since draining began",
            report.closed,
        );
        gauge(
            "oldest_busy_seconds",
            "How long the longest busy has been busy",
            report.oldest_busy_seconds,
        );
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}
