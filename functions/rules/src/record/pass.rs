//! What follows a pass: the next weights, the end of the bake, the way back, ending what has sealed, waiting.
//!
//! The front is left only by a look that finds nothing more to order, once no call can arrive any more: then its blue,
//! or after a rollback its green, becomes an entry of the list, and the next deployment may claim. Alarms that fired and
//! cleared between two passes count.

use jiff::Timestamp;

use super::claim::own_front;
use super::decide::{Made, Say};
use super::hand_on::draining;
use super::outcome;
use super::{
    Ask, Course, Doing, Entry, Facts, Front, Halt, Next, Outcome, Phase, Progress, Record, Refused,
    State,
};
use crate::document::{Document, Told, late};
use crate::plan::Gate;
use crate::service::Service;
use crate::shape::{Environment, Fence};
use crate::wait::reached;
use crate::weights::{Moments, Switched, Weights};

pub(super) fn decide(
    record: &Record,
    ask: &Ask,
    facts: &Facts,
    now: Timestamp,
) -> Result<Made, Refused> {
    let fence = ask.document.fence()?;
    let entry = record
        .retiring
        .iter()
        .find(|entry| entry.owner.is(&fence) && entry.owner.execution == ask.execution);
    if let Some(entry) = entry {
        return Ok(drain(record, entry, ask, &fence, now));
    }
    let front = own_front(record, &fence, ask)?;
    let pass = Pass {
        record,
        front,
        ask,
        fence: &fence,
        now,
    };
    match &front.phase {
        Phase::Switched => pass.watch(facts),
        Phase::RollingBack { reason } => pass.go_back(reason),
        other => Err(Refused::Misplaced(format!(
            "asked for a pass while {}",
            other.word()
        ))),
    }
}

/// A pass of the front's holder.
struct Pass<'a> {
    record: &'a Record,
    front: &'a Front,
    ask: &'a Ask,
    fence: &'a Fence,
    now: Timestamp,
}

impl Pass<'_> {
    fn document(&self) -> &Document {
        &self.ask.document
    }

    fn watch(&self, facts: &Facts) -> Result<Made, Refused> {
        if let Some(reason) = self.against(facts) {
            return Ok(self.roll_back(reason));
        }
        let doubt = self.doubt();
        let switch = self.document().switch.as_ref().filter(|switch| {
            switch.epoch == self.fence.epoch && switch.weights == self.front.weights
        });
        let Some(switch) = switch else {
            // A take-over, or a step that is on record and not yet set: the next pass sets it.
            return Ok(self.on(
                self.counted(facts),
                Next::Pass,
                "the weights are not confirmed yet",
            ));
        };
        let mut next = self.counted(facts);
        forget_gone(&mut next, switch);
        let moments = &switch.moments;
        let promoted = self.front.wishes.promote.is_some();
        let steps =
            reached(moments.step_ends_at, self.now) || (promoted && self.front.weights.green < 100);
        let baked = promoted || reached(moments.baked_at, self.now);
        let ends = !steps && baked && reached(moments.settled_at, self.now);
        // What is paused stands from now on, what a gate holds once that is reached.
        let gate = ends.then_some(Gate::Seal);
        if let Some(halt) = self.front.halt(gate) {
            return self.stand(next, halt);
        }
        // What the next passes may still speak against is not made harder to take back.
        if let Some(doubt) = doubt.filter(|_| steps || ends) {
            return Ok(self.on(next, Next::Wait, doubt));
        }
        if steps {
            return Ok(self.step(next));
        }
        if ends {
            return Ok(self.end_bake(next, switch));
        }
        Ok(self.on(next, Next::Wait, "the bake goes on"))
    }

    /// Nothing moves; weights, green and alarms are watched as before.
    fn stand(&self, mut next: Record, halt: Halt) -> Result<Made, Refused> {
        let mut reason = String::new();
        if let Some(front) = next.front.as_mut() {
            let before = &self.front.course;
            (_, reason) = front.stand(halt, self.ask, before, self.now)?;
        }
        Ok(self.on(next, Next::Wait, reason))
    }

    /// Whether this execution's history has no room for another pass.
    fn is_full(&self, next: &Record) -> bool {
        self.course(next).passes >= self.front.plan.policy.most_passes
    }

    /// What speaks for a rollback.
    fn against(&self, facts: &Facts) -> Option<String> {
        let policy = &self.front.plan.policy;
        let wish = self.front.given_up();
        let ill = self.document().ill.as_ref().map(|_| {
            format!(
                "green had fewer healthy targets than the minimum of {} for half a minute",
                policy.minimum_healthy
            )
        });
        let alarms = facts.alarms.as_ref().filter(|_| self.front.heeds_alarms());
        let alarms = alarms.and_then(|alarms| alarms.against());
        let service = self.service().and_then(Service::against);
        wish.or(ill).or(alarms).or(service)
    }

    /// What speaks against going on, and not yet for a rollback.
    fn doubt(&self) -> Option<String> {
        self.service()?.fails()
    }

    /// What the user's checks said through the load balancer, unless the deployment is promoted whatever they say.
    fn service(&self) -> Option<&Service> {
        let service = self.document().service_watched();
        service.filter(|_| self.front.heeds_alarms())
    }

    fn step(&self, mut next: Record) -> Made {
        let steps = &self.front.plan.policy.steps;
        let stepwise = self.front.wishes.promote.is_none();
        let green = steps
            .iter()
            .copied()
            .find(|step| stepwise && *step > self.front.weights.green)
            .unwrap_or(100);
        let weights = Weights {
            blue: 100_u32.saturating_sub(green),
            green,
        };
        if let Some(front) = next.front.as_mut() {
            front.weights = weights;
        }
        let reason = format!("the step is over, green gets {green} of 100");
        Say::new(Next::Pass, Doing::Watching { weights }, reason)
            .made(next, self.fence, self.ask, self.now)
    }

    /// The bake is over on record before the first seal, and blue retires.
    fn end_bake(&self, mut next: Record, switch: &Told<Switched>) -> Made {
        if let Some(reason) = self.must_stay(&next, switch) {
            return self.on(next, Next::Wait, reason);
        }
        let mut course = self.course(&next);
        course.baked_at = Some(self.now);
        let blue = self.front.plan.blue.environment.clone();
        let follows = self.after_leaving(&course);
        // One that is promoted has no bake left; whoever seals goes by this moment too.
        let mut moments = switch.moments;
        moments.baked_at = moments.baked_at.map(|at| at.min(self.now));
        self.leave(&mut next, blue, Outcome::Promoted, course, moments);
        let reason = "the bake is over: the front is free, blue retires";
        self.retires(next, follows, reason)
    }

    fn roll_back(&self, reason: String) -> Made {
        let epoch = self.record.epoch + 1;
        let mut next = self.record.clone();
        next.epoch = epoch;
        if let Some(front) = next.front.as_mut() {
            front.owner.epoch = epoch;
            front.phase = Phase::RollingBack {
                reason: reason.clone(),
            };
            front.weights = Weights {
                blue: 100,
                green: 0,
            };
            front.waits = None;
            front.course = self.counting();
        }
        let fence = Fence {
            deployment: self.fence.deployment.clone(),
            epoch,
        };
        // Before any weight has moved blue never drained, and has nothing to be opened for.
        let moved = self.document().switch.is_some() || self.document().ill.is_some();
        let minimum_open = if moved {
            self.front.plan.policy.minimum_of_blue()
        } else {
            0
        };
        Say::new(Next::RollBack, Doing::Returning { minimum_open }, reason)
            .made(next, &fence, self.ask, self.now)
    }

    fn go_back(&self, reason: &str) -> Result<Made, Refused> {
        if let Some(Doing::Reopening { minimum_open }) =
            self.document().record.as_ref().map(|it| &it.doing)
        {
            let doing = Doing::Returning {
                minimum_open: *minimum_open,
            };
            let next = self.counted(&Facts::default());
            return Ok(
                Say::new(Next::RollBack, doing, reason).made(next, self.fence, self.ask, self.now)
            );
        }
        let back = self.document().back.as_ref();
        let Some(back) = back.filter(|back| back.epoch == self.fence.epoch) else {
            return Err(Refused::Misplaced(
                "asked for a pass before blue had its weight back".to_owned(),
            ));
        };
        let mut next = self.counted(&Facts::default());
        forget_gone(&mut next, back);
        if let Some(stay) = self.must_stay(&next, back) {
            let wait = self.wait_seconds(&next);
            let doing = Doing::Returning { minimum_open: 0 };
            return Ok(Say::new(Next::Return, doing, stay)
                .after(wait)
                .made(next, self.fence, self.ask, self.now));
        }
        let green = self.front.plan.green.environment.clone();
        let course = self.course(&next);
        let follows = self.after_leaving(&course);
        let outcome = Outcome::RolledBack {
            reason: reason.to_owned(),
        };
        self.leave(&mut next, green, outcome, course, back.moments);
        let reason = "blue has all the weight: the front is free, green retires";
        Ok(self.retires(next, follows, reason))
    }

    /// Why the front cannot be left yet: a call may still arrive, or the confirmed action still names what is gone.
    fn must_stay(&self, next: &Record, confirmed: &Switched) -> Option<String> {
        let course = self.course(next);
        if let Some(until) = course.unquiet(self.ask.looked_since()) {
            return Some(still_arrives(until, self.now));
        }
        let named = named_and_gone(next, confirmed)?;
        Some(format!(
            "the forward action still names {named}, which is gone"
        ))
    }

    /// A detached drain goes on in an execution of its own, so that a pipeline's action ends here.
    fn after_leaving(&self, course: &Course) -> Next {
        if self.front.plan.policy.detached && course.part == 1 {
            Next::HandOn
        } else {
            Next::Pass
        }
    }

    fn leave(
        &self,
        next: &mut Record,
        environment: Environment,
        outcome: Outcome,
        course: Course,
        moments: Moments,
    ) {
        let mut owner = self.front.owner.clone();
        owner.epoch = self.fence.epoch;
        next.retiring.push(Entry {
            environment,
            owner,
            state: State::Draining,
            outcome,
            plan: self.front.plan.clone(),
            course,
            moments,
        });
        next.front = None;
    }

    fn retires(&self, next: Record, follows: Next, reason: &str) -> Made {
        let entry = next.retiring.last();
        let doing = entry.map_or(Doing::Nothing, |entry| draining(entry, self.document()));
        Say::new(follows, doing, reason).made(next, self.fence, self.ask, self.now)
    }

    fn on(&self, next: Record, follows: Next, reason: impl Into<String>) -> Made {
        let (follows, wait) = match follows {
            Next::Wait if self.is_full(&next) => (Next::HandOn, 0),
            Next::Wait => (Next::Wait, self.wait_seconds(&next)),
            other => (other, 0),
        };
        let doing = Doing::Watching {
            weights: self.front.weights,
        };
        Say::new(follows, doing, reason)
            .after(wait)
            .made(next, self.fence, self.ask, self.now)
    }

    fn wait_seconds(&self, next: &Record) -> u64 {
        let checked = self.document().check.as_ref();
        let wait = checked.map_or(crate::wait::SHORTEST_SECONDS, |check| {
            check.outlook.wait_seconds
        });
        crate::wait::until(wait, self.now, self.course(next).unanswered_until)
    }

    fn course(&self, next: &Record) -> Course {
        let front = next.front.as_ref().unwrap_or(self.front);
        front.course.clone()
    }

    fn counting(&self) -> Course {
        let mut course = counted(&self.front.course, self.ask, self.now);
        // Every pass of the front confirms the weights anew, on the way back those that it gives back.
        let confirmed = match self.front.phase {
            Phase::RollingBack { .. } => &self.document().back,
            _ => &self.document().switch,
        };
        let repaired = confirmed.as_ref().is_some_and(|it| it.repairs.repaired);
        course.repairs += u32::from(repaired);
        course
    }

    /// The record with this pass counted and its alarms seen.
    fn counted(&self, facts: &Facts) -> Record {
        let mut next = self.record.clone();
        if let Some(front) = next.front.as_mut() {
            front.course = self.counting();
            if let Some(alarms) = &facts.alarms {
                front.course.alarms_seen_at = Some(alarms.at);
            }
        }
        next
    }
}

/// A pass of a drain: seals are used in the pass that they were given in.
fn drain(record: &Record, entry: &Entry, ask: &Ask, fence: &Fence, now: Timestamp) -> Made {
    let mut next = record.clone();
    let course = counted(&entry.course, ask, now);
    let check = ask.document.check.as_ref();
    let settled = check.is_some_and(|check| check.outlook.settled && !check.outlook.baking);
    let most = entry.plan.policy.most_passes;
    let deadline_at = check.and_then(|check| check.memory.deadline_at);
    let mut kept = entry.clone();
    kept.moments.deadline_at = deadline_at.or(entry.moments.deadline_at);
    let (follows, reason) = if course.passes >= most {
        (Next::HandOn, format!("{most} passes are over"))
    } else if settled {
        (
            Next::Terminate,
            "settled: what has sealed is ended".to_owned(),
        )
    } else {
        (Next::Wait, "the load balancer has not settled".to_owned())
    };
    let wait = check.map_or(crate::wait::SHORTEST_SECONDS, |check| {
        check.outlook.wait_seconds
    });
    kept.course = course;
    let doing = draining(&kept, &ask.document);
    for it in &mut next.retiring {
        if it.environment == kept.environment {
            *it = kept.clone();
        }
    }
    // The wait follows TerminateBlue as well, if something is left then.
    Say::new(follows, doing, reason)
        .after(wait)
        .made(next, fence, ask, now)
}

/// The way, with this pass in it.
fn counted(course: &Course, ask: &Ask, now: Timestamp) -> Course {
    let mut next = course.clone();
    next.passes += 1;
    next.total += 1;
    next.progress = progress(&ask.document, course).or(next.progress);
    note_unanswered(&mut next, ask, now);
    next
}

/// Why somebody stays who has nothing more to do.
pub(super) fn still_arrives(until: Timestamp, now: Timestamp) -> String {
    if now < until {
        format!("a call that was not answered may still arrive until {until:.0}")
    } else {
        format!("a call that was not answered may have arrived until {until:.0}: one more look")
    }
}

/// What a Task that was tried more than once, or redriven, leaves behind.
pub(super) fn note_unanswered(course: &mut Course, ask: &Ask, now: Timestamp) {
    let told = ask.document.unanswered_until();
    let redriven = (ask.redrives > course.redrives).then(|| late(now));
    course.redrives = ask.redrives;
    course.unanswered_until = course.unanswered_until.max(told).max(redriven);
}

fn progress(document: &Document, course: &Course) -> Option<Progress> {
    let check = document.check.as_ref()?;
    let mut counts = check.counts.clone();
    counts.closed = outcome::closed(document, Some(course));
    Some(Progress {
        at: check.at,
        counts,
        terminated: outcome::terminated(document, Some(course)),
        waiting_for: check.outlook.waiting_for.clone(),
        forecast: check.outlook.forecast.text.clone(),
    })
}

/// Drops what is gone and not named by the confirmed action any more.
pub(super) fn forget_gone(next: &mut Record, confirmed: &Switched) {
    next.retiring
        .retain(|entry| entry.state == State::Draining || is_named(&entry.environment, confirmed));
}

/// What is gone and still named by the confirmed action.
pub(super) fn named_and_gone(record: &Record, confirmed: &Switched) -> Option<String> {
    let gone = record
        .retiring
        .iter()
        .find(|entry| entry.state == State::Gone && is_named(&entry.environment, confirmed))?;
    Some(gone.environment.name.clone())
}

fn is_named(environment: &Environment, confirmed: &Switched) -> bool {
    confirmed.groups.iter().any(|group| environment.has(group))
}
