//! A server with an agent beside it: connections come and go in the kernel, and the agent refuses and counts there.
//!
//! Each step is what the agent's own model (`agent.rs`) makes of many: a seal is tried, written and enforced. What an agent's
//! refusals of new connections do not hold back, and what lapses, comes in.

use super::{Endpoint, Life, Sent, Server};
use ebbtide_endpoint::admission::{self, Event, Mode, State};
use ebbtide_endpoint::order::Kind;

impl Server {
    /// Whether an agent speaks for it.
    pub(crate) fn has_agent(&self) -> bool {
        self.endpoint == Endpoint::Agent
    }

    /// Whether its process takes and serves sessions; an agent's death is not the server's.
    pub(crate) fn serves(&self) -> bool {
        self.life == Life::Up || (self.life == Life::Down && self.has_agent())
    }

    /// A handshake begins of which nothing is kept, or whose packet has not arrived; false if it is refused. Where new
    /// connections are refused that may have lapsed.
    pub(crate) fn knock(&mut self) -> bool {
        self.knocking += u8::from(!self.barred);
        !self.barred
    }

    /// It becomes a session; false once everything is refused for good.
    pub(crate) fn come_in(&mut self) -> bool {
        self.knocking -= 1;
        self.slip_in()
    }

    /// A session comes although new ones are refused: the refusal has lapsed.
    pub(crate) fn slip_in(&mut self) -> bool {
        self.busy += u8::from(!self.barred);
        !self.barred
    }

    /// The first half of a seal: everything is kept out, and nothing is in use.
    ///
    /// # Errors
    /// Something is in use; then nothing has changed.
    pub(crate) fn shut(&mut self, sent: Sent) -> Result<(), admission::Refusal> {
        let begun = Kind::Seal.begin(self.admission)?;
        if self.holds() {
            return Err(admission::Refusal::InUse(u64::from(self.busy + self.idle)));
        }
        self.admission = begun;
        self.sealing = Some(sent);
        Ok(())
    }

    /// The seal is on the disk. Nothing is acknowledged or enforced yet.
    pub(crate) fn keep_seal(&mut self) {
        if let Some(sent) = self.sealing {
            self.epoch = sent.epoch;
            self.promised = Some(sent.deployment);
        }
        self.kept_seal = true;
    }

    /// Everything is refused for good, if nothing came in meanwhile; otherwise the order is refused.
    pub(crate) fn enforce(&mut self) {
        self.sealing = None;
        if self.holds() {
            return;
        }
        self.barred = true;
        if let Ok(sealed) = Kind::Seal.end(self.admission) {
            self.admission = sealed;
        }
    }

    /// It cannot be told whether anything came in meanwhile: the order has failed.
    pub(crate) fn falter(&mut self) {
        self.sealing = None;
    }

    /// The agent dies. Server, sessions and what is refused for good stay.
    pub(crate) fn orphan(&mut self) {
        self.life = Life::Down;
        (self.sealing, self.late) = (None, None);
        self.admission = State::start(false);
    }

    /// The agent starts again: a seal on the disk is enforced again, unless something has come in, and left if it must have.
    pub(crate) fn rejoin(&mut self, something_came: bool) {
        self.life = Life::Up;
        self.admission = State::start(self.kept_seal);
        if self.kept_seal && !self.barred && (something_came || self.holds()) {
            self.admission.mode = Mode::Sealing;
        } else {
            self.barred |= self.kept_seal;
        }
    }

    /// A session enters or leaves a server: the library counts it, an agent asks the kernel.
    pub(super) fn applies(&self, event: Event) -> Result<State, admission::Refusal> {
        if !self.has_agent() {
            return self.admission.apply(event);
        }
        let refuses = self.life == Life::Up && self.admission.mode != Mode::Open;
        if event == Event::EnterSession && (self.barred || refuses) {
            return Err(admission::Refusal::Draining);
        }
        Ok(self.admission)
    }
}
