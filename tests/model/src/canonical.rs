//! One state for all that nobody can tell apart any more: what is never read again is forgotten.
//!
//! Sound, because a forgotten field has no reader left. Turns are numbered anew in each execution: they are compared
//! within one execution only, and what was next to each other stays so.

mod document;
mod record;

use ebbtide_rules::document::Document;
use ebbtide_rules::record::{Answer, Record};

use crate::clock::Clock;
use crate::definition::DEFINITION;
use crate::kept::{Id, Keep, Memo};
use crate::model::Deployments;
use crate::server::{Life, Server};
use crate::variants::Variant;
use crate::world::{Status, World};

pub(crate) use document::forget_before;

/// Normal forms that were computed before.
#[derive(Default)]
pub(crate) struct Forms {
    documents: Memo<(Id<Document>, u8, Option<u64>), Id<Document>>,
    records: Memo<(Id<Record>, u8, Vec<Asking>), Id<Record>>,
    answers: Memo<(Id<Answer>, u8), Id<Answer>>,
}

/// An execution that may yet ask, and its turns: each as it was, and as it is to be.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Asking {
    arn: Id<String>,
    turns: Vec<(u64, u64)>,
}

impl Asking {
    fn turn(&self, turn: u64) -> u64 {
        let found = self.turns.iter().find(|(was, _)| *was == turn);
        found.map_or(turn, |(_, is)| *is)
    }
}

/// An answer, without what only people read.
///
/// When it was given is forgotten later, once what it puts an end to is known to be over.
pub(crate) fn answer(clock: Clock, answer: &Answer) -> Answer {
    Answer {
        at: answer.at,
        ..record::answer(clock, answer, 0)
    }
}

/// A record, without what only people read.
pub(crate) fn record(clock: Clock, record: &Record) -> Record {
    record::plain(clock, record, 0)
}

impl World {
    /// Forgets what has no reader, after `ticks` have passed.
    pub(crate) fn forget_the_unread(&mut self, model: &Deployments, ticks: u8) {
        self.forget_servers();
        self.forget_executions();
        let asking = self.asking();
        let forms = &model.forms;
        let clock = model.clock;
        let plain = |document: Id<Document>, arn: Id<String>| {
            let turn = document.get().turn();
            let is = asking
                .iter()
                .find(|it| it.arn == arn)
                .map(|it| it.turn(turn));
            forms.documents.of((document, ticks, is), || {
                document::plain(clock, document.get(), ticks, is).keep()
            })
        };
        let arns: Vec<Id<String>> = self.executions.iter().map(|it| it.arn).collect();
        for execution in &mut self.executions {
            execution.unheard = execution.unheard.map(|unheard| {
                forms.answers.of((unheard, ticks), || {
                    record::answer(clock, unheard.get(), ticks).keep()
                })
            });
            execution.document = plain(execution.document, execution.arn);
            if let Some(call) = &mut execution.call {
                call.document = plain(call.document, execution.arn);
            }
        }
        for stray in &mut self.strays {
            stray.call.document =
                plain(stray.call.document, arns[usize::from(stray.call.execution)]);
        }
        let record = self.record;
        self.record = forms.records.of((record, ticks, asking.clone()), || {
            record::contextual(clock, record.get(), ticks, &asking).keep()
        });
        if model.variant != Variant::RecordNotRead {
            self.forget_strays();
        }
        self.strays.sort_unstable();
    }

    pub(crate) fn forget_servers(&mut self) {
        for server in &mut self.servers {
            if server.life == Life::Gone {
                *server = Server {
                    promised: server.promised,
                    barred: server.barred,
                    registered: false,
                    launched_by: server.launched_by,
                    retiring: server.retiring,
                    ..Server::new(server.group, Life::Gone, server.endpoint)
                };
            }
        }
    }

    fn forget_executions(&mut self) {
        let nothing = Document::default().keep();
        for execution in &mut self.executions {
            if !execution.is_open() {
                execution.document = nothing;
                execution.at = 0;
                (execution.tried, execution.redrives, execution.unheard) = (false, 0, None);
            }
            if execution.status == Status::Ended {
                execution.replaced = false;
            }
        }
    }

    /// A stray whose one remaining step is to be refused by the record does nothing by it: epochs only grow.
    fn forget_strays(&mut self) {
        let record = self.record();
        self.strays.retain(|stray| {
            let call = &stray.call;
            let begun = call.effect.is_some()
                || call.marks.is_some()
                || call.ending.is_some()
                || call.write.is_some();
            let Ok(fence) = call.document.get().fence() else {
                return true;
            };
            let front = record.front.iter().map(|front| &front.owner);
            let entries = record.retiring.iter().map(|entry| &entry.owner);
            let admitted = front.chain(entries).any(|owner| owner.is(&fence));
            begun || admitted || record.epoch < fence.epoch || !reads_record(call.at)
        });
    }

    fn asking(&self) -> Vec<Asking> {
        let mut all: Vec<Asking> = Vec::new();
        for (number, execution) in self.executions.iter().enumerate() {
            let strays = self.strays.iter().map(|stray| &stray.call);
            let strays = strays.filter(|call| usize::from(call.execution) == number);
            let mut turns: Vec<u64> = strays.map(|call| call.document.get().turn()).collect();
            if turns.is_empty() && execution.status == Status::Ended {
                continue;
            }
            turns.push(execution.document.get().turn());
            let answers = &self.record().answers;
            let last = answers
                .iter()
                .find(|it| it.key.execution == *execution.arn.get());
            if let Some(last) = last {
                turns.extend([last.key.turn, last.answer.turn]);
            }
            all.push(Asking {
                arn: execution.arn,
                turns: anew(turns),
            });
        }
        all
    }
}

/// Numbers turns from 1 on; none is none, and a gap stays a gap.
fn anew(mut turns: Vec<u64>) -> Vec<(u64, u64)> {
    turns.sort_unstable();
    turns.dedup();
    let (mut was, mut is) = (0, 0);
    let number = |turn: u64| {
        let gap = if was == 0 {
            turn.min(1)
        } else {
            (turn - was).min(2)
        };
        (was, is) = (turn, is + gap);
        (turn, is)
    };
    turns.into_iter().map(number).collect()
}

/// Whether a call's first act is to read the record; the others speak to servers only.
fn reads_record(at: u8) -> bool {
    use ebbtide_rules::document::Act;
    !matches!(
        DEFINITION.act(at),
        Some(
            Act::Drain
                | Act::Check
                | Act::Resume
                | Act::ResumeAgain
                | Act::TestGreen
                | Act::TestBlue
                | Act::AskBlue
                | Act::AskGreen
                | Act::AskService
        )
    )
}
