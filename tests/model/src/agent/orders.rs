//! What is asked of an agent, after `server/endpoint/src/control.rs`: one order at a time, and what it does to admission.

use ebbtide_endpoint::admission::{Event, Mode, State};
use ebbtide_endpoint::order::Kind;

use super::Agents;
use super::gate::{Failed, Run, Step, setting};
use super::world::{Element, Frame, Process, World};

/// What steps are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    /// The agent starts.
    Start,
    /// An order.
    Order(Kind),
    /// A report.
    Read,
    /// Rules that somebody has changed are put back.
    KeepUp,
}

/// Whose next step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Thread {
    /// Whoever carries out the order.
    Order,
    /// Whoever puts rules back.
    KeepUp,
    /// Whoever closes idle sessions.
    Closing,
}

impl Agents {
    /// Starts it; what it once froze has lapsed since (the unit restarts it after a second).
    pub(super) fn may_start(world: &World) -> bool {
        world.agent.is_none() && world.clients.iter().all(|it| it.frozen == Element::Off)
    }

    pub(super) fn start(world: &mut World) {
        let target = if world.disk { Mode::Sealed } else { Mode::Open };
        world.agent = Some(Process {
            admission: State::start(world.disk),
            mode: Mode::Open,
            installed: false,
            shut: false,
            draining: false,
            order: Some(Run::new(Job::Start, Step::Install, target, target)),
            keeping: None,
            awaited: 0,
            closing: None,
        });
    }

    /// An order arrives; false if it is refused at once.
    pub(super) fn begin(agent: &mut Process, job: Job) -> bool {
        let before = agent.admission.mode;
        let run = |step, target| Run::new(job, step, target, before);
        agent.order = match job {
            Job::Order(kind) => {
                let Ok(begun) = kind.begin(agent.admission) else {
                    return false;
                };
                agent.admission = begun;
                let target = kind.end(begun).map_or(before, |ended| ended.mode);
                Some(match kind {
                    Kind::Seal => run(Step::Look, Mode::Sealed),
                    _ => set(agent, run(Step::Install, target)),
                })
            }
            Job::Read if before == Mode::Sealed => Some(run(Step::AnswerRules, before)),
            _ => return false,
        };
        true
    }

    /// Whether rules that lapse by themselves, or that somebody has taken away, are to be put up again.
    pub(super) fn may_keep_up(world: &World, agent: &Process) -> bool {
        let starts = agent.order.is_some_and(|run| run.job == Job::Start);
        !starts && !agent.is_locked() && !world.stands(agent)
    }

    pub(super) fn keep_up(world: &mut World, agent: &mut Process) {
        if agent.mode == Mode::Draining || agent.mode == Mode::Sealing {
            world.table.refused |= world.table.frame != Frame::Missing;
        }
        if !world.stands(agent) {
            let (mode, was) = (agent.mode, agent.admission.mode);
            // A table that is whole stays while a seal waits for sessions to end: a new one would thaw whom it freezes.
            let stays = mode == Mode::Sealed && world.is_untouched(agent);
            agent.installed = stays;
            world.table.refused |= stays;
            let step = if stays { Step::Written } else { Step::Install };
            agent.keeping = Some(Run::new(Job::KeepUp, step, mode, was));
        }
    }

    /// The next step of a thread; false while it has to wait.
    pub(super) fn go_on(&self, world: &mut World, agent: &mut Process, thread: Thread) -> Next {
        match thread {
            Thread::Order => self.order(world, agent),
            Thread::KeepUp => {
                let next = agent
                    .keeping
                    .and_then(|run| world.gate(self.variant, agent, run));
                agent.keeping = match next {
                    None => return Next::Waits,
                    Some(run) => (!matches!(run.step, Step::Over(_))).then_some(run),
                };
                Next::Lives
            }
            Thread::Closing => self.close_on(world, agent),
        }
    }

    fn order(&self, world: &mut World, agent: &mut Process) -> Next {
        let Some(run) = agent.order else {
            return Next::Waits;
        };
        let next = match run.step {
            Step::Write => {
                world.disk = true;
                let written = Run {
                    written: true,
                    ..run
                };
                Some(set(agent, written))
            }
            Step::Over(failed) => return Self::over(world, agent, run, failed),
            _ if agent.keeping.is_some() => None,
            _ => world.gate(self.variant, agent, run),
        };
        match next {
            None => Next::Waits,
            Some(run) => {
                agent.order = Some(run);
                Next::Lives
            }
        }
    }

    /// The gate has done its part.
    fn over(world: &World, agent: &mut Process, run: Run, failed: Option<Failed>) -> Next {
        agent.order = None;
        match (run.job, failed) {
            (Job::Start, Some(Failed::InUse)) if world.disk => {
                agent.admission.mode = Mode::Sealing;
            }
            (Job::Start, Some(_)) => return Next::Dies,
            // It is refused: back to what was before, unless the disk may say sealed.
            (Job::Order(Kind::Seal), Some(_)) if run.was_first() => {
                agent.order = unsealed(world, agent, run);
            }
            (Job::Order(kind), None) if run.ends(kind) => {
                // Whoever closes a session holds the order to close.
                if kind != Kind::Drain && agent.closing.is_some() {
                    agent.order = Some(run);
                    return Next::Waits;
                }
                if let Ok(ended) = kind.end(agent.admission) {
                    agent.admission = ended;
                }
                agent.draining = match kind {
                    Kind::Drain => agent.admission.mode == Mode::Draining,
                    Kind::Resume | Kind::Seal => false,
                };
                if kind == Kind::Seal {
                    agent.order = Some(Run::new(
                        Job::Read,
                        Step::AnswerRules,
                        run.target,
                        run.target,
                    ));
                }
            }
            _ => {}
        }
        Next::Lives
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It was taken.
    Lives,
    /// It cannot be taken yet.
    Waits,
    /// It was taken, and the agent ends itself.
    Dies,
}

/// Sets a mode; puts the table there before, if it is not.
fn set(agent: &Process, run: Run) -> Run {
    let step = if agent.installed {
        setting(run.target)
    } else {
        Step::Install
    };
    Run {
        again: false,
        ..run.at(step)
    }
}

/// A seal that found something in use, or could not tell.
fn unsealed(world: &World, agent: &mut Process, run: Run) -> Option<Run> {
    if !world.disk {
        let back = [Event::AbandonSeal, Event::Resume];
        let steps = if run.before == Mode::Open { 2 } else { 1 };
        for event in &back[..steps] {
            agent.admission = agent.admission.apply(*event).unwrap_or(agent.admission);
        }
    }
    let mode = agent.admission.mode;
    let undo = Run {
        target: mode,
        ..run
    };
    (mode != Mode::Sealed).then(|| set(agent, undo))
}

impl Run {
    /// Whether a seal is still to be written: what fails then never happened.
    fn was_first(self) -> bool {
        self.target == Mode::Sealed && !self.written
    }

    /// Whether an order that has come so far is carried out; a seal that was taken back is not.
    fn ends(self, kind: Kind) -> bool {
        kind != Kind::Seal || self.target == Mode::Sealed
    }
}
