//! One WebSocket as the carrier of one HTTP/2 connection.
//!
//! Owns the WebSocket for its whole life: carries bytes between it and an HTTP/2 connection once one is attached,
//! sends pings, notices a dead peer, and closes politely. Both directions move independently, so a peer that is slow
//! to read does not keep us from reading. Server and client use it; each runs it in one task.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// How many bytes of HTTP/2 may wait for the WebSocket, each way.
const PIPE: usize = 64 * 1024;
/// The largest piece of HTTP/2 that goes into one WebSocket message.
const PIECE: usize = 16 * 1024;
/// Ping periods without a sign of life after which a peer is dead.
const SILENT_PERIODS: u32 = 3;

/// A stream may have this many unread bytes under way; one that nobody reads then stands still by itself.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;
/// So many requests share a tunnel at a time; more wait their turn.
pub(crate) const STREAMS: u32 = 1000;
/// All streams of a tunnel together: even if all but one stand still, that one moves.
pub(crate) const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;
/// The headers of one request or response together; HTTP/1.1 servers take as much.
pub(crate) const HEADERS: u32 = 256 * 1024;

/// Small buffers: the library's own defaults cost 140 KB for every tunnel, idle or not.
pub(crate) fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(1 << 20))
        .max_frame_size(Some(1 << 20))
}

/// What a [`Link`] has to tell.
#[derive(Debug)]
pub(crate) enum Event {
    /// The peer sent its Close frame; [`Event::Ended`] follows.
    PeerClosed { code: u16, reason: String },
    /// The first message is here that has nothing else to tell, a pong most likely: somebody holds the other end.
    Spoke,
    /// Data arrived while no HTTP/2 connection is attached. It goes to the one attached now, or nowhere.
    Unattached,
    /// The HTTP/2 connection is over while the WebSocket is not.
    PipeEnded,
    /// The WebSocket is over; with an error unless it ended in a closing handshake.
    Ended(Result<(), Error>),
}

/// One WebSocket and the HTTP/2 connection on it, if there is one yet.
pub(crate) struct Link<S> {
    socket: WebSocketStream<S>,
    pipe: Option<DuplexStream>,
    /// Received, not yet taken by the HTTP/2 connection.
    inbound: Bytes,
    /// Something arrived since the last ping period.
    heard: bool,
    /// [`Event::Spoke`] was told.
    spoke: bool,
    /// Everything written has left for the network.
    flushed: bool,
    silent_periods: u32,
    closing: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(crate) fn new(socket: WebSocketStream<S>) -> Self {
        Self {
            socket,
            pipe: None,
            inbound: Bytes::new(),
            heard: false,
            spoke: false,
            flushed: true,
            silent_periods: 0,
            closing: false,
        }
    }

    /// The two ends of an HTTP/2 connection's transport: one for hyper, one for [`Link::attach`].
    pub(crate) fn pipe() -> (DuplexStream, DuplexStream) {
        tokio::io::duplex(PIPE)
    }

    /// From now on binary messages carry this HTTP/2 connection.
    pub(crate) fn attach(&mut self, pipe: DuplexStream) {
        if !self.closing {
            self.pipe = Some(pipe);
        }
    }

    /// Begins the closing handshake. The HTTP/2 connection, if any, sees its transport end.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.closing = true;
        self.pipe = None;
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: reason.into(),
        };
        // An error here is seen again, and reported, when the socket is polled.
        let _ = Pin::new(&mut self.socket).start_send(Message::Close(Some(frame)));
    }

    /// Sends a ping; false if the peer has been silent for so many periods that it is dead.
    ///
    /// A peer counts as silent only while we could both reach it and hear it: with our own writes stuck or its data
    /// waiting for us, silence says nothing, and TCP decides.
    pub(crate) fn ping(&mut self) -> bool {
        if std::mem::take(&mut self.heard) || !self.flushed || !self.inbound.is_empty() {
            self.silent_periods = 0;
        } else {
            self.silent_periods += 1;
        }
        if self.silent_periods > SILENT_PERIODS {
            return false;
        }
        if !self.closing && self.flushed {
            let _ = Pin::new(&mut self.socket).start_send(Message::Ping(Bytes::new()));
        }
        true
    }

    /// Moves what can be moved, both ways, until there is something to tell.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let inbound = self.poll_inbound(cx);
        let outbound = self.poll_outbound(cx);
        match (inbound, outbound) {
            (Poll::Ready(event), _) | (Poll::Pending, Poll::Ready(event)) => Poll::Ready(event),
            (Poll::Pending, Poll::Pending) => Poll::Pending,
        }
    }

    fn poll_inbound(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if std::task::ready!(self.poll_hand_over(cx)).is_err() {
                // HTTP/2 no longer listens; the outbound side reports its end.
                self.inbound.clear();
            }
            match std::task::ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                None => return Poll::Ready(Event::Ended(Ok(()))),
                Some(Err(error)) => return Poll::Ready(Event::Ended(Err(error))),
                Some(Ok(message)) => {
                    self.heard = true;
                    if let Some(event) = self.receive(message) {
                        return Poll::Ready(event);
                    }
                    if !std::mem::replace(&mut self.spoke, true) {
                        return Poll::Ready(Event::Spoke);
                    }
                }
            }
        }
    }

    fn receive(&mut self, message: Message) -> Option<Event> {
        match message {
            Message::Binary(data) => {
                self.inbound = data;
                return self.pipe.is_none().then_some(Event::Unattached);
            }
            Message::Close(frame) => {
                self.closing = true;
                let (code, reason) = frame.map_or((1005, String::new()), |f| {
                    (f.code.into(), f.reason.to_string())
                });
                return Some(Event::PeerClosed { code, reason });
            }
            // Pongs were noted above, pings are answered by the library, and nothing else means anything here.
            _ => {}
        }
        None
    }

    /// Gives HTTP/2 what was received; ready when all is handed over.
    fn poll_hand_over(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.inbound.is_empty() {
            let Some(pipe) = &mut self.pipe else {
                self.inbound.clear();
                break;
            };
            let taken = std::task::ready!(Pin::new(pipe).poll_write(cx, &self.inbound))?;
            self.inbound.advance(taken);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_outbound(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let mut ended = false;
        while !ended && self.pipe.is_some() && self.poll_ready(cx) {
            match self.poll_take(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(data)) => {
                    let _ = Pin::new(&mut self.socket).start_send(Message::Binary(data));
                }
                Poll::Ready(None) => ended = true,
            }
        }
        // Errors are reported by the inbound side, which sees them too.
        self.flushed = Pin::new(&mut self.socket).poll_flush(cx).is_ready();
        if ended {
            self.pipe = None;
            return Poll::Ready(Event::PipeEnded);
        }
        Poll::Pending
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> bool {
        matches!(
            Pin::new(&mut self.socket).poll_ready(cx),
            Poll::Ready(Ok(()))
        )
    }

    /// The next piece that HTTP/2 wants to send; none when it is over.
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(pipe) = &mut self.pipe else {
            return Poll::Pending;
        };
        // On the stack, so that an idle tunnel keeps no buffer.
        let mut piece = [0; PIECE];
        let mut buffer = ReadBuf::new(&mut piece);
        let read = std::task::ready!(Pin::new(pipe).poll_read(cx, &mut buffer));
        let filled = buffer.filled();
        Poll::Ready((read.is_ok() && !filled.is_empty()).then(|| Bytes::copy_from_slice(filled)))
    }
}
