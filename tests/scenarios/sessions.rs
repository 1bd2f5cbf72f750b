//! Users of the service, by a WebSocket client of another make: it answers pings and nothing else.
//!
//! Owns what a session *saw*: how it ended, if it did. A busy one holds a request that it never answers.

use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// How a session stands, by what its client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Open, and nothing was received but pings.
    Open,
    /// Open, and a request has arrived.
    Asked,
    /// Closed by the server, with this code.
    Closed(u16),
    /// The connection broke.
    Cut(String),
}

/// One tunnel held open.
pub struct Session {
    /// The tunnel's name.
    pub name: String,
    /// The instance that took it.
    pub server: String,
    seen: watch::Receiver<Seen>,
    client: JoinHandle<()>,
    request: Option<JoinHandle<()>>,
}

impl Session {
    /// Opens a tunnel through the listener; it is idle.
    pub async fn open(listener: &str, name: &str) -> Self {
        Self::try_open(listener, name)
            .await
            .expect("the listener takes a tunnel")
    }

    /// Opens a tunnel through the listener, if that takes one; it is idle.
    pub async fn try_open(listener: &str, name: &str) -> Result<Self, String> {
        let url = format!("{}/tunnel/{name}", listener.replacen("http", "ws", 1));
        let (socket, response) = connect_async(&url)
            .await
            .map_err(|error| error.to_string())?;
        let server = response.headers()["tunnel-server"]
            .to_str()
            .expect("an instance id")
            .to_owned();
        let (tell, seen) = watch::channel(Seen::Open);
        let client = tokio::spawn(async move {
            let (_sink, mut stream) = socket.split();
            loop {
                let now = match stream.next().await {
                    Some(Ok(Message::Close(frame))) => {
                        Seen::Closed(frame.map_or(1005, |frame| frame.code.into()))
                    }
                    Some(Ok(Message::Binary(_) | Message::Text(_))) => Seen::Asked,
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => Seen::Cut(error.to_string()),
                    None => Seen::Cut("end of stream".to_owned()),
                };
                let over = !matches!(now, Seen::Asked);
                let first = tell.send_if_modified(|last| {
                    let ended = matches!(last, Seen::Closed(_) | Seen::Cut(_));
                    if !ended {
                        *last = now;
                    }
                    !ended
                });
                // Reading on after a close frame lets the library answer it.
                if over && !first || matches!(*tell.borrow(), Seen::Cut(_)) {
                    return;
                }
            }
        });
        Ok(Self {
            name: name.to_owned(),
            server,
            seen,
            client,
            request: None,
        })
    }

    /// Sends it a request through the listener, which it receives and never answers: it is busy from now on.
    pub async fn become_busy(&mut self, listener: &str) {
        let url = format!("{listener}/t/{}/work", self.name);
        self.request = Some(tokio::spawn(async move {
            let client = reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client");
            let _ = client.get(url).send().await;
        }));
        let asked = tokio::time::timeout(
            crate::scene::LIMIT,
            self.seen.wait_for(|seen| *seen == Seen::Asked),
        );
        asked
            .await
            .expect("the request arrives in time")
            .expect("the client runs");
    }

    /// How it stands now.
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// The user leaves: request and tunnel end.
    pub fn leave(&mut self) {
        if let Some(request) = self.request.take() {
            request.abort();
        }
        self.client.abort();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.leave();
    }
}
