//! What clients, the kernel and the server do: packets pass the rules at one moment and arrive at a later one.

use super::Action;
use super::closing::{Closing, Doing};
use super::properties::Rule;
use super::variants::Variant;
use super::world::{Client, Data, Element, Ending, Frame, Line, Packet, Session, World};
use super::{Agents, gate};

/// How somebody changes the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flush {
    /// The whole table is deleted.
    Table,
    /// The chain is emptied, the sets stay.
    Chain,
    /// The sets are emptied, the chain stays.
    Sets,
}

impl Agents {
    /// What a client, its connection and the server may do now.
    pub(super) fn may_connect(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let other = || world.passes(number, Packet::Other, self.variant);
        match world.clients[number].line {
            Line::Away if world.passes(number, Packet::Syn, self.variant) => {
                actions.push(Action::Come(number));
            }
            Line::Away => {}
            Line::Knocking => {
                actions.push(Action::Land(number, false));
                if self.cookies {
                    actions.push(Action::Land(number, true));
                }
            }
            Line::Completing => actions.push(Action::Land(number, false)),
            Line::HalfOpen | Line::Cookie => {
                actions.push(Action::GiveUp(number));
                if other() {
                    actions.push(Action::Complete(number));
                }
            }
            Line::Open(session) => self.may_talk(session, other(), number, actions),
        }
        if self.may_thaw(world, number) {
            actions.push(Action::OlderFreeze(number));
        }
    }

    fn may_talk(&self, session: Session, passes: bool, number: usize, actions: &mut Vec<Action>) {
        let Session {
            accepted,
            data,
            ending,
            ..
        } = session;
        if !accepted {
            actions.push(Action::Accept(number));
        }
        if ending == Ending::Left {
            if accepted {
                actions.push(Action::Close(number));
            }
            return;
        }
        match data {
            Data::None => {
                if self.talks {
                    actions.push(Action::Say(number));
                }
                if passes {
                    actions.push(Action::Leave(number));
                }
            }
            Data::Said if passes => actions.push(Action::Send(number)),
            Data::Said => {}
            Data::Passed => actions.push(Action::Land(number, false)),
            Data::Unread if accepted && ending != Ending::Seen => {
                actions.push(Action::Read(number));
            }
            Data::Unread => {}
            Data::Worked => actions.push(Action::Reply(number)),
        }
        match ending {
            Ending::Shut if accepted && data != Data::Unread => {
                actions.push(Action::Notice(number))
            }
            Ending::Seen => actions.push(Action::Close(number)),
            _ => {}
        }
    }

    /// A freeze lapses, but for what is assumed: a server closes what has ended before the freeze is over.
    fn may_thaw(&self, world: &World, number: usize) -> bool {
        let client = world.clients[number];
        let closes = match client.line {
            Line::Open(session) => matches!(session.ending, Ending::Shut | Ending::Seen),
            _ => false,
        };
        matches!(client.frozen, Element::Fresh | Element::Aged)
            && (!closes || self.variant == Variant::ServerIsSlow)
    }

    /// Takes such a step.
    pub(super) fn connect(&self, world: &mut World, action: Action) {
        match action {
            Action::Come(number) => world.clients[number].line = Line::Knocking,
            Action::Land(number, cookie) => world.land(number, cookie),
            Action::Complete(number) => {
                let client = &mut world.clients[number];
                client.line = match client.line {
                    Line::Cookie => Line::Completing,
                    _ => established(),
                };
            }
            Action::GiveUp(number) => world.clients[number].line = Line::Away,
            Action::Accept(number) => world.session(number).accepted = true,
            Action::Say(number) => world.session(number).data = Data::Said,
            Action::Send(number) => world.session(number).data = Data::Passed,
            Action::Read(number) => world.session(number).data = Data::Worked,
            Action::Reply(number) => {
                world.session(number).data = Data::None;
                world.moves(number);
            }
            Action::Leave(number) => world.session(number).ending = Ending::Left,
            Action::Notice(number) => world.session(number).ending = Ending::Seen,
            Action::Close(number) => world.close(number),
            Action::OlderFreeze(number) => {
                let client = &mut world.clients[number];
                client.frozen = client.frozen.older();
                if client.frozen == Element::Off && self.variant != Variant::AgentIsHeldUp {
                    world.is_not_held_up(number);
                }
            }
            Action::OlderDrop => world.table.dropped = world.table.dropped.older(),
            Action::LapseRefusal => world.table.refused = false,
            Action::Flush(what) => world.flush(what),
            _ => {}
        }
    }
}

fn established() -> Line {
    Line::Open(Session {
        accepted: false,
        data: Data::None,
        ending: Ending::None,
        spoilt: false,
    })
}

impl World {
    fn session(&mut self, number: usize) -> &mut Session {
        match &mut self.clients[number].line {
            Line::Open(session) => session,
            line => unreachable!("{line:?} is no session"),
        }
    }

    /// Nothing of a client is under way any more.
    fn arrives(&mut self, number: usize) {
        if let Some(agent) = &mut self.agent {
            agent.awaited &= !(1 << number);
            if let Some(closing) = &mut agent.closing {
                closing.awaited &= !(1 << number);
            }
        }
    }

    fn land(&mut self, number: usize, cookie: bool) {
        self.arrives(number);
        let client = &mut self.clients[number];
        match &mut client.line {
            Line::Knocking if cookie => client.line = Line::Cookie,
            Line::Knocking => client.line = Line::HalfOpen,
            Line::Completing => client.line = established(),
            Line::Open(session) => {
                session.data = Data::Unread;
                self.moves(number);
            }
            Line::Away | Line::HalfOpen | Line::Cookie => {}
        }
    }

    /// The server closes a session whose client has left, or which it takes for that.
    fn close(&mut self, number: usize) {
        let session = *self.session(number);
        if matches!(session.data, Data::Unread | Data::Worked) && !session.spoilt {
            self.break_rule(Rule::NothingLost);
        }
        self.clients[number] = Client {
            line: Line::Away,
            frozen: Element::Off,
        };
        self.arrives(number);
        if let Some(closing) = self.closing(number) {
            closing.is_another = true;
        }
    }

    fn closing(&mut self, number: usize) -> Option<&mut Closing> {
        let closing = self.agent.as_mut()?.closing.as_mut()?;
        (closing.client == number).then_some(closing)
    }

    /// Assumed: an agent that has asked the clock shuts down within half of a freeze, or never.
    fn is_not_held_up(&mut self, number: usize) {
        if let Some(closing) = self.closing(number)
            && closing.doing == Doing::ShutDown
        {
            closing.doing = Doing::Thaw;
        }
    }

    /// The kernel's figures of a connection change.
    fn moves(&mut self, number: usize) {
        if let Some(closing) = self.closing(number) {
            closing.moved = true;
        }
    }

    fn flush(&mut self, what: Flush) {
        self.flushes -= 1;
        if what == Flush::Chain {
            self.table.frame = Frame::Emptied;
        } else {
            self.table.empty();
            for client in &mut self.clients {
                client.frozen = Element::Off;
            }
        }
        if what == Flush::Table {
            self.table.frame = Frame::Missing;
        }
        (self.promised, self.flushed) = (false, true);
        for number in 0..self.clients.len() {
            let chosen = gate::is_being_closed(self, number);
            if let Line::Open(session) = &mut self.clients[number].line {
                session.spoilt |= chosen || matches!(session.ending, Ending::Shut | Ending::Seen);
            }
        }
    }
}
