//! Clients of a server's own protocol, by the few bytes that they need, and what they were answered.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::world::PATIENCE;

/// What is spoken to a server. Nothing here pings, and nothing wants to be pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// It says everything back.
    Echo,
    /// MQTT 3.1.1.
    Mqtt,
    Redis,
}

/// What a client says, and what it is answered.
pub(crate) struct Exchange {
    pub(crate) said: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

impl Exchange {
    fn new(said: impl Into<Vec<u8>>, answer: impl Into<Vec<u8>>) -> Self {
        let (said, answer) = (said.into(), answer.into());
        Self { said, answer }
    }

    /// Says it, and hears the answer.
    pub(crate) fn over(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        stream.write_all(&self.said)?;
        if self.heard(stream)? {
            return Ok(());
        }
        Err(ErrorKind::UnexpectedEof.into())
    }

    /// Hears the answer; false at the end of the file instead. Anything else is an error.
    fn heard(&self, mut stream: &TcpStream) -> std::io::Result<bool> {
        let mut heard = vec![0; self.answer.len()];
        let begun = stream.read(&mut heard)?;
        if begun == 0 {
            return Ok(false);
        }
        stream.read_exact(&mut heard[begun..])?;
        if heard == self.answer {
            return Ok(true);
        }
        Err(Error::new(ErrorKind::InvalidData, format!("{heard:?}")))
    }
}

impl Protocol {
    /// How a session begins.
    pub(crate) fn greeting(self) -> Exchange {
        match self {
            Self::Echo => Exchange::new(*b"hello", *b"hello"),
            // A clean session of a client without a name, which is never pinged for: and it is accepted.
            Self::Mqtt => Exchange::new(*b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0", *b"\x20\x02\0\0"),
            Self::Redis => Exchange::new(*b"PING\r\n", *b"+PONG\r\n"),
        }
    }

    /// A client's message of this number, the first of which is 1, and what acknowledges it.
    fn message(self, client: &str, number: u64) -> Exchange {
        match self {
            Self::Echo => Exchange::new(*b"words", *b"words"),
            Self::Mqtt => {
                let id = u16::try_from((number - 1) % 0xffff + 1).unwrap();
                let published = mqtt(0x32, &[client.as_bytes()], Some(id), &number.to_string());
                Exchange::new(published, mqtt(0x40, &[], Some(id), ""))
            }
            Self::Redis => {
                let said = format!("INCR {client}\r\n").into_bytes();
                Exchange::new(said, format!(":{number}\r\n"))
            }
        }
    }
}

/// A packet of MQTT, of less than 128 bytes.
pub(crate) fn mqtt(head: u8, texts: &[&[u8]], id: Option<u16>, end: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for text in texts {
        body.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        body.extend(*text);
    }
    body.extend(id.into_iter().flat_map(u16::to_be_bytes));
    body.extend(end.bytes());
    assert!(body.len() < 128, "its length takes one byte");
    let length = u8::try_from(body.len()).unwrap();
    [vec![head, length], body].concat()
}

/// A session of its own name. One speaks and another listens, or one does both.
pub(crate) struct Client {
    pub(crate) name: String,
    protocol: Protocol,
    stream: TcpStream,
    messages: Mutex<Messages>,
}

struct Messages {
    /// When each of those was said that are not answered.
    waiting: VecDeque<Instant>,
    answered: u64,
    /// When the last was said that was answered.
    in_use: Instant,
}

/// How a session has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) at: Instant,
    /// How long before its end the client has last said what was answered.
    pub(crate) after: Duration,
    /// What it has said at last was not answered.
    pub(crate) unanswered: bool,
}

impl Client {
    pub(crate) fn open(
        address: SocketAddr,
        protocol: Protocol,
        name: String,
    ) -> std::io::Result<Self> {
        let in_use = Instant::now();
        let stream = TcpStream::connect(address)?;
        // As long as a thousand others take that are closed before.
        stream.set_read_timeout(Some(10 * PATIENCE))?;
        stream.set_nodelay(true)?;
        protocol.greeting().over(&stream)?;
        let client = Self {
            name,
            protocol,
            stream,
            messages: Mutex::new(Messages {
                waiting: VecDeque::new(),
                answered: 0,
                in_use,
            }),
        };
        client.talk()?;
        Ok(client)
    }

    fn messages(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap()
    }

    /// How many of its messages were answered.
    pub(crate) fn answered(&self) -> u64 {
        self.messages().answered
    }

    /// Says the next message. It may be too late for it.
    pub(crate) fn say(&self) {
        let mut messages = self.messages();
        messages.waiting.push_back(Instant::now());
        let number = messages.answered + u64::try_from(messages.waiting.len()).unwrap();
        let _ = (&self.stream).write_all(&self.protocol.message(&self.name, number).said);
    }

    /// Hears the next answer; or how the session has ended in order.
    pub(crate) fn hear(&self) -> std::io::Result<Option<Ended>> {
        let number = self.answered() + 1;
        let message = self.protocol.message(&self.name, number);
        let heard = message.heard(&self.stream)?;
        let mut messages = self.messages();
        if heard {
            let said = messages.waiting.pop_front();
            messages.in_use = said.ok_or(ErrorKind::InvalidData)?;
            messages.answered = number;
            return Ok(None);
        }
        let at = Instant::now();
        Ok(Some(Ended {
            at,
            after: at - messages.in_use,
            unanswered: !messages.waiting.is_empty(),
        }))
    }

    /// Whoever listens hears the end.
    pub(crate) fn leave(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    pub(crate) fn talk(&self) -> std::io::Result<()> {
        self.say();
        match self.hear()? {
            None => Ok(()),
            Some(ended) => Err(Error::new(ErrorKind::UnexpectedEof, format!("{ended:?}"))),
        }
    }
}
