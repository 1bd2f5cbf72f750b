//! `ebbtide-local demo`: one blue/green deployment of a real stateful service, watched from outside.
//!
//! Starts a local cloud of its own, opens clients' sessions through its load balancer, lets callers work with some of them,
//! starts a deployment with the default input, and watches until it ended and everybody is done. Then it judges what was
//! seen, writes `target/demo/report.json` and `report.html`, and ends everything it started.

mod app;
mod caller;
mod clients;
mod counts;
mod drawing;
mod expectations;
mod follow;
mod load;
mod mqtt;
mod observe;
mod page;
mod progress;
mod report;
mod rows;
mod script;
mod stages;
mod strips;
mod summary;
mod timeline;
mod tunnels;
mod watch;
mod written;

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use self::expectations::Wanted;
use self::observe::{Millis, Observation, Recorder};
use self::progress::Progress;
use crate::error::{Error, Result};
use crate::machines::{self, Machines};
use crate::{LocalCloud, Options, places};

/// The service's servers, as many as the local cloud starts.
const BLUE_SERVERS: usize = 3;
/// The tunnel servers' `--idle-after`, which the local cloud leaves at its default, and the agents' `idleAfterSeconds`.
const IDLE_AFTER: Millis = 2_000;
/// A demo that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(300);
/// What the default demo must reach, of its 300 clients and 110 workers.
const LEAST_REQUESTS: usize = 500;

/// How large a demo is.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Clients, each with a session.
    #[arg(long, default_value_t = 300)]
    pub clients: usize,
    /// Clients that somebody works with without pause until after the switch.
    #[arg(long, default_value_t = 110)]
    pub busy: usize,
    /// What serves them.
    #[arg(long, value_enum, default_value_t = Server::Tunnel)]
    pub server: Server,
    /// Where to write the report and the page; `target/demo` in the repository, whatever CARGO_TARGET_DIR says, if not given.
    #[arg(long)]
    pub report: Option<PathBuf>,
}

/// What a demo's servers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Server {
    /// The example of this repository, which has the session endpoint in it: WebSocket tunnels
    Tunnel,
    /// An MQTT broker as Debian ships it, with the agent beside it
    Mosquitto,
    /// nginx as Debian ships it, a proxy with workers before that broker, with the agent beside it
    Nginx,
}

impl Server {
    /// What it is, in words.
    fn words(self) -> &'static str {
        match self {
            Self::Tunnel => "WebSocket tunnels",
            Self::Mosquitto => "mosquitto, unchanged, with the agent beside it",
            Self::Nginx => "nginx before mosquitto, unchanged, with the agent beside them",
        }
    }

    /// What its instances run, where each is a machine of its own.
    pub fn machines(self) -> Option<Machines> {
        match self {
            Self::Tunnel => None,
            Self::Mosquitto => Some(machines::MOSQUITTO),
            Self::Nginx => Some(machines::NGINX),
        }
    }
}

/// How a demo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything expected was seen.
    AsExpected,
    /// Something expected was not seen; it has been printed.
    Unmet,
    /// Somebody asked it to end before.
    Interrupted,
}

/// Runs the demo and prints what was seen, until `interrupt`. Everything that it started is gone when it returns; the
/// logs stay when something went wrong.
///
/// # Errors
/// When the local cloud does not start, the deployment cannot be started, or the demo takes longer than five minutes.
pub async fn run(arguments: Arguments, interrupt: CancellationToken) -> Result<Ended> {
    let began = Instant::now();
    let mut progress = Progress::new();
    let options = Options {
        progress: crate::Progress::new(|line| println!("{line}")),
        machines: arguments.server.machines(),
        ..Options::default()
    };
    let Some(cloud) = interrupt
        .run_until_cancelled(Box::pin(LocalCloud::start(options)))
        .await
    else {
        return Ok(Ended::Interrupted);
    };
    let cloud = cloud?;
    let took = began.elapsed().as_secs_f64();
    progress.say(&format!(
        "Serving at {} after {took:.1} s",
        cloud.listener()
    ));
    let observing = Box::pin(observe(&cloud, arguments, &mut progress, began));
    let ended = interrupt
        .run_until_cancelled(observing)
        .await
        .unwrap_or(Ok(Ended::Interrupted));
    match ended {
        Ok(Ended::AsExpected | Ended::Interrupted) => cloud.stop().await,
        Ok(Ended::Unmet) | Err(_) => {
            let logs = cloud.directory().join("logs");
            progress.say(&format!(
                "The servers', emulators' and functions' logs: {}",
                logs.display()
            ));
        }
    }
    ended
}

async fn observe(
    cloud: &LocalCloud,
    arguments: Arguments,
    progress: &mut Progress,
    began: Instant,
) -> Result<Ended> {
    let recorder = Recorder::new(IDLE_AFTER);
    recorder.note(|seen| arguments.server.words().clone_into(&mut seen.service));
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let played = timeout(
        LONGEST.saturating_sub(began.elapsed()),
        script::play(cloud, &arguments, &recorder, progress, &stop),
    )
    .await;
    let mut seen = recorder.observation();
    seen.wall_seconds = began.elapsed().as_secs_f64();
    // What was seen is worth a report however it ended.
    let ended = conclude(&seen, &arguments, progress);
    match played {
        Ok(Ok(clients)) => clients.close().await,
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            return Err(Error::TimedOut {
                what: "the demo to end".to_owned(),
                waited: LONGEST,
                last: format!("the stage {}", progress::stage(&seen)),
            });
        }
    }
    ended
}

fn conclude(seen: &Observation, arguments: &Arguments, progress: &mut Progress) -> Result<Ended> {
    let report = report::compute(seen);
    let judged = expectations::judge(&report, wanted(arguments));
    let directory = match &arguments.report {
        Some(directory) => directory.clone(),
        None => places::repository()?.join("target/demo"),
    };
    let written = written::write(&directory, seen, &report, &judged)?;
    progress.say(&summary::table(&report));
    progress.say(&format!(
        "{}\n{}",
        written.json.display(),
        written.html.display()
    ));
    Ok(match summary::unmet(&report, &judged) {
        None => Ended::AsExpected,
        Some(text) => {
            progress.say(&format!("\n{text}"));
            Ended::Unmet
        }
    })
}

// A smaller demo is judged by its own size.
fn wanted(arguments: &Arguments) -> Wanted {
    let busy = arguments.busy.min(arguments.clients);
    Wanted {
        clients: arguments.clients,
        // On a machine with other work, callers come late and some sessions rest meanwhile.
        least_busy: busy / 2,
        least_requests: if busy >= 100 {
            LEAST_REQUESTS
        } else {
            busy * 4
        },
        blue_servers: BLUE_SERVERS,
    }
}
