//! What a server has kept of its clients' messages, read by a way that the agent does not serve.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::client::{Protocol, mqtt};
use crate::world::{PATIENCE, until};

pub(crate) enum Kept {
    Published(Subscriber),
    Counted(Counters),
}

impl Kept {
    /// How many of this client's messages, beginning with its first.
    pub(crate) fn of(&self, client: &str) -> u64 {
        match self {
            Self::Published(subscriber) => subscriber.of(client),
            Self::Counted(counters) => counters.of(client),
        }
    }
}

/// Is told every message that a broker has taken, and acknowledges it.
pub(crate) struct Subscriber {
    kept: Arc<Mutex<HashMap<String, u64>>>,
    publisher: Mutex<(TcpStream, u64)>,
}

/// A topic of the subscriber's own. What it is told comes in the order in which the broker has taken it.
const FENCE: &str = "fence";

impl Subscriber {
    pub(crate) fn at(broker: SocketAddr) -> Self {
        let connected = || {
            let stream = TcpStream::connect(broker).unwrap();
            Protocol::Mqtt.greeting().over(&stream).unwrap();
            stream
        };
        let (mut stream, publisher) = (connected(), connected());
        let mut subscription = mqtt(0x82, &[], Some(1), "");
        // Everything, at QoS 1: the filter's length, the filter, the quality.
        subscription.extend(b"\0\x01#\x01");
        subscription[1] += 4;
        stream.write_all(&subscription).unwrap();
        let mut granted = [0; 5];
        stream.read_exact(&mut granted).unwrap();
        assert_eq!(granted, *b"\x90\x03\0\x01\x01");
        let kept = Arc::<Mutex<HashMap<String, u64>>>::default();
        let taken = kept.clone();
        thread::spawn(move || {
            while let Ok((client, number)) = published(&mut stream) {
                let mut taken = taken.lock().unwrap();
                let kept = taken.entry(client).or_default();
                // After a gap nothing more is counted.
                *kept += u64::from(number == *kept + 1);
            }
        });
        Self {
            kept,
            publisher: Mutex::new((publisher, 0)),
        }
    }

    fn told(&self, client: &str) -> u64 {
        self.kept
            .lock()
            .unwrap()
            .get(client)
            .copied()
            .unwrap_or_default()
    }

    /// What was taken before this is asked was told before the fence.
    fn of(&self, client: &str) -> u64 {
        let mut publisher = self.publisher.lock().unwrap();
        publisher.1 += 1;
        let number = publisher.1;
        let fence = mqtt(0x30, &[FENCE.as_bytes()], None, &number.to_string());
        publisher.0.write_all(&fence).unwrap();
        until("the fence is told", || self.told(FENCE) == number);
        self.told(client)
    }
}

/// The next message: its topic, which is its client's name, and its number.
fn published(stream: &mut TcpStream) -> std::io::Result<(String, u64)> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let mut rest = vec![0; usize::from(head[1]) - 2];
    stream.read_exact(&mut rest)?;
    let (topic, mut number) = rest.split_at(usize::from(u16::from_be_bytes([head[2], head[3]])));
    if head[0] & 0b110 != 0 {
        let (id, rest) = number.split_at(2);
        stream.write_all(&[&[0x40, 2], id].concat())?;
        number = rest;
    }
    let text = |bytes: &[u8]| String::from_utf8(bytes.into()).unwrap();
    Ok((text(topic), text(number).parse().unwrap()))
}

/// Reads what a client's messages have counted.
pub(crate) struct Counters(Mutex<BufReader<UnixStream>>);

impl Counters {
    pub(crate) fn at(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(Mutex::new(BufReader::new(stream)))
    }

    fn of(&self, client: &str) -> u64 {
        let mut redis = self.0.lock().unwrap();
        write!(redis.get_mut(), "GET {client}\r\n").unwrap();
        let mut line = String::new();
        redis.read_line(&mut line).unwrap();
        assert!(line.starts_with('$'), "{line}");
        if line == "$-1\r\n" {
            return 0;
        }
        line.clear();
        redis.read_line(&mut line).unwrap();
        line.trim_end().parse().unwrap()
    }
}
