//! The check: reads, asks whom the reading allows to seal, and concludes from what was acknowledged.

use ebbtide_endpoint::admission::Mode;
use ebbtide_rules::check::{Standing, conclude, standing, whom_to_seal};
use ebbtide_rules::report::{
    Admission, NewerEpoch, Reading, Refusal, Reply, SessionReport, UnknownReason,
};
use ebbtide_rules::wait::Stage;
use ebbtide_rules::weights::Moments;
use ebbtide_rules::{ErrorName, Failure as _};

use super::{Calling, Mishap, Returned, Told};
use crate::clock::NOW;
use crate::server::{Life, Order};
use crate::variants::Variant;
use crate::world::{Call, Mark, SERVERS, World};

impl Calling<'_> {
    /// Reads every server, asks one after the other to seal, and concludes.
    pub(super) fn check(&self, world: &mut World) -> Option<Returned> {
        let servers = self.known(world, &self.document.retiring().ok()?.servers);
        let mut marks = match self.call.marks {
            None => match self.readings(world, servers) {
                Some(marks) => marks,
                None => return Some(Returned::Failed(ErrorName::Superseded)),
            },
            Some(mut marks) => {
                if let Some(asked) = marks.iter().position(|mark| *mark == Mark::Asked) {
                    match self.acknowledgement(world, asked) {
                        Some(mark) => marks[asked] = mark,
                        None => return Some(Returned::Waits),
                    }
                } else if let Some(next) = marks.iter().position(|mark| *mark == Mark::ToAsk) {
                    if world.servers[next].is_writing() {
                        return Some(Returned::Waits);
                    }
                    marks[next] = self.ask_to_seal(world, next);
                }
                marks
            }
        };
        let open = |mark: &Mark| matches!(mark, Mark::ToAsk | Mark::Asked);
        if marks.iter().any(open) {
            return Some(Returned::Under(Call {
                marks: Some(marks),
                ..self.call
            }));
        }
        if self.variant() == Variant::TimeoutIsZero {
            for mark in &mut marks {
                if *mark == Mark::Unknown {
                    *mark = Mark::Sealed;
                }
            }
        }
        self.conclude(world, marks)
    }

    fn may_seal(&self) -> bool {
        self.document.may_seal() || self.variant() == Variant::SealedBeforeTheBakeEnds
    }

    fn moments(&self) -> Option<Moments> {
        let mut moments = self.document.moments()?;
        if self.variant() == Variant::SealedBeforeTheBakeEnds {
            moments.baked_at = moments.settled_at;
        }
        Some(moments)
    }

    fn readings(&self, world: &World, servers: u8) -> Option<[Mark; SERVERS]> {
        let moments = self.moments();
        let (settled_at, baked_at) =
            moments.map_or((None, None), |it| (it.settled_at, it.baked_at));
        let stage = Stage::at(NOW, settled_at, baked_at, self.may_seal());
        let mut marks = [Mark::Unlisted; SERVERS];
        let mut reports = Vec::new();
        for server in world.of(servers) {
            let reading = self.read(world, server);
            let asked = whom_to_seal(&reading, stage);
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
        NewerEpoch::refuse(&self.fence, &reports).ok()?;
        Some(marks)
    }

    fn ask_to_seal(&self, world: &mut World, server: usize) -> Mark {
        match self.send(world, server, Order::Seal) {
            // The server answers when its disk has.
            Reply::Report(_) => Mark::Asked,
            answer => self.mark(standing(counted_nothing(), Some(answer), &self.fence)),
        }
    }

    fn acknowledgement(&self, world: &World, server: usize) -> Option<Mark> {
        let asked = &world.servers[server];
        if asked.is_writing() {
            return None;
        }
        let answer = if asked.life != Life::Up || self.mishap == Mishap::Unheard(server) {
            Reply::Unknown(UnknownReason::Broken)
        } else if asked.has_agent() && asked.admission.mode != Mode::Sealed {
            let report = asked.report(&world.instance(server), self.variant());
            Reply::Refused(Refusal::InUse, report)
        } else {
            let mut report = asked.report(&world.instance(server), self.variant());
            if self.variant() == Variant::SealNotAtomic {
                (report.busy, report.idle) = (0, 0);
            }
            Reply::Report(report)
        };
        Some(self.mark(standing(counted_nothing(), Some(answer), &self.fence)))
    }

    fn mark(&self, standing: Standing) -> Mark {
        match standing {
            Standing::Sealed(_) => Mark::Sealed,
            Standing::Held(report) if report.epoch > self.fence.epoch => Mark::Newer,
            Standing::Held(_) => Mark::Held,
            Standing::Unknown(_) => Mark::Unknown,
        }
    }

    fn conclude(&self, world: &World, marks: [Mark; SERVERS]) -> Option<Returned> {
        let report = |epoch| SessionReport { epoch, ..empty() };
        let epoch = self.fence.epoch;
        let standings: Vec<(String, Standing)> = (0..world.servers.len())
            .filter_map(|server| {
                let standing = match marks[server] {
                    Mark::Unlisted | Mark::ToAsk | Mark::Asked => return None,
                    Mark::Sealed => Standing::Sealed(report(epoch)),
                    Mark::Held => Standing::Held(report(epoch)),
                    Mark::Newer => Standing::Held(report(epoch + 1)),
                    Mark::Unknown => Standing::Unknown(UnknownReason::TimedOut),
                };
                Some((world.instance(server), standing))
            })
            .collect();
        let invocation = self.invocation(world);
        let mut question = invocation.check(&self.fence).ok()?;
        if self.variant() == Variant::SealedBeforeTheBakeEnds {
            (question.may_seal, question.baked_at) = (true, question.settled_at);
        }
        Some(match conclude(&standings, &question, NOW) {
            Ok(check) => Returned::Answer(Told::Checked(check)),
            Err(refused) => Returned::Failed(refused.name()),
        })
    }
}

fn empty() -> SessionReport {
    SessionReport {
        instance: String::new(),
        admission: Admission::Draining,
        epoch: 0,
        busy: 0,
        idle: 0,
        closed: 0,
        oldest_busy_seconds: 0,
        agent: false,
    }
}

/// The reading of a server that was asked to seal: whoever counts anything is not asked.
fn counted_nothing() -> Reading {
    Reading::Report(empty())
}
