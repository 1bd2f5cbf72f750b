//! Users who come to the service one after another, all the time: each opens a session and leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

/// From one user to the next.
const EVERY: Duration = Duration::from_millis(250);

/// How long a user waits for a session: a server that hangs costs one user this long, not all of them.
const PATIENCE: Duration = Duration::from_secs(3);

/// They come until they are asked.
#[derive(Debug)]
pub(crate) struct Users {
    over: Arc<AtomicBool>,
    coming: JoinHandle<Vec<String>>,
}

impl Users {
    /// Users of this listener.
    pub(crate) fn coming_to(listener: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let url = format!("{}/tunnel/user", listener.replacen("http", "ws", 1));
        Self {
            coming: tokio::spawn(come(url, Arc::clone(&over))),
            over,
        }
    }

    /// No more users; those who were turned away by a server that drains or is sealed. One that found a dead or hanging
    /// server met the fault and not the deployment.
    pub(crate) async fn turned_away(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        self.coming.await.expect("the users")
    }
}

async fn come(url: String, over: Arc<AtomicBool>) -> Vec<String> {
    let (mut come, mut away) = (0, Vec::new());
    while !over.load(Ordering::Relaxed) {
        let opening = connect_async(format!("{url}-{come}"));
        if let Ok(Err(Error::Http(response))) = tokio::time::timeout(PATIENCE, opening).await {
            let body = response.body().as_deref().unwrap_or_default();
            let body = String::from_utf8_lossy(body).into_owned();
            if ["Draining", "Sealed"]
                .iter()
                .any(|error| body.contains(error))
            {
                away.push(body);
            }
        }
        come += 1;
        tokio::time::sleep(EVERY).await;
    }
    away
}
