//! The machine's state: clients and their connections, the kernel's table of rules, the agent, its disk.

use ebbtide_endpoint::admission::{Mode, State};

use super::closing::Closing;
use super::gate::Run;
use super::properties::Rule;
use super::variants::Variant;

/// What a client has said, and how far it has come. One thing at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    /// Nothing is under way.
    None,
    /// The client has said it; nobody has acknowledged it, so its kernel repeats it.
    Said,
    /// It has passed the rules, and has not arrived.
    Passed,
    /// It has arrived and is acknowledged; the server has not read it.
    Unread,
    /// The server works on it.
    Worked,
}

/// How far the end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Nobody ends it.
    None,
    /// The client has left.
    Left,
    /// The agent has shut down the server's side of it.
    Shut,
    /// The server has read to the end of its input, and will close.
    Seen,
}

/// An established connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// Whether the server has accepted it.
    pub accepted: bool,
    /// What its client says.
    pub data: Data,
    /// How far its end is.
    pub ending: Ending,
    /// Whether somebody changed the rules while it was being closed.
    pub spoilt: bool,
}

/// Where a client's connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    /// There is none.
    Away,
    /// Its SYN has passed the rules, and is in no table yet.
    Knocking,
    /// A socket waits for the end of its handshake.
    HalfOpen,
    /// A cookie was sent, and nothing is kept of it.
    Cookie,
    /// What ends a cookie's handshake has passed the rules, and is in no table yet.
    Completing,
    /// It is established.
    Open(Session),
}

/// An element of one of the agent's sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// It does not stand.
    Off,
    /// It stands, and the agent's clock says so too.
    Fresh,
    /// It stands, and the agent does not trust it any more.
    Aged,
    /// It has no time-out.
    Lasting,
}

impl Element {
    /// Whether it stands.
    pub fn stands(self) -> bool {
        self != Self::Off
    }

    /// What becomes of it as time passes; nothing if it has no time-out.
    pub fn older(self) -> Self {
        match self {
            Self::Fresh => Self::Aged,
            Self::Aged | Self::Off => Self::Off,
            Self::Lasting => Self::Lasting,
        }
    }
}

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// Its connection.
    pub line: Line,
    /// The element that freezes it.
    pub frozen: Element,
}

/// The agent's table, without its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Frame {
    /// It is not there.
    Missing,
    /// It stands as it was put there.
    Whole,
    /// Its chain was emptied: the sets are there, and no rule asks them.
    Emptied,
}

/// What stands in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Table {
    /// Chain and rules.
    pub frame: Frame,
    /// Drops every packet.
    pub dropped: Element,
    /// Refuses new connections; it lapses.
    pub refused: bool,
    /// Refuses everything for good.
    pub sealed: bool,
}

impl Table {
    /// Takes every element away.
    pub fn empty(&mut self) {
        *self = Self {
            frame: self.frame,
            dropped: Element::Off,
            refused: false,
            sealed: false,
        };
    }
}

/// The agent's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// What `ebbtide-endpoint` decides by. What is in use is the kernel's to say.
    pub admission: State,
    /// What the gate was set to last.
    pub mode: Mode,
    /// Whether it knows of a table that it has put there.
    pub installed: bool,
    /// Whether it has kept everything out for a seal that is not enforced yet.
    pub shut: bool,
    /// Whether an order to close idle sessions stands.
    pub draining: bool,
    /// The order that is carried out.
    pub order: Option<Run>,
    /// The putting back of rules that somebody has changed.
    pub keeping: Option<Run>,
    /// Whose packets the gate's barrier waits for.
    pub awaited: u8,
    /// The idle session that is being closed.
    pub closing: Option<Closing>,
}

/// The whole machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// The clients.
    pub clients: Vec<Client>,
    /// The kernel's rules.
    pub table: Table,
    /// The agent; none while it is dead.
    pub agent: Option<Process>,
    /// Whether its disk says sealed.
    pub disk: bool,
    /// Whether it has answered that it is sealed, and nobody else has changed the rules since.
    pub promised: bool,
    /// Whether somebody has changed the rules, and the agent has not put any up since.
    pub flushed: bool,
    /// How often the agent may yet be killed.
    pub kills: u8,
    /// How often somebody may yet change the rules.
    pub flushes: u8,
    /// Rules that a step has broken.
    pub broken: u8,
}

/// A packet, as the rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// The first of a handshake.
    Syn,
    /// Any other.
    Other,
}

impl World {
    /// A server that nobody has connected to, and an agent that has not been started.
    pub fn new(clients: u8, kills: u8, flushes: u8) -> Self {
        let client = Client {
            line: Line::Away,
            frozen: Element::Off,
        };
        Self {
            clients: vec![client; usize::from(clients)],
            table: Table {
                frame: Frame::Missing,
                dropped: Element::Off,
                refused: false,
                sealed: false,
            },
            agent: None,
            disk: false,
            promised: false,
            flushed: false,
            kills,
            flushes,
            broken: 0,
        }
    }

    /// Whether the rules let a packet of a client pass.
    pub fn passes(&self, client: usize, packet: Packet, variant: Variant) -> bool {
        let table = &self.table;
        if table.frame != Frame::Whole {
            return true;
        }
        let shut = table.sealed || table.dropped.stands();
        match packet {
            Packet::Syn => !shut && !table.refused,
            Packet::Other => {
                !(shut && variant != Variant::SynOnly || self.clients[client].frozen.stands())
            }
        }
    }

    /// What a dump of the sockets counts: every state but those that termination would not cut.
    pub fn connected(&self) -> u8 {
        let in_table = |client: &&Client| matches!(client.line, Line::HalfOpen | Line::Open(_));
        self.clients
            .iter()
            .filter(in_table)
            .fold(0, |sum, _| sum + 1)
    }

    /// Clients of whom a packet has passed the rules and has not arrived.
    pub fn in_flight(&self) -> u8 {
        let mut flying = 0;
        for (number, client) in self.clients.iter().enumerate() {
            let flies = match client.line {
                Line::Knocking | Line::Completing => true,
                Line::Open(session) => session.data == Data::Passed,
                _ => false,
            };
            flying |= u8::from(flies) << number;
        }
        flying
    }

    /// Whether everything is refused for good.
    pub fn is_barred(&self) -> bool {
        self.table.frame == Frame::Whole && self.table.sealed
    }

    /// Whether anybody's session would get a reset.
    pub fn cuts(&self) -> bool {
        let is_open = |client: &Client| matches!(client.line, Line::Open(_));
        self.is_barred() && !self.table.dropped.stands() && self.clients.iter().any(is_open)
    }

    /// Whether nothing that the agent has put there keeps anybody out, or the seal is on the disk.
    pub fn lets_all_in(&self) -> bool {
        let frozen = |client: &Client| client.frozen.stands();
        let table = &self.table;
        let free = table.frame != Frame::Whole
            || !(table.dropped.stands() || table.refused || table.sealed);
        (free || self.disk) && !self.clients.iter().any(frozen)
    }

    /// Notes that a rule was broken by a step.
    pub fn break_rule(&mut self, rule: Rule) {
        self.broken |= rule.bit();
    }
}
