//! Watches the servers from outside while a deployment runs: EC2, the listener's weights, every server's own report.
//!
//! Owns the polling; what it sees goes into the record as it is. Nothing here steers the deployment.

use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::observe::{Counts, Environment, Recorder, Sample, Server};
use crate::observation::{Forwarding, Observation};
use crate::report::{self, GLANCE};

/// How often every server's report is read.
const REPORTS_EVERY: Duration = Duration::from_millis(250);

/// Notes every instance that runs now as blue; every one that appears later is green.
pub(super) fn note_blue(seen: &Observation, recorder: &Recorder) {
    recorder.note(|record| {
        for instance in seen.instances.iter().filter(|instance| instance.is_up()) {
            let server = Server {
                environment: Environment::Blue,
                terminated_at: None,
            };
            record.servers.insert(instance.id.clone(), server);
        }
    });
}

/// Notes new and terminated servers and the switch, whenever EC2 or the listener says something new. Never returns
/// while the sender lives.
pub(super) async fn cloud(
    mut seen: watch::Receiver<Observation>,
    recorder: Recorder,
    switched: watch::Sender<Option<Instant>>,
) {
    loop {
        let now = seen.borrow_and_update().clone();
        note_servers(&now, &recorder);
        if is_switched(&now.forwarding, &recorder) && switched.borrow().is_none() {
            let at = recorder.now();
            recorder.note(|record| record.switched_at = Some(at));
            switched.send_replace(Some(Instant::now()));
        }
        if seen.changed().await.is_err() {
            return;
        }
    }
}

fn note_servers(now: &Observation, recorder: &Recorder) {
    let at = recorder.now();
    recorder.note(|record| {
        for instance in &now.instances {
            let server = record.servers.entry(instance.id.clone()).or_insert(Server {
                environment: Environment::Green,
                terminated_at: None,
            });
            if instance.state == "terminated" && server.terminated_at.is_none() {
                server.terminated_at = Some(at);
                record.samples.push(Sample {
                    at,
                    instance: instance.id.clone(),
                    counts: None,
                });
            }
        }
    });
}

// All weight is on groups in which blue has no instance.
fn is_switched(forwarding: &[Forwarding], recorder: &Recorder) -> bool {
    let is_blue = |group: &Forwarding| {
        group
            .health
            .keys()
            .any(|instance| recorder.environment(instance) == Some(Environment::Blue))
    };
    let weighted: Vec<_> = forwarding.iter().filter(|group| group.weight > 0).collect();
    !weighted.is_empty()
        && weighted
            .iter()
            .all(|group| !is_blue(group) && !group.health.is_empty())
}

/// Reads every live server's report, over and over. Never returns.
pub(super) async fn reports(seen: watch::Receiver<Observation>, port: u16, recorder: Recorder) {
    let Ok(http) = reqwest::Client::builder().no_proxy().build() else {
        return;
    };
    let mut ticks = interval(REPORTS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let up: Vec<(String, Ipv4Addr)> = seen
            .borrow()
            .instances
            .iter()
            .filter(|instance| instance.is_up())
            .map(|instance| (instance.id.clone(), instance.ip))
            .collect();
        let reading = up.into_iter().map(|(instance, ip)| {
            let http = &http;
            async move {
                let counts = report(http, ip, port, &instance).await;
                (instance, counts)
            }
        });
        note_reports(join_all(reading).await, &recorder);
    }
}

// One time for all of a round, so that their sum is of one moment. A server that has never answered is still starting.
fn note_reports(answers: Vec<(String, Option<Counts>)>, recorder: &Recorder) {
    let at = recorder.now();
    recorder.note(|record| {
        for (instance, counts) in answers {
            let is_gone = record
                .servers
                .get(&instance)
                .is_some_and(|server| server.terminated_at.is_some());
            let has_answered = || {
                record
                    .samples
                    .iter()
                    .any(|sample| sample.instance == instance)
            };
            if !is_gone && (counts.is_some() || has_answered()) {
                record.samples.push(Sample {
                    at,
                    instance,
                    counts,
                });
            }
        }
    });
}

async fn report(http: &reqwest::Client, ip: Ipv4Addr, port: u16, instance: &str) -> Option<Counts> {
    let report = report::read(http, (ip, port), &[], GLANCE).await.ok()?;
    (report.instance == instance).then_some(Counts {
        admission: report.admission,
        busy: report.busy,
        idle: report.idle,
        closed: report.closed,
    })
}
