//! The helper: has the capabilities, and carries out five orders for the process that listens.
//!
//! Owns nothing that could be told to it: its ports and its table are of its own reading of the configuration. Whoever is
//! at the other end can refuse or let in the clients of these ports, and with `closeIdle` end the server's input from one of
//! them: no more.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{Shutdown, SocketAddrAny, getpeername, getsockname, shutdown};
use serde_json::Value;

use crate::channel::Channel;
use crate::holders::Holders;
use crate::orders::{Answer, Change, Client, Given, Order, now};
use crate::rules::{FREEZE_LASTS, Rules, Standing};
use crate::steps;

/// Carries out orders for these rules.
pub struct Helper {
    rules: Rules,
    /// Whether sessions may be closed at all.
    closes: bool,
    holders: Holders,
    /// Until when each frozen client is for certain.
    frozen: HashMap<(u16, SocketAddr), Instant>,
}

type Done = Result<Option<Standing>, String>;

impl Helper {
    /// Of these rules; closes sessions only if `closes`.
    pub fn new(rules: Rules, closes: bool) -> Self {
        Self {
            rules,
            closes,
            holders: Holders::default(),
            frozen: HashMap::new(),
        }
    }

    /// Carries out what comes, one order after the other, until the other end is gone. Blocks; not within a task.
    ///
    /// # Errors
    /// When the sockets fail, as when the other end goes in the middle of an order.
    pub fn serve(mut self, listener: &Channel) -> io::Result<()> {
        while let Some(given) = listener.receive(None)? {
            let answer = self.answer(&given);
            if let Err(refused) = &answer.said {
                tracing::debug!(refused, "an order is not carried out");
            }
            listener.send(&answer)?;
        }
        Ok(())
    }

    fn answer(&mut self, given: &[u8]) -> Answer {
        let given: Given<Value> = match serde_json::from_slice(given) {
            Ok(given) => given,
            Err(error) => return not_an_order(0, &error),
        };
        let number = given.number;
        let order: Order = match serde_json::from_value(given.order) {
            Ok(order) => order,
            Err(error) => return not_an_order(number, &error),
        };
        if now() >= given.until {
            let said = Err("the order came too late".into());
            return Answer { number, said };
        }
        steps::done(&format!("took {}", order.name()));
        let said = self.carry_out(&order);
        let did = if said.is_ok() { "did" } else { "did not" };
        steps::done(&format!("{did} {}", order.name()));
        Answer { number, said }
    }

    fn carry_out(&mut self, order: &Order) -> Done {
        match order {
            Order::Look => return self.rules.standing().map(Some).map_err(said),
            Order::Install(begin) => {
                return self.rules.install(*begin).map(Some).map_err(said);
            }
            Order::Change(Change::Accept) => self.rules.accept().map_err(said),
            Order::Change(Change::Refuse) => self.rules.refuse().map_err(said),
            Order::Change(Change::Drop) => self.rules.drop_all().map_err(said),
            Order::Change(Change::Lift) => self.rules.lift().map_err(said),
            Order::Change(Change::Seal) => self.rules.seal().map_err(said),
            Order::Change(Change::Unseal) => self.rules.unseal().map_err(said),
            Order::Freeze { client, on } => {
                let client = self.own(client)?;
                if *on {
                    self.freeze(client)
                } else {
                    self.thaw(client)
                }
            }
            Order::ShutDown(client) => {
                let client = self.own(client)?;
                self.shut_down(client)
            }
        }?;
        Ok(None)
    }

    /// A client of one of its ports, where sessions are closed.
    fn own<'a>(&self, client: &'a Client) -> Result<&'a Client, String> {
        if !self.closes {
            return Err("closeIdle is false: nobody is closed".into());
        }
        if !self.rules.has(client.port) {
            return Err(format!("{} is none of the ports", client.port));
        }
        Ok(client)
    }

    /// Its socket is looked for first, which takes its time, unless the client is frozen already.
    fn freeze(&mut self, client: &Client) -> Result<(), String> {
        let begun = Instant::now();
        self.frozen.retain(|_, until| *until > begun);
        let who = (client.port, client.peer);
        if !self.frozen.contains_key(&who) {
            self.socket(client)?;
        }
        let until = Instant::now() + FREEZE_LASTS / 2;
        self.rules.freeze(client).map_err(said)?;
        self.frozen.insert(who, until);
        Ok(())
    }

    fn thaw(&mut self, client: &Client) -> Result<(), String> {
        self.frozen.remove(&(client.port, client.peer));
        self.rules.thaw(client).map_err(said)
    }

    /// Only of a client that is still frozen: nothing that it sends is acknowledged.
    fn shut_down(&mut self, client: &Client) -> Result<(), String> {
        let socket = self.socket(client)?;
        let until = self.frozen.get(&(client.port, client.peer));
        if until.is_none_or(|until| Instant::now() >= *until) {
            return Err("the client is not frozen".into());
        }
        shutdown(socket, Shutdown::Read).map_err(said)
    }

    /// A duplicate of the server's socket, if it is the one of this client.
    fn socket(&mut self, client: &Client) -> Result<OwnedFd, String> {
        let socket = self.holders.duplicate(client.inode).map_err(said)?;
        let own = end(Some(getsockname(&socket).map_err(said)?)).map_err(said)?;
        let peer = end(getpeername(&socket).map_err(said)?).map_err(said)?;
        if own.1 != client.port || peer != (client.peer.ip(), client.peer.port()) {
            return Err(format!("socket {} is another's", client.inode));
        }
        Ok(socket)
    }
}

/// Address and port of one end of a connection.
fn end(address: Option<SocketAddrAny>) -> Result<(IpAddr, u16), Errno> {
    let address = SocketAddr::try_from(address.ok_or(Errno::NOTCONN)?)?;
    Ok((address.ip().to_canonical(), address.port()))
}

fn not_an_order(number: u64, error: &serde_json::Error) -> Answer {
    tracing::error!(%error, "what was asked for is none of the five orders");
    Answer {
        number,
        said: Err(format!("none of the orders: {error}")),
    }
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}
