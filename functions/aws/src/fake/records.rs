//! Records for the tests: deployment `deploy-1` at epoch 5, from its claim to its drain.

use ebbtide_rules::examples;
use ebbtide_rules::plan::{Recorded, SubnetShare};
use ebbtide_rules::record::{Course, Entry, Front, Outcome, Owner, Phase, Record, State};
use ebbtide_rules::weights::{Moments, Spans, Weights};
use jiff::Timestamp;

use super::{World, environment};

/// The ARN of an execution by its name.
pub fn execution(name: &str) -> String {
    format!("arn:aws:states:eu-west-1:123456789012:execution:ebbtide:{name}")
}

/// The plan of a deployment from one environment to another, by their last letters.
pub fn recorded(blue: &str, green: &str) -> Recorded {
    let mut plan = examples::recorded(&environment(blue), &environment(green), &[]);
    let share = |number| SubnetShare {
        subnet_id: format!("subnet-{number}"),
        count: 1,
    };
    plan.green.subnets = (1..=3).map(share).collect();
    plan.environments = ["a", "b", "c"].map(environment).to_vec();
    plan.hash = "0123456789ab".to_owned();
    plan
}

/// The record of `deploy-1`, which has claimed.
pub(super) fn claimed() -> Record {
    Record {
        revision: 1,
        epoch: 5,
        front: Some(Front {
            owner: Owner {
                deployment: "deploy-1".to_owned(),
                execution: execution("deploy-1"),
                epoch: 5,
            },
            phase: Phase::Claimed,
            plan: recorded("a", "b"),
            weights: Weights {
                blue: 100,
                green: 0,
            },
            course: Course::begun(Timestamp::UNIX_EPOCH),
            wish: None,
        }),
        ..Record::default()
    }
}

impl World {
    /// The front, if anybody holds it.
    pub fn front(&mut self) -> Option<&mut Front> {
        self.record.as_mut()?.front.as_mut()
    }

    /// Sets how far the front is.
    pub fn phase(&mut self, phase: Phase) {
        if let Some(front) = self.front() {
            front.phase = phase;
        }
    }

    /// The front may have moved weight, and shall have these shares now.
    pub fn switch(&mut self, blue: u32, green: u32) {
        self.phase(Phase::Switched);
        if let Some(front) = self.front() {
            front.weights = Weights { blue, green };
            front.course.switched_at = Some(Timestamp::UNIX_EPOCH);
        }
    }

    /// `deploy-1` has left the front, and empties this environment at the front's epoch.
    pub fn retires(&mut self, letter: &str) {
        let Some(record) = self.record.as_mut() else {
            return;
        };
        let Some(front) = record.front.take() else {
            return;
        };
        let spans = Spans {
            step: 60,
            settle: 30,
            bake: 900,
            deadline: 86_400,
        };
        let all_green = Weights {
            blue: 0,
            green: 100,
        };
        record.retiring.push(Entry {
            environment: environment(letter),
            owner: front.owner,
            state: State::Draining,
            outcome: Outcome::Promoted,
            plan: front.plan,
            course: front.course,
            moments: Moments::count(Timestamp::UNIX_EPOCH, all_green, &spans),
        });
    }

    /// Every epoch rises, as if everything had been taken over at this moment.
    pub(super) fn overtake(&mut self) {
        let Some(record) = self.record.as_mut() else {
            return;
        };
        record.revision += 1;
        record.epoch += 1;
        let epoch = record.epoch;
        let front = record.front.iter_mut().map(|front| &mut front.owner);
        let retiring = record.retiring.iter_mut().map(|entry| &mut entry.owner);
        for owner in front.chain(retiring) {
            owner.epoch = epoch;
        }
    }
}
