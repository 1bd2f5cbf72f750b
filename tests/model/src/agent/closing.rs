//! How an idle session is closed, after `server/agent/src/closing.rs`: freeze, barrier, look, shut down, and thaw once the
//! server has closed.

use super::Agents;
use super::orders::Next;
use super::variants::Variant;
use super::world::{Data, Element, Ending, Frame, Line, Process, World};

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    /// It is frozen.
    Freeze,
    /// The barrier begins.
    Bar,
    /// It waits for the client's packet that is under way.
    Await,
    /// Whether the rules are the agent's own.
    Rules,
    /// Whether anything has passed since it was chosen, or waits.
    Look,
    /// Whether half of the freeze is still to come.
    Clock,
    /// The server's side is shut down.
    ShutDown,
    /// It is thawed.
    Thaw,
}

/// An idle session that is being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Closing {
    /// Whose.
    pub client: usize,
    /// The next step.
    pub doing: Doing,
    /// Whether the kernel's figures of it have changed since it was chosen.
    pub moved: bool,
    /// Whether it is gone; what its client has now is another.
    pub is_another: bool,
    /// Whose packets the barrier waits for.
    pub awaited: u8,
}

impl Agents {
    /// Whether a session may be chosen: by its bytes it is idle, the server spoke last, and the order stands.
    pub(super) fn may_choose(world: &World, agent: &Process, number: usize) -> bool {
        let Line::Open(session) = world.clients[number].line else {
            return false;
        };
        // What the client's kernel holds cannot be seen.
        let unseen = matches!(session.data, Data::None | Data::Said | Data::Passed);
        agent.draining
            && agent.closing.is_none()
            && !agent.is_locked()
            && session.accepted
            && unseen
            && session.ending == Ending::None
    }

    pub(super) fn choose(&self, agent: &mut Process, number: usize) {
        let freezes = self.variant != Variant::NoFreeze;
        agent.closing = Some(Closing {
            client: number,
            doing: if freezes { Doing::Freeze } else { Doing::Bar },
            moved: false,
            is_another: false,
            awaited: 0,
        });
    }

    pub(super) fn close_on(&self, world: &mut World, agent: &mut Process) -> Next {
        let Some(closing) = agent.closing else {
            return Next::Waits;
        };
        let number = closing.client;
        let leave_alone = Doing::Thaw;
        let doing = match closing.doing {
            Doing::Freeze if world.table.frame == Frame::Missing => leave_alone,
            Doing::Freeze => {
                world.clients[number].frozen = Element::Fresh;
                Doing::Bar
            }
            Doing::Bar => {
                agent.closing = Some(Closing {
                    awaited: world.in_flight(),
                    doing: Doing::Await,
                    ..closing
                });
                return Next::Lives;
            }
            Doing::Await if closing.awaited & world.in_flight() != 0 => return Next::Waits,
            Doing::Await => Doing::Rules,
            Doing::Rules if agent.is_locked() => return Next::Waits,
            Doing::Rules if world.is_untouched(agent) => Doing::Look,
            Doing::Look if is_as_it_was(world, closing) => Doing::Clock,
            Doing::Clock if self.is_trusted(world, number) => Doing::ShutDown,
            Doing::Rules | Doing::Look | Doing::Clock => leave_alone,
            Doing::ShutDown => {
                self.shut_down(world, closing);
                agent.closing = None;
                return Next::Lives;
            }
            Doing::Thaw => {
                world.clients[number].frozen = Element::Off;
                agent.closing = None;
                return Next::Lives;
            }
        };
        agent.closing = Some(Closing { doing, ..closing });
        Next::Lives
    }

    fn is_trusted(&self, world: &World, number: usize) -> bool {
        let unasked = matches!(self.variant, Variant::NoFreeze | Variant::ClockNotRead);
        unasked || world.clients[number].frozen == Element::Fresh
    }

    /// It stays frozen until the server has closed it.
    fn shut_down(&self, world: &mut World, closing: Closing) {
        let client = &mut world.clients[closing.client];
        if self.variant == Variant::ThawedEarly {
            client.frozen = Element::Off;
        }
        // Of another connection the agent has no descriptor.
        if let (Line::Open(session), false) = (&mut client.line, closing.is_another)
            && session.ending == Ending::None
        {
            session.ending = Ending::Shut;
        }
    }
}

/// Nothing has come, nothing was sent, nothing waits.
fn is_as_it_was(world: &World, closing: Closing) -> bool {
    let Line::Open(session) = world.clients[closing.client].line else {
        return false;
    };
    !closing.moved
        && !closing.is_another
        && session.ending == Ending::None
        && session.data != Data::Unread
}
