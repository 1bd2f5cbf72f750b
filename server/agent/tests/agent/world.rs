//! A server that knows nothing of the agent, its clients, and the gate before it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ebbtide_agent::channel::Channel;
use ebbtide_agent::config::IdlePolicy;
use ebbtide_agent::gate::KernelGate;
use ebbtide_agent::helper::Helper;
use ebbtide_agent::nft::Nft;
use ebbtide_agent::orders::Orders;
use ebbtide_agent::rules::Rules;
use ebbtide_agent::sockets::{Detail, connections};

use crate::target::Target;

/// Far longer than anything takes: whoever waits longer has found a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// The rules and the gate of these ports. Within a runtime.
pub(crate) fn rules(ports: &[u16]) -> Rules {
    Rules::new(Nft::new(Path::new("nft")), "ebbtide", ports)
}

/// A gate whose helper is a thread of this process. Within a runtime.
pub(crate) fn gate(ports: &[u16]) -> KernelGate {
    let orders = Orders::new(helper(ports, false));
    KernelGate::new(ports, orders, IdlePolicy::default(), None)
}

/// The other end of a helper.
pub(crate) fn helper(ports: &[u16], closes: bool) -> Channel {
    let (own, other) = Channel::pair().unwrap();
    let helper = Helper::new(rules(ports), closes);
    thread::spawn(move || helper.serve(&other));
    own
}

/// How many connections the kernel has.
pub(crate) fn present(ports: &[u16]) -> usize {
    connections(ports, Detail::Presence).unwrap().len()
}

/// Waits for what has to come.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(
            begun.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// Says everything back, a thread for each connection.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    pub(crate) accepted: Arc<AtomicU64>,
}

impl Echo {
    pub(crate) fn listen(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let echo = Self {
            address: listener.local_addr().unwrap(),
            accepted: Arc::default(),
        };
        let accepted = echo.accepted.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                accepted.fetch_add(1, Ordering::SeqCst);
                let mut connection = connection.unwrap();
                thread::spawn(move || {
                    let mut bytes = [0; 512];
                    while let Ok(read @ 1..) = connection.read(&mut bytes) {
                        if connection.write_all(&bytes[..read]).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        echo
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// A session that says something and hears it.
pub(crate) struct Session(TcpStream);

impl Session {
    pub(crate) fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut session = Self(stream);
        session.talk()?;
        Ok(session)
    }

    /// Says something, and does not wait to hear it.
    pub(crate) fn say(&mut self) {
        self.0.write_all(b"hello").unwrap();
    }

    /// What is heard next; None at the end.
    pub(crate) fn hear(&mut self) -> std::io::Result<Option<[u8; 5]>> {
        let mut heard = [0; 5];
        match self.0.read(&mut heard)? {
            0 => Ok(None),
            _ => Ok(Some(heard)),
        }
    }

    /// Bytes that it has said and the server's kernel has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> u32 {
        let port = self.0.local_addr().unwrap().port();
        let own = connections(&[port], Detail::Presence).unwrap();
        own.first().map_or(0, |own| own.unacknowledged)
    }

    pub(crate) fn talk(&mut self) -> std::io::Result<()> {
        let mut heard = [0; 5];
        self.0.write_all(b"hello")?;
        self.0.read_exact(&mut heard)?;
        if heard == *b"hello" {
            Ok(())
        } else {
            Err(ErrorKind::InvalidData.into())
        }
    }
}

/// Opens connections, says a word and closes them, again and again, until it is dropped. Every other thread waits for the
/// answer before.
pub(crate) struct Hammer {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Hammer {
    pub(crate) fn on(target: &Arc<Target>, threads: usize, pause: Duration) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let threads = (0..threads).map(|number| {
            let (ended, target) = (ended.clone(), target.clone());
            // Not in step with each other.
            let pause = pause + Duration::from_micros(137) * u32::try_from(number).unwrap();
            thread::spawn(move || {
                while !ended.load(Ordering::SeqCst) {
                    if let Ok(stream) =
                        TcpStream::connect_timeout(&target.address, Duration::from_millis(20))
                    {
                        target.visit(&stream, number % 2 == 0);
                    }
                    thread::sleep(pause);
                }
            })
        });
        Self {
            threads: threads.collect(),
            ended,
        }
    }
}

impl Drop for Hammer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
