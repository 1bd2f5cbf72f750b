//! MQTT clients: each publishes to a topic of its own and subscribes to it, by QoS 1, through any broker of version 5.
//!
//! A message is done when it has come back. What has not when its connection ends is said again on the next one, as QoS 1 has
//! it: duplicates are allowed, a message that is lost is not. Servers that share nothing cannot do more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, ConnectionError, Event, MqttOptions, StateError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::caller::Caller;
use super::clients::{Clients, Seat};
use super::observe::{ClientEvent, Environment, Kind, Recorder};

/// Rare enough to be no part of what happens within a demo.
const PING_EVERY: Duration = Duration::from_secs(60);
/// A connection that is not there by then is tried again.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Clients come back between this and twice this after their connection has ended.
const BACK_AFTER: Duration = Duration::from_millis(50);
/// A message that has not come back by then is lost.
const LOST_AFTER: Duration = Duration::from_secs(45);
/// Whoever works sends the next message no later than this.
const APART: Duration = Duration::from_millis(300);
/// What somebody streams: so many messages of so many bytes, one after the other.
const PIECES: usize = 16;
const PIECE_BYTES: usize = 8 * 1024;

type Mailbox = mpsc::UnboundedSender<Message>;

/// One message, from when it is given to its client until it has come back.
#[derive(Debug)]
struct Message {
    number: u64,
    bytes: usize,
    repeats: usize,
    /// The broker has acknowledged it on this connection.
    taken: bool,
    /// By which number it went over this connection.
    packet: Option<u16>,
    done: oneshot::Sender<(String, usize)>,
}

impl Message {
    /// The number, which the one that comes back is known by, and as many bytes as it is to have.
    fn payload(&self) -> Bytes {
        let mut payload = BytesMut::with_capacity(8 + self.bytes);
        payload.put_u64(self.number);
        payload.resize(8 + self.bytes, 0x5a);
        payload.freeze()
    }
}

/// Opens `count` clients of the broker at `http://host:port`, and says how to have them work.
pub(super) fn open(listener: &str, count: usize, recorder: &Recorder) -> (Clients, MqttCaller) {
    let mut mailboxes = BTreeMap::new();
    let mut letters = VecDeque::new();
    for number in 1..=count {
        let (mailbox, letter) = mpsc::unbounded_channel();
        mailboxes.insert(Clients::name(number), mailbox);
        letters.push_back(letter);
    }
    let letters = std::sync::Mutex::new(letters);
    let next = || {
        letters
            .lock()
            .ok()
            .and_then(|mut letters| letters.pop_front())
    };
    let address = listener.trim_start_matches("http://").to_owned();
    let clients = Clients::open(count, recorder, |seat| {
        let (address, letters) = (address.clone(), next());
        async move {
            if let Some(letters) = letters {
                live(seat, &address, letters).await;
            }
        }
    });
    let caller = MqttCaller {
        recorder: recorder.clone(),
        mailboxes: Arc::new(mailboxes),
    };
    (clients, caller)
}

/// Has the clients send messages.
#[derive(Clone, Debug)]
pub(super) struct MqttCaller {
    recorder: Recorder,
    mailboxes: Arc<BTreeMap<String, Mailbox>>,
}

impl MqttCaller {
    /// Sends a message, and waits until it has come back; says through which server, and how often it was repeated.
    async fn message(&self, client: &str, bytes: usize) -> Result<(String, usize), String> {
        let (done, back) = oneshot::channel();
        let message = Message {
            number: self.recorder.number(),
            bytes,
            repeats: 0,
            taken: false,
            packet: None,
            done,
        };
        let mailbox = self.mailboxes.get(client);
        let sent = mailbox.is_some_and(|it| it.send(message).is_ok());
        if !sent {
            return Err("its client has ended".to_owned());
        }
        match timeout(LOST_AFTER, back).await {
            Ok(Ok(back)) => Ok(back),
            Ok(Err(_)) => Err("its client has ended".to_owned()),
            Err(_) => Err(format!("lost: it did not come back within {LOST_AFTER:?}")),
        }
    }
}

impl Caller for MqttCaller {
    async fn wait(&self, client: &str, kind: Kind, wait: Duration, expected: Option<Environment>) {
        let until = Instant::now() + wait;
        let work = async {
            let mut repeats = 0;
            loop {
                let (server, again) = self.message(client, 16).await?;
                repeats += again;
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok((server, repeats));
                }
                sleep(left.min(APART)).await;
            }
        };
        self.recorder.request(client, kind, expected, work).await;
    }

    async fn stream(&self, client: &str, expected: Option<Environment>) {
        let work = async {
            let mut whole = (String::new(), 0);
            for _ in 0..PIECES {
                let (server, repeats) = self.message(client, PIECE_BYTES).await?;
                whole = (server, whole.1 + repeats);
            }
            Ok(whole)
        };
        let kind = Kind::Stream;
        self.recorder.request(client, kind, expected, work).await;
    }
}

/// A client's whole life: one connection after the other.
async fn live(seat: Seat, address: &str, mut letters: mpsc::UnboundedReceiver<Message>) {
    let mut open = VecDeque::new();
    let stop = seat.stop.clone();
    loop {
        let holding = async {
            if let Some(connection) = Connection::open(&seat, address).await {
                connection.hold(&seat, &mut letters, &mut open).await;
            }
            sleep(BACK_AFTER.mul_f64(1.0 + rand::random::<f64>())).await;
        };
        if stop.run_until_cancelled(holding).await.is_none() {
            return;
        }
    }
}

/// One connection to whichever server the load balancer has chosen.
struct Connection {
    client: AsyncClient,
    events: mpsc::UnboundedReceiver<Result<Event, ConnectionError>>,
    _polling: AbortOnDropHandle<()>,
    topic: String,
    server: String,
}

impl Connection {
    /// Connects and subscribes. A broker names its clients after its instance: `i-0abc.` and then whatever it likes.
    async fn open(seat: &Seat, address: &str) -> Option<Self> {
        let (host, port) = address.split_once(':')?;
        // Without a name of its own, a client is given one.
        let mut options = MqttOptions::new("", host, port.parse().ok()?);
        options.set_keep_alive(PING_EVERY).set_clean_start(true);
        let (client, mut polled) = AsyncClient::new(options, 64);
        let (tell, events) = mpsc::unbounded_channel();
        let polling = async move {
            loop {
                let event = polled.poll().await;
                let over = event.is_err();
                if tell.send(event).is_err() || over {
                    return;
                }
            }
        };
        let mut connection = Self {
            client,
            events,
            _polling: AbortOnDropHandle::new(tokio::spawn(polling)),
            topic: format!("of/{}", seat.name),
            server: String::new(),
        };
        let ready = timeout(CONNECT_WITHIN, connection.subscribe()).await;
        ready.ok().flatten()?;
        Some(connection)
    }

    async fn subscribe(&mut self) -> Option<()> {
        let topic = self.topic.clone();
        self.client.subscribe(topic, QoS::AtLeastOnce).await.ok()?;
        loop {
            match self.events.recv().await?.ok()? {
                Event::Incoming(Packet::ConnAck(accepted)) => {
                    let name = accepted.properties?.assigned_client_identifier?;
                    name.split_once('.')?.0.clone_into(&mut self.server);
                }
                Event::Incoming(Packet::SubAck(_)) => return Some(()),
                _ => {}
            }
        }
    }

    /// Until it ends. `open` are the messages that have not come back, and go along to the next connection.
    async fn hold(
        mut self,
        seat: &Seat,
        letters: &mut mpsc::UnboundedReceiver<Message>,
        open: &mut VecDeque<Message>,
    ) {
        let server = self.server.clone();
        seat.sees(ClientEvent::Connected { server });
        for message in open.iter_mut() {
            (message.taken, message.packet) = (false, None);
            message.repeats += 1;
            self.publish(message).await;
        }
        loop {
            tokio::select! {
                Some(message) = letters.recv() => {
                    self.publish(&message).await;
                    open.push_back(message);
                }
                event = self.events.recv() => match event {
                    Some(Ok(event)) => self.take(event, seat, open),
                    Some(Err(error)) => return seat.sees(ended(&error, open)),
                    None => return,
                },
            }
        }
    }

    /// What cannot be published stays open, and is said again on the next connection.
    async fn publish(&self, message: &Message) {
        let (topic, payload) = (self.topic.clone(), message.payload());
        let published = self.client.publish(topic, QoS::AtLeastOnce, false, payload);
        let _ = published.await;
    }

    /// A message is at the broker from its acknowledgement on, or from its return, whichever comes first.
    fn take(&self, event: Event, seat: &Seat, open: &mut VecDeque<Message>) {
        match event {
            Event::Outgoing(Outgoing::Publish(packet)) => {
                let mut unsent = open.iter_mut().filter(|it| it.packet.is_none());
                if let Some(message) = unsent.next() {
                    message.packet = Some(packet);
                }
            }
            Event::Incoming(Packet::PubAck(acknowledged)) => {
                let packet = Some(acknowledged.pkid);
                if let Some(message) = open.iter_mut().find(|it| it.packet == packet) {
                    message.taken = true;
                    seat.sees(ClientEvent::RequestStarted);
                }
            }
            Event::Incoming(Packet::Publish(published)) => {
                let number = published
                    .payload
                    .first_chunk()
                    .map(|it| u64::from_be_bytes(*it));
                let place = open.iter().position(|it| Some(it.number) == number);
                // Another copy of one that came back before is no news.
                let Some(message) = place.and_then(|place| open.remove(place)) else {
                    return;
                };
                if !message.taken {
                    seat.sees(ClientEvent::RequestStarted);
                }
                seat.sees(ClientEvent::RequestEnded);
                let _ = message.done.send((self.server.clone(), message.repeats));
            }
            _ => {}
        }
    }
}

fn ended(error: &ConnectionError, open: &VecDeque<Message>) -> ClientEvent {
    let in_flight = open.iter().filter(|it| it.taken).count();
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            ClientEvent::Ended { in_flight }
        }
        other => ClientEvent::Lost {
            error: other.to_string(),
            in_flight,
        },
    }
}
