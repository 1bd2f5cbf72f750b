//! The check: reads, asks whom the reading allows to seal, and concludes from what was acknowledged.

use super::{Calling, Mishap, Reply};
use crate::server::{Life, Order};
use crate::shipped;
use crate::shipped::{CONFIRMED, environment, instance, moment};
use crate::variants::Variant;
use crate::world::{Call, Listed, Mark, World};
use ebbtide_rules::Retiring;
use ebbtide_rules::check::{Deadline, Question, Standing, conclude, standing, whom_to_seal};
use ebbtide_rules::report::{Admission, Answer, NewerEpoch, Reading, SessionReport, UnknownReason};

impl Calling<'_> {
    /// Reads every server, asks one after the other to seal, and concludes.
    pub(super) fn check(&self, world: &mut World, listed: Listed, may_seal: bool) -> Reply {
        let mut marks = match self.call.marks {
            None => match self.readings(world, listed, may_seal) {
                Some(marks) => marks,
                None => return Reply::Failed,
            },
            Some(mut marks) => {
                if let Some(asked) = marks.iter().position(|mark| *mark == Mark::Asked) {
                    match self.acknowledgement(world, asked) {
                        Some(mark) => marks[asked] = mark,
                        None => return Reply::Waits,
                    }
                } else if let Some(next) = marks.iter().position(|mark| *mark == Mark::ToAsk) {
                    if world.servers[next].is_writing() {
                        return Reply::Waits;
                    }
                    marks[next] = self.ask_to_seal(world, next);
                }
                marks
            }
        };
        if marks
            .iter()
            .any(|mark| matches!(mark, Mark::ToAsk | Mark::Asked))
        {
            return Reply::Under(Call {
                marks: Some(marks),
                ..self.call
            });
        }
        if self.variant() == Variant::TimeoutIsZero {
            for mark in &mut marks {
                if *mark == Mark::Unknown {
                    *mark = Mark::Sealed;
                }
            }
        }
        self.conclude(marks, listed, may_seal)
    }

    fn readings(&self, world: &World, listed: Listed, may_seal: bool) -> Option<[Mark; 4]> {
        let phase = ebbtide_rules::wait::Phase::at(
            moment(self.call.age),
            self.moments().settled_at,
            self.moments().baked_at,
            may_seal,
        );
        let mut marks = [Mark::Unlisted; 4];
        let mut reports = Vec::new();
        for server in world.of(listed.servers) {
            let reading = self.read(world, server);
            let asked = whom_to_seal(&reading, phase);
            marks[server] = match &reading {
                Reading::Unknown(_) => Mark::Unknown,
                Reading::Report(_) if !asked => Mark::Held,
                Reading::Report(_) => match self.variant() {
                    Variant::NoSeal | Variant::RecheckNotSeal => Mark::Sealed,
                    _ => Mark::ToAsk,
                },
            };
            reports.extend(reading.report().cloned());
        }
        NewerEpoch::refuse(&self.fence(), &reports).ok()?;
        Some(marks)
    }

    fn ask_to_seal(&self, world: &mut World, server: usize) -> Mark {
        let answer = self.send(world, server, Order::Seal);
        match answer {
            // The server answers when its disk has.
            Answer::Report(_) => Mark::Asked,
            answer => self.mark(standing(
                counted_nothing(server),
                Some(answer),
                &self.fence(),
            )),
        }
    }

    fn acknowledgement(&self, world: &World, server: usize) -> Option<Mark> {
        let asked = &world.servers[server];
        if asked.is_writing() {
            return None;
        }
        let answer = if asked.life != Life::Up || self.mishap == Mishap::Unheard(server) {
            Answer::Unknown(UnknownReason::Broken)
        } else {
            let mut report = asked.report(instance(server), self.variant());
            if self.variant() == Variant::SealNotAtomic {
                (report.busy, report.idle) = (0, 0);
            }
            Answer::Report(report)
        };
        let stands = standing(counted_nothing(server), Some(answer), &self.fence());
        Some(self.mark(stands))
    }

    fn mark(&self, standing: Standing) -> Mark {
        match standing {
            Standing::Sealed(_) => Mark::Sealed,
            Standing::Held(report) if report.epoch > u64::from(self.call.epoch) => Mark::Newer,
            Standing::Held(_) => Mark::Held,
            Standing::Unknown(_) => Mark::Unknown,
        }
    }

    fn conclude(&self, marks: [Mark; 4], listed: Listed, may_seal: bool) -> Reply {
        let fence = self.fence();
        let report = |server, epoch| SessionReport {
            epoch,
            ..empty(server)
        };
        let standings: Vec<(String, Standing)> = (0..marks.len())
            .filter_map(|server| {
                let standing = match marks[server] {
                    Mark::Unlisted | Mark::ToAsk | Mark::Asked => return None,
                    Mark::Sealed => Standing::Sealed(report(server, fence.epoch)),
                    Mark::Held => Standing::Held(report(server, fence.epoch)),
                    Mark::Newer => Standing::Held(report(server, fence.epoch + 1)),
                    Mark::Unknown => Standing::Unknown(UnknownReason::TimedOut),
                };
                Some((instance(server).to_owned(), standing))
            })
            .collect();
        let moments = self.moments();
        let retiring = Retiring {
            environment: environment(listed.group),
            servers: Vec::new(),
            gone: Vec::new(),
            waiting_to_end: Vec::new(),
            listed_at: CONFIRMED,
        };
        let question = Question {
            fence: &fence,
            retiring: &retiring,
            settled_at: moments.settled_at,
            baked_at: moments.baked_at,
            step_began_at: None,
            step_ends_at: moments.step_ends_at,
            may_seal,
            deadline: Deadline {
                at: moments.deadline_at,
                term_seconds: 86_400,
                redrives: 0,
            },
            poll_seconds: 30,
            previous: None,
            refused: &[],
        };
        match conclude(&standings, &question, moment(self.call.age)) {
            Ok(check) => {
                Reply::Checked(shipped::set(&check.sealed), !check.baking && check.settled)
            }
            Err(_) => Reply::Failed,
        }
    }
}

pub(super) fn empty(server: usize) -> SessionReport {
    SessionReport {
        instance: instance(server).to_owned(),
        admission: Admission::Draining,
        epoch: 0,
        busy: 0,
        idle: 0,
        closed: 0,
        oldest_busy_seconds: 0,
    }
}

/// The reading of a server that was asked to seal: whoever counts anything is not asked.
pub(super) fn counted_nothing(server: usize) -> Reading {
    Reading::Report(empty(server))
}
