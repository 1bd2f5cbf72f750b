//! A server in memory, for the tests of what calls servers: the decisions of the one that ships, without its disk, its
//! clock, its tasks and its sockets.
//!
//! Owns nothing that it decides: orders are read, checked and carried out by the code of [`crate::order`], and answered
//! by that of [`crate::wire`]. Whoever has it says what it holds.

use serde_json::{Value, json};

use crate::admission::{Mode, State};
use crate::kept::Kept;
use crate::order::{Kind, Order, Refused, What};
use crate::report::{Report, VERSION};

/// What a server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// What a restart would find.
    pub kept: Kept,
    /// What is done with new work, and how much is in use.
    pub admission: State,
    /// Sessions closed by orders since draining began.
    pub closed: u64,
    /// Who reports for it, if it does not itself.
    pub agent: Option<&'static str>,
}

impl Server {
    /// An open server that has never been spoken to, and holds nothing.
    pub fn new(instance: &str) -> Self {
        Self {
            kept: Kept::new(instance),
            admission: State::start(false),
            closed: 0,
            agent: None,
        }
    }

    /// The process starts again, and reads what it kept.
    pub fn restart(&mut self) {
        self.admission = State::start(self.kept.sealed);
        self.closed = 0;
    }

    /// Carries out an order; all that it writes is kept at once.
    ///
    /// # Errors
    /// Why it is refused; nothing changes then.
    pub fn order(&mut self, order: &Order) -> Result<(), Refused> {
        self.kept.admits(order)?;
        let kind = order.what.kind();
        let begun = kind.begin(self.admission)?;
        if kind == Kind::Drain && self.admission.mode == Mode::Open {
            self.closed = 0;
        }
        self.kept = self.kept.after(order);
        self.admission = kind.end(begun)?;
        Ok(())
    }

    /// Answers an order as the endpoint does over HTTP, with a status and a body, and says what was ordered if it was
    /// carried out. `busy` and `idle` are what the report says.
    pub fn answer(
        &mut self,
        kind: Kind,
        body: &[u8],
        (busy, idle): (u64, u64),
    ) -> (u16, Value, Option<What>) {
        let order = match Order::read(kind, body) {
            Ok(order) => order,
            Err(ill_formed) => {
                let message = ill_formed.to_string();
                let problem = json!({ "error": "InvalidRequest", "message": message });
                return (400, problem, None);
            }
        };
        match self.order(&order) {
            Ok(()) => (200, json!(self.report((busy, idle))), Some(order.what)),
            Err(refused) => {
                let body = refused.beside(&self.report((busy, idle)));
                (refused.status(), body, None)
            }
        }
    }

    /// Its report, if it holds so many busy and idle sessions.
    pub fn report(&self, (busy, idle): (u64, u64)) -> Report {
        Report {
            version: VERSION,
            instance: self.kept.instance.clone(),
            admission: self.admission.mode.reported(),
            epoch: self.kept.epoch,
            busy,
            idle,
            closed: self.closed,
            oldest_busy_seconds: if busy > 0 { 431 } else { 0 },
            agent: self.agent,
        }
    }
}
