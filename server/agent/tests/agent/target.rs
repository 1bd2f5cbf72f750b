//! Servers that know nothing of an agent: what is spoken to them, what they have served, and what they have kept.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::agent::SERVED;
use crate::client::{Client, Protocol};
use crate::kept::{Counters, Kept, Subscriber};
use crate::programs::Programs;
use crate::world::{Echo, until};

/// Where mosquitto is reached past the agent: nobody counts, refuses or closes this.
const UNSERVED: SocketAddr = SocketAddr::new(SERVED.ip(), 1884);
/// Longer than any answer takes that comes.
const ANSWERS: Duration = Duration::from_millis(200);

pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    protocol: Protocol,
    server: Server,
    greeted: AtomicU64,
}

enum Server {
    Echo(Echo),
    Real { kept: Kept, _running: Programs },
}

impl Target {
    pub(crate) fn echo(address: &str) -> Self {
        let echo = Echo::listen(address);
        Self::new(
            &format!("echo at {address}"),
            echo.address,
            Protocol::Echo,
            Server::Echo(echo),
        )
    }

    fn new(name: &str, address: SocketAddr, protocol: Protocol, server: Server) -> Self {
        Self {
            name: name.into(),
            address,
            protocol,
            server,
            greeted: AtomicU64::new(0),
        }
    }

    /// Programs that listen at the served port, and how it is told, once they do, what they keep.
    fn real(
        name: &str,
        protocol: Protocol,
        programs: Programs,
        kept: fn(&Programs) -> Kept,
    ) -> Self {
        until("the server greets", || {
            TcpStream::connect(SERVED).is_ok_and(|stream| protocol.greeting().over(&stream).is_ok())
        });
        let kept = kept(&programs);
        Self::new(
            name,
            SERVED,
            protocol,
            Server::Real {
                kept,
                _running: programs,
            },
        )
    }

    pub(crate) fn mosquitto() -> Self {
        let mut programs = Programs::default();
        programs.mosquitto(&[SERVED, UNSERVED]);
        Self::real("mosquitto", Protocol::Mqtt, programs, |_| {
            Kept::Published(Subscriber::at(UNSERVED))
        })
    }

    /// A master and two workers, before a mosquitto that is not served.
    pub(crate) fn nginx() -> Self {
        let mut programs = Programs::default();
        programs.mosquitto(&[UNSERVED]);
        programs.nginx(SERVED, UNSERVED);
        Self::real("nginx", Protocol::Mqtt, programs, |_| {
            Kept::Published(Subscriber::at(UNSERVED))
        })
    }

    pub(crate) fn redis() -> Self {
        let mut programs = Programs::default();
        programs.redis(SERVED);
        Self::real("redis", Protocol::Redis, programs, |programs| {
            Kept::Counted(Counters::at(&programs.socket()))
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn open(&self, name: String) -> Client {
        Client::open(self.address, self.protocol, name).unwrap()
    }

    /// Comes, says a word and leaves; who waits for the answer counts it before it leaves.
    pub(crate) fn visit(&self, mut stream: &TcpStream, waits: bool) {
        let greeting = self.protocol.greeting();
        let _ = stream.set_read_timeout(Some(ANSWERS));
        if !waits {
            let _ = stream.write_all(&greeting.said);
        } else if greeting.over(stream).is_ok() {
            self.greeted.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// How many connections the server has taken for certain.
    pub(crate) fn served(&self) -> u64 {
        match &self.server {
            Server::Echo(echo) => echo.accepted(),
            Server::Real { .. } => self.greeted.load(Ordering::SeqCst),
        }
    }

    /// How many of a client's messages the server has kept, beginning with the first; all that it has kept by the time that
    /// this is asked. None where a server keeps nothing.
    pub(crate) fn kept(&self, client: &Client) -> Option<u64> {
        match &self.server {
            Server::Echo(_) => None,
            Server::Real { kept, .. } => Some(kept.of(&client.name)),
        }
    }
}
