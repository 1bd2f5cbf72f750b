//! Tells the other servers that a tunnel's name was taken here.
//!
//! Owns the outgoing notices, gathered so that a thousand tunnels that come back at once make a few calls. Best
//! effort: a server that misses one keeps its older tunnel until that ends by itself. `carrier` hands in, `reserve`
//! receives at the other end.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::peers::Peers;
use crate::sync::spawn;

/// A name and since when its tunnel is open, in microseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Taken {
    pub(crate) name: String,
    pub(crate) opened_at: u64,
}

/// One notice to a peer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub(crate) tunnels: Vec<Taken>,
}

/// So many that a notice stays below the private port's body limit, at 128 bytes a name.
const IN_ONE_NOTICE: usize = 300;

#[derive(Clone)]
pub(crate) struct Announcer(UnboundedSender<Taken>);

impl Announcer {
    pub(crate) fn start(peers: Arc<Peers>, stop: CancellationToken) -> Self {
        let (sender, receiver) = unbounded_channel();
        spawn(stop.run_until_cancelled_owned(run(peers, receiver)));
        Self(sender)
    }

    pub(crate) fn taken(&self, name: &str, opened_at: u64) {
        // Fails only when the server is stopping.
        let _ = self.0.send(Taken {
            name: name.to_owned(),
            opened_at,
        });
    }
}

async fn run(peers: Arc<Peers>, mut receiver: UnboundedReceiver<Taken>) {
    let mut tunnels = Vec::new();
    while receiver.recv_many(&mut tunnels, IN_ONE_NOTICE).await > 0 {
        peers
            .announce(&Notice {
                tunnels: std::mem::take(&mut tunnels),
            })
            .await;
    }
}
