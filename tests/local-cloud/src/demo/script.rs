//! What happens in a demo, in order: clients, load, the deployment, and the wait until everybody is done.
//!
//! Owns the order and the bounds. What is seen on the way goes into the record by itself.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::caller::{Caller, HttpCaller};
use super::clients::Clients;
use super::follow::follow;
use super::load::Load;
use super::observe::Recorder;
use super::progress::{self, Progress};
use super::{Arguments, Server, mqtt, tunnels, watch as watching};
use crate::LocalCloud;
use crate::error::{Error, Result};
use crate::wait::{Seen, until};

/// All clients are there well within this.
const OPEN_WITHIN: Duration = Duration::from_secs(30);
/// Everybody works this long before the deployment starts.
const BEFORE: Duration = Duration::from_millis(2_500);
/// Everybody has worked on green well within this after the deployment ended.
const DONE_WITHIN: Duration = Duration::from_secs(40);
/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// Runs the demo on a cloud that serves, up to the moment when everything has been seen; the clients are still there then.
///
/// # Errors
/// When the clients do not come, or the deployment cannot be started or followed.
pub(super) async fn play(
    cloud: &LocalCloud,
    arguments: &Arguments,
    recorder: &Recorder,
    progress: &mut Progress,
    stop: &CancellationToken,
) -> Result<Clients> {
    let (listener, count) = (cloud.listener(), arguments.clients);
    let scene = Scene {
        cloud,
        busy: arguments.busy,
        recorder,
        stop,
    };
    match arguments.server {
        Server::Tunnel => {
            let caller = HttpCaller::new(listener, recorder.clone())
                .map_err(|error| Error::Input(format!("no HTTP client: {error}")))?;
            let open = || tunnels::open(listener, count, recorder);
            scene.play(open, caller, progress).await
        }
        Server::Mosquitto | Server::Nginx => {
            let (clients, caller) = mqtt::open(listener, count, recorder);
            scene.play(|| clients, caller, progress).await
        }
    }
}

/// What a demo is played on.
struct Scene<'a> {
    cloud: &'a LocalCloud,
    busy: usize,
    recorder: &'a Recorder,
    stop: &'a CancellationToken,
}

impl Scene<'_> {
    async fn play<C: Caller>(
        self,
        open: impl FnOnce() -> Clients,
        caller: C,
        progress: &mut Progress,
    ) -> Result<Clients> {
        let Self {
            cloud, recorder, ..
        } = self;
        let (tell, switched) = watch::channel(None);
        let seen = cloud.observed();
        watching::note_blue(&seen.borrow(), recorder);
        let _watching = [
            task(watching::cloud(seen.clone(), recorder.clone(), tell)),
            task(watching::reports(
                seen,
                cloud.session_port(),
                recorder.clone(),
            )),
        ];
        let clients = open();
        let all = clients.all().len();
        until("every client to be there", OPEN_WITHIN, || async {
            let connected = clients.connected();
            Ok(if connected == all {
                Seen::Done(())
            } else {
                Seen::NotYet(format!("{connected} are"))
            })
        })
        .await?;
        let load = Load::new(caller, recorder.clone(), self.stop.clone());
        load.start(clients.all(), self.busy, &switched);
        let deploying = async {
            sleep(BEFORE).await;
            let deployment = cloud.deploy(None, &serde_json::json!({})).await?;
            follow(&cloud.clients().sfn, &deployment, recorder).await?;
            if recorder.read(|seen| seen.execution.status == "SUCCEEDED") {
                // Whoever is not done by then is missed by the expectations, which say so in numbers.
                let _ = timeout(DONE_WITHIN, load.finish(clients.all())).await;
            }
            Ok(())
        };
        showing(deploying, recorder, progress).await?;
        Ok(clients)
    }
}

// Shows progress once a second while the work goes on, and once more at its end.
async fn showing<T>(
    work: impl Future<Output = T>,
    recorder: &Recorder,
    progress: &mut Progress,
) -> T {
    let mut work = std::pin::pin!(work);
    let mut next = Instant::now();
    loop {
        tokio::select! {
            done = &mut work => {
                progress.show(recorder.now(), &recorder.read(progress::state));
                return done;
            }
            () = tokio::time::sleep_until(next) => {
                progress.show(recorder.now(), &recorder.read(progress::state));
                next += SHOW_EVERY;
            }
        }
    }
}

fn task<F>(work: F) -> AbortOnDropHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(work))
}
