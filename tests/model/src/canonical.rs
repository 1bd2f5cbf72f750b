//! One state for all that nobody can tell apart any more: what is never read again is forgotten.
//!
//! Sound, because a forgotten field has no reader left, and a stray call whose one remaining step is to be refused by the
//! record does nothing by it: the record's epoch only grows.

use crate::model::Deployments;
use crate::server::{Life, Server};
use crate::variants::Variant;
use crate::world::{At, Call, Execution, Status, Task, World};

impl World {
    /// Forgets what has no reader.
    pub(crate) fn forget_the_unread(&mut self, model: &Deployments) {
        for execution in &mut self.executions {
            forget_document(execution);
        }
        for server in &mut self.servers {
            if server.life == Life::Gone {
                *server = Server {
                    promised: server.promised,
                    registered: false,
                    launched_by: server.launched_by,
                    retiring: server.retiring,
                    ..Server::new(server.group, Life::Gone)
                };
            }
        }
        if model.variant != Variant::RecordNotRead {
            let record = self.record;
            self.strays.retain(|stray| {
                let admitted =
                    record.owner == Some(stray.deployment) && record.epoch == stray.epoch;
                let to_come = record.epoch < stray.epoch;
                admitted || to_come || stray.ending.is_some() || !reads_record(stray)
            });
        }
        for stray in &mut self.strays {
            forget_payload(stray);
        }
        self.strays.sort_unstable();
    }
}

/// An execution that has ended acts no more, and one that waits has no document yet.
fn forget_document(execution: &mut Execution) {
    let over = matches!(execution.status, Status::Ended(_));
    if over || execution.status == Status::Waiting {
        *execution = Execution::without_document(execution.status, execution.deployment);
    }
    if !matches!(execution.at, At::RecordProgress | At::TerminateBlue) {
        (execution.sealed, execution.may_terminate) = (0, false);
    }
    if let Some(call) = &mut execution.call {
        forget_payload(call);
    }
}

fn forget_payload(call: &mut Call) {
    if !matches!(call.task, Task::Drain(_) | Task::Check(..)) {
        (call.age, call.in_step, call.bakeless) = (0, false, false);
    }
}

/// Whether a call's first act is to read the record; the others speak to servers only.
fn reads_record(call: &Call) -> bool {
    match call.task {
        Task::Hold(_)
        | Task::LetGo(_)
        | Task::Switch(_)
        | Task::Launch
        | Task::Terminate { .. } => true,
        Task::Test(_) | Task::Drain(_) | Task::Check(..) | Task::Resume(..) => false,
    }
}
