//! The gate, step by step, after `server/agent/src/gate.rs`: the rule, the barrier, the count.
//!
//! One at a time holds its lock: an order from its first step in the kernel to its last, or the putting back of rules.

use ebbtide_endpoint::admission::Mode;

use super::orders::Job;
use super::variants::Variant;
use super::world::{Element, Frame, Process, World};

/// Why the gate did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failed {
    /// Something is in use.
    InUse,
    /// It cannot be told, or cannot be done.
    Unknown,
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Whether anything is in use; nothing is dropped before.
    Look,
    /// Everything is dropped, for a while.
    Drop,
    /// The barrier begins.
    Bar,
    /// It waits for the packets that are under way.
    Await,
    /// What is in use is counted.
    Count,
    /// Whether the drop has stood all the while, and what was counted is nothing.
    Judge,
    /// The drop is taken away.
    Lift(Failed),
    /// The seal is written. Nobody holds the lock.
    Write,
    /// The table is put there anew.
    Install,
    /// Nothing is refused any more.
    Accept,
    /// New connections are refused.
    Refuse,
    /// A drop that stands is taken away.
    LiftOld,
    /// The seal is on the disk: whether the rules are the agent's own.
    Written,
    /// Everything is refused for good, where the drop stands still.
    Bolt,
    /// The barrier after that begins.
    BarAgain,
    /// It waits.
    AwaitAgain,
    /// What is in use is counted again.
    CountAgain,
    /// Whether that stands, and nothing is in use.
    JudgeAgain,
    /// It is taken back.
    Unbolt,
    /// The seal is enforced later; until then new connections are refused.
    Later(Failed),
    /// Before the answer: whether the rules stand.
    AnswerRules,
    /// And what the sockets say.
    AnswerSockets,
    /// It is over; the order's end is not the gate's.
    Over(Option<Failed>),
}

/// A sequence of steps under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// What for.
    pub job: Job,
    /// The next step.
    pub step: Step,
    /// What is to be set.
    pub target: Mode,
    /// What admission was before.
    pub before: Mode,
    /// Whether this run has written the seal.
    pub written: bool,
    /// Whether everything is shut a second time, for a seal that is on the disk.
    pub again: bool,
    /// Whether the last count found anything.
    pub held: bool,
}

impl Run {
    pub(super) fn new(job: Job, step: Step, target: Mode, before: Mode) -> Self {
        Self {
            job,
            step,
            target,
            before,
            written: false,
            again: false,
            held: false,
        }
    }

    pub(super) fn at(self, step: Step) -> Self {
        Self { step, ..self }
    }

    /// Whether it holds the gate's lock.
    fn holds_lock(self) -> bool {
        !matches!(self.step, Step::Write | Step::Over(_))
    }

    /// Seals' second half, and the putting back of a seal's rules, fail differently.
    fn fails(self, why: Failed) -> Self {
        let step = match self.job {
            Job::KeepUp => Step::Over(Some(why)),
            _ => Step::Later(why),
        };
        self.at(step)
    }

    /// Nothing could be kept out.
    fn stays_open(self, why: Failed) -> Self {
        if self.again {
            self.fails(why)
        } else {
            self.at(Step::Over(Some(why)))
        }
    }
}

impl Process {
    /// Whether somebody is in the gate.
    pub(super) fn is_locked(&self) -> bool {
        self.keeping.is_some() || self.order.is_some_and(Run::holds_lock)
    }
}

pub(super) fn is_being_closed(world: &World, number: usize) -> bool {
    let closing = world.agent.and_then(|agent| agent.closing);
    closing.is_some_and(|closing| closing.client == number)
}

impl World {
    /// Whether the rules are as the agent has put them there.
    pub(super) fn is_untouched(&self, agent: &Process) -> bool {
        agent.installed && self.table.frame == Frame::Whole
    }

    /// Whether what was set last stands.
    pub(super) fn stands(&self, agent: &Process) -> bool {
        let table = &self.table;
        self.is_untouched(agent)
            && match agent.mode {
                Mode::Open => {
                    !table.refused && !table.sealed && (agent.shut || !table.dropped.stands())
                }
                Mode::Draining | Mode::Sealing => table.refused && !table.sealed,
                Mode::Sealed => table.sealed,
            }
    }

    /// Takes the next step. None while it has to wait.
    pub(super) fn gate(&mut self, variant: Variant, agent: &mut Process, run: Run) -> Option<Run> {
        let missing = self.table.frame == Frame::Missing;
        Some(match run.step {
            Step::Look | Step::Drop | Step::Bar | Step::Await | Step::Count | Step::Judge => {
                return self.shut(variant, agent, run);
            }
            Step::Lift(why) => {
                self.table.dropped = Element::Off;
                run.stays_open(why)
            }
            Step::Install => self.install(variant, agent, run),
            Step::Accept | Step::Refuse | Step::LiftOld if missing => {
                run.at(Step::Over(Some(Failed::Unknown)))
            }
            Step::Accept => {
                (self.table.refused, self.table.dropped) = (false, Element::Off);
                done(agent, run)
            }
            Step::Refuse => {
                self.table.refused = true;
                run.at(Step::LiftOld)
            }
            Step::LiftOld => {
                self.table.dropped = Element::Off;
                done(agent, run)
            }
            Step::Written if !self.is_untouched(agent) => run.fails(Failed::Unknown),
            Step::Written if self.table.sealed => run.at(Step::BarAgain),
            Step::Written => run.at(Step::Bolt),
            Step::Bolt => self.bolt(variant, agent, run),
            Step::BarAgain => self.bar(variant, agent, run, Step::AwaitAgain, Step::CountAgain),
            Step::AwaitAgain => return self.awaited(agent, run, Step::CountAgain),
            Step::CountAgain => self.count(run, Step::JudgeAgain),
            Step::JudgeAgain if !self.is_untouched(agent) || !self.table.sealed => {
                run.fails(Failed::Unknown)
            }
            Step::JudgeAgain if run.held => run.at(Step::Unbolt),
            Step::JudgeAgain => done(agent, run),
            Step::Unbolt if missing => run.fails(Failed::Unknown),
            Step::Unbolt => {
                self.table.empty();
                self.table.refused = true;
                run.fails(Failed::InUse)
            }
            Step::Later(why) => {
                if agent.mode != Mode::Sealed {
                    (agent.mode, agent.shut) = (Mode::Sealing, false);
                }
                self.table.refused |= !missing;
                run.at(Step::Over(Some(why)))
            }
            Step::AnswerRules if self.stands(agent) => run.at(Step::AnswerSockets),
            Step::AnswerRules => run.at(Step::Over(Some(Failed::Unknown))),
            Step::AnswerSockets => {
                if self.connected() == 0 && agent.admission.mode == Mode::Sealed {
                    self.promised = !self.flushed;
                }
                run.at(Step::Over(None))
            }
            Step::Write | Step::Over(_) => unreachable!("{run:?} is not in the gate"),
        })
    }

    /// Drop, barrier, count.
    fn shut(&mut self, variant: Variant, agent: &mut Process, run: Run) -> Option<Run> {
        Some(match run.step {
            Step::Look if !self.is_untouched(agent) => run.stays_open(Failed::Unknown),
            Step::Look if self.connected() > 0 => run.stays_open(Failed::InUse),
            Step::Look => run.at(Step::Drop),
            Step::Drop if self.table.frame == Frame::Missing => run.at(Step::Lift(Failed::Unknown)),
            Step::Drop => {
                self.flushed &= self.table.frame != Frame::Whole;
                self.table.dropped = match variant {
                    Variant::DropLasts => Element::Lasting,
                    _ => Element::Fresh,
                };
                match variant {
                    Variant::CountBeforeRule => nothing_came(variant, agent, run),
                    _ => run.at(Step::Bar),
                }
            }
            Step::Bar => self.bar(variant, agent, run, Step::Await, Step::Count),
            Step::Await => return self.awaited(agent, run, Step::Count),
            Step::Count => self.count(run, Step::Judge),
            _ => self.judge(variant, agent, run),
        })
    }

    fn judge(&self, variant: Variant, agent: &mut Process, run: Run) -> Run {
        if !self.is_untouched(agent) {
            return run.at(Step::Lift(Failed::Unknown));
        }
        if run.held {
            return run.at(Step::Lift(Failed::InUse));
        }
        match self.table.dropped {
            Element::Fresh | Element::Lasting => nothing_came(variant, agent, run),
            Element::Aged | Element::Off => run.at(Step::Lift(Failed::Unknown)),
        }
    }

    fn bar(&self, variant: Variant, agent: &mut Process, run: Run, wait: Step, count: Step) -> Run {
        if variant == Variant::NoBarrier {
            return run.at(count);
        }
        agent.awaited = self.in_flight();
        run.at(wait)
    }

    fn awaited(&self, agent: &Process, run: Run, next: Step) -> Option<Run> {
        (agent.awaited & self.in_flight() == 0).then_some(run.at(next))
    }

    fn count(&self, run: Run, next: Step) -> Run {
        Run {
            held: self.connected() > 0,
            ..run.at(next)
        }
    }

    /// One transaction: what was there goes. A seal that stands stays, and everything is dropped until it is counted again.
    fn install(&mut self, variant: Variant, agent: &mut Process, run: Run) -> Run {
        let stood = run.job == Job::Start
            && run.target == Mode::Sealed
            && self.is_barred()
            && variant != Variant::StartLetsIn;
        self.table.empty();
        self.table.frame = Frame::Whole;
        self.table.refused = run.target != Mode::Open;
        if stood {
            (self.table.sealed, self.table.dropped) = (true, Element::Fresh);
        }
        for client in &mut self.clients {
            client.frozen = Element::Off;
        }
        (agent.installed, agent.shut, self.flushed) = (true, false, false);
        match (run.target, run.job) {
            (Mode::Sealed, _) => run.at(Step::Written),
            (_, Job::KeepUp) => run.at(Step::Over(None)),
            _ => run.at(setting(run.target)),
        }
    }

    /// One transaction: the drop's elements go, if they stand, and permanent ones come.
    fn bolt(&mut self, variant: Variant, agent: &mut Process, run: Run) -> Run {
        if self.table.dropped.stands() {
            (self.table.dropped, self.table.sealed) = (Element::Off, true);
            return match variant {
                Variant::BoltedBeforeWritten if !self.disk => run.at(Step::Write),
                Variant::CountBeforeRule => done(agent, run),
                _ => run.at(Step::BarAgain),
            };
        }
        if run.again {
            return run.fails(Failed::Unknown);
        }
        Run {
            again: true,
            ..run.at(Step::Look)
        }
    }
}

/// The first step of setting a mode, once the table stands.
pub(super) fn setting(target: Mode) -> Step {
    match target {
        Mode::Open => Step::Accept,
        Mode::Draining | Mode::Sealing => Step::Refuse,
        Mode::Sealed => Step::Written,
    }
}

/// Everything is shut, and nothing is in use.
fn nothing_came(variant: Variant, agent: &mut Process, run: Run) -> Run {
    agent.shut = true;
    let bolts = run.again || variant == Variant::BoltedBeforeWritten;
    run.at(if bolts { Step::Bolt } else { Step::Write })
}

/// What was to be set is set.
fn done(agent: &mut Process, run: Run) -> Run {
    (agent.mode, agent.shut) = (run.target, false);
    run.at(Step::Over(None))
}
