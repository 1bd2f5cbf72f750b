//! What the process that listens may ask of the helper, which has the capabilities: five orders, over a pair of sockets.
//!
//! Owns their form and the asking. No order names a table, a rule, a program or a file, and a port only where the helper
//! compares it with its own. An order is carried out within its time or not at all, and what did not answer within it is
//! not known.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::channel::Channel;
use crate::nft;
use crate::rules::{Begin, Standing};
use crate::sockets::Socket;

/// How long an order may take. More than the helper gives the program `nft`, so that it is the helper who says that it hangs.
pub const PATIENCE: Duration = nft::PATIENCE.saturating_add(Duration::from_secs(1));

/// How long after one that was not answered.
const HANGING: Duration = Duration::from_secs(1);

/// The five.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Order {
    /// Say what stands in the table.
    Look,
    /// Put the table in place of whatever stands there, and say how it then looks.
    Install(Begin),
    /// Change what is refused at the ports, at all of them.
    Change(Change),
    /// Take no packet of this client any more, or again.
    Freeze {
        /// Whose.
        client: Client,
        /// No more, or again.
        on: bool,
    },
    /// End the server's input from this client, which is frozen.
    ShutDown(Client),
}

/// What may be changed; [`crate::rules::Rules`] has a function for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Change {
    Accept,
    Refuse,
    Drop,
    Lift,
    Seal,
    Unseal,
}

/// The client of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The server's port.
    pub port: u16,
    /// The client's address.
    pub peer: SocketAddr,
    /// The inode of the server's socket.
    pub inode: u32,
}

impl From<&Socket> for Client {
    fn from(socket: &Socket) -> Self {
        Self {
            port: socket.port,
            peer: socket.peer,
            inode: socket.inode,
        }
    }
}

impl Order {
    /// What it is called where its steps are told.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Install(_) => "install",
            Self::Change(Change::Accept) => "accept",
            Self::Change(Change::Refuse) => "refuse",
            Self::Change(Change::Drop) => "drop",
            Self::Change(Change::Lift) => "lift",
            Self::Change(Change::Seal) => "seal",
            Self::Change(Change::Unseal) => "unseal",
            Self::Freeze { on: true, .. } => "freeze",
            Self::Freeze { on: false, .. } => "thaw",
            Self::ShutDown(_) => "shut down",
        }
    }
}

/// An order on its way.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Given<Order> {
    /// The answer has the same.
    pub(crate) number: u64,
    /// Until when it may be begun, by [`now`].
    pub(crate) until: Duration,
    pub(crate) order: Order,
}

/// What became of an order.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) number: u64,
    pub(crate) said: Result<Option<Standing>, String>,
}

/// A clock that both processes have.
pub(crate) fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(
        now.tv_sec.unsigned_abs(),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// An order that was not carried out, or of which that is not known.
#[derive(Debug, Error)]
pub enum NotDone {
    /// Why the helper did not do it.
    #[error("{0}")]
    Refused(String),
    /// The helper hangs.
    #[error("the helper did not answer within {} s", PATIENCE.as_secs())]
    Slow,
    /// There is no helper any more, and soon no process that could ask it.
    #[error("the helper has ended")]
    Gone,
    /// The sockets.
    #[error("the helper cannot be asked: {0}")]
    Broken(#[from] std::io::Error),
}

/// Gives orders, one after the other; each blocks until it is answered.
#[derive(Debug, Clone)]
pub struct Orders(Arc<Mutex<Asking>>);

#[derive(Debug)]
struct Asking {
    helper: Channel,
    number: u64,
    /// The last order was not answered, and nothing since.
    hangs: bool,
}

impl Orders {
    /// Gives them to the helper at the other end.
    pub fn new(helper: Channel) -> Self {
        Self(Arc::new(Mutex::new(Asking {
            helper,
            number: 0,
            hangs: false,
        })))
    }

    /// What stands in the table.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn look(&self) -> Result<Standing, NotDone> {
        standing(self.give(Order::Look)?)
    }

    /// [`Order::Install`].
    ///
    /// # Errors
    /// When the table does not stand, or that is not known.
    pub fn install(&self, begin: Begin) -> Result<Standing, NotDone> {
        standing(self.give(Order::Install(begin))?)
    }

    /// [`Order::Change`].
    ///
    /// # Errors
    /// When it was not carried out, or that is not known.
    pub fn change(&self, change: Change) -> Result<(), NotDone> {
        self.give(Order::Change(change)).map(drop)
    }

    /// [`Order::Freeze`].
    ///
    /// # Errors
    /// When the client may not be what it is to be.
    pub(crate) fn freeze(&self, socket: &Socket, on: bool) -> Result<(), NotDone> {
        let client = socket.into();
        self.give(Order::Freeze { client, on }).map(drop)
    }

    /// [`Order::ShutDown`].
    ///
    /// # Errors
    /// When the client was not frozen for certain, or its socket cannot be reached.
    pub(crate) fn shut_down(&self, socket: &Socket) -> Result<(), NotDone> {
        self.give(Order::ShutDown(socket.into())).map(drop)
    }

    fn give(&self, order: Order) -> Result<Option<Standing>, NotDone> {
        let mut asking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asking.give(order)
    }
}

impl Asking {
    fn give(&mut self, order: Order) -> Result<Option<Standing>, NotDone> {
        self.number += 1;
        let patience = if self.hangs { HANGING } else { PATIENCE };
        let (number, until) = (self.number, now() + patience);
        self.hangs = true;
        self.helper
            .send(&Given {
                number,
                until,
                order,
            })
            .map_err(told)?;
        loop {
            let left = until.saturating_sub(now());
            let said = self.helper.receive(Some(left)).map_err(told)?;
            self.hangs = false;
            let answer: Answer = serde_json::from_slice(&said.ok_or(NotDone::Gone)?)
                .map_err(std::io::Error::other)?;
            // Another number is that of an order that nobody waits for any more.
            if answer.number == number {
                return answer.said.map_err(NotDone::Refused);
            }
        }
    }
}

fn told(error: std::io::Error) -> NotDone {
    match Errno::from_io_error(&error) {
        Some(Errno::AGAIN) => NotDone::Slow,
        Some(Errno::PIPE | Errno::CONNRESET) => NotDone::Gone,
        _ => NotDone::Broken(error),
    }
}

fn standing(said: Option<Standing>) -> Result<Standing, NotDone> {
    said.ok_or_else(|| NotDone::Refused("the helper does not say what stands".into()))
}
