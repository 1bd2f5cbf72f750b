//! A server process without a process: it listens on its addresses, ends with all that it holds, and starts again.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ebbtide_conformance::{Doer, Hands, Opener, Subject, websocket};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

pub(crate) const INSTANCE: &str = "i-0a1";

/// Serves on a public and a private address, with this state file, until its runtime ends.
pub(crate) type Start = Arc<
    dyn Fn(SocketAddr, SocketAddr, PathBuf) -> Pin<Box<dyn Future<Output = ()> + Send>>
        + Send
        + Sync,
>;

/// Two addresses that nobody listens on, and nobody will: each pair has a loopback IP of its own. A port of 127.0.0.1 that is
/// free now can be another server's, or a connection's own, by the time that it is listened on, or between the two halves of
/// a restart.
pub(crate) fn free() -> [SocketAddr; 2] {
    static GIVEN: AtomicUsize = AtomicUsize::new(1);
    let number = GIVEN.fetch_add(1, Ordering::Relaxed);
    let part = |part: usize| u8::try_from(part % 256).unwrap();
    let process = 64 + std::process::id() as usize % 128;
    let ip = Ipv4Addr::new(127, part(process), part(number / 256), part(number));
    let listeners = [(); 2].map(|()| std::net::TcpListener::bind((ip, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

/// A process: a runtime of its own, so that its end ends every task and socket that it has.
pub(crate) struct Process {
    start: Start,
    public: SocketAddr,
    private: SocketAddr,
    directory: TempDir,
    runtime: Mutex<Option<Runtime>>,
}

impl Process {
    pub(crate) fn new(start: Start) -> Arc<Self> {
        let [public, private] = free();
        let process = Arc::new(Self {
            start,
            public,
            private,
            directory: tempfile::tempdir().unwrap(),
            runtime: Mutex::new(None),
        });
        process.restart();
        process
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state.json")
    }

    /// The file of its keys, if it has any.
    pub(crate) fn keys(&self) -> PathBuf {
        self.state().with_extension("keys")
    }

    pub(crate) fn public(&self) -> SocketAddr {
        self.public
    }

    pub(crate) fn private(&self) -> SocketAddr {
        self.private
    }

    /// Ends the process, if there is one, and starts it on what it has kept.
    pub(crate) fn restart(&self) {
        let mut runtime = self.runtime.lock().unwrap();
        if let Some(before) = runtime.take() {
            // Waited for, outside of the runtime that this is called in: a process that lives on beside the next one would
            // still take sessions and answer for them.
            let ended =
                std::thread::spawn(move || before.shutdown_timeout(Duration::from_secs(60)));
            ended.join().unwrap();
        }
        let new = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (public, private) = (self.public, self.private);
        let (start, state) = (self.start.clone(), self.state());
        new.spawn(async move { start(public, private, state).await });
        *runtime = Some(new);
    }

    fn doer(self: &Arc<Self>, forget: fn(&Path)) -> Doer {
        let process = self.clone();
        Arc::new(move || {
            let process = process.clone();
            Box::pin(async move {
                forget(&process.state());
                process.restart();
                Ok(())
            })
        })
    }

    /// What can be done to it, with WebSockets at this path; each has a number of its own.
    pub(crate) fn subject(self: &Arc<Self>, path: &str, busy: Option<&str>) -> Subject {
        let (url, opened) = (
            format!("ws://{}{path}", self.public),
            Arc::new(AtomicUsize::new(0)),
        );
        let opener = |says: Option<&str>| -> Opener {
            let (url, says, opened) = (url.clone(), says.map(str::to_owned), opened.clone());
            Arc::new(move || {
                let number = opened.fetch_add(1, Ordering::Relaxed).to_string();
                websocket::open(url.replace("{number}", &number), says.clone())
            })
        };
        Subject {
            url: format!("http://{}/sessions", self.private),
            instance: Some(INSTANCE.to_owned()),
            keys: Arc::new([]),
            hands: Hands {
                open: Some(opener(None)),
                busy: busy.map(|says| opener(Some(says))),
                restart: Some(self.doer(|_| {})),
                fresh: Some(self.doer(|state| {
                    let _ = std::fs::remove_file(state);
                })),
            },
            // A busy machine is not to be taken for a slow server.
            limit: Duration::from_secs(60),
            patience: Duration::from_secs(60),
            rounds: 5,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Not waited for: this may be the drop of a task.
        if let Some(runtime) = self.runtime.lock().unwrap().take() {
            runtime.shutdown_background();
        }
    }
}

/// Listens as soon as the process before has let go of the address.
pub(crate) async fn listen(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}
