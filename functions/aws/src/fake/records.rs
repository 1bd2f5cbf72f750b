//! Records for the tests: deployment `deploy-1` at epoch 5, from its claim to its drain.

use ebbtide_rules::plan::{Blue, Green, Policy, Recorded, SubnetShare};
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
    Recorded {
        blue: Blue {
            environment: environment(blue),
            healthy: 3,
        },
        green: Green {
            environment: environment(green),
            launch_template_id: "lt-1".to_owned(),
            launch_template_version: "7".to_owned(),
            subnets: (1..=3)
                .map(|number| SubnetShare {
                    subnet_id: format!("subnet-{number}"),
                    count: 1,
                })
                .collect(),
            count: 3,
        },
        environments: ["a", "b", "c"].map(environment).to_vec(),
        policy: Policy {
            healthy_seconds: 600,
            minimum_healthy: 3,
            steps: vec![100],
            step_seconds: 60,
            bake_seconds: 900,
            alarms: Vec::new(),
            settle_seconds: 30,
            closures_per_second: 20,
            poll_seconds: 30,
            deadline_seconds: 86_400,
            detached: false,
            most_passes: 400,
            pages: ebbtide_rules::plan::Pages::default(),
        },
        hash: "0123456789ab".to_owned(),
        warnings: Vec::new(),
    }
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
            course: begun(),
            wish: None,
        }),
        ..Record::default()
    }
}

fn begun() -> Course {
    Course {
        claimed_at: Timestamp::UNIX_EPOCH,
        switched_at: None,
        baked_at: None,
        part: 1,
        passes: 0,
        total: 0,
        redrives: 0,
        unanswered_until: None,
        alarms_seen_at: None,
        progress: None,
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
