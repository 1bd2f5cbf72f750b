//! Records for the tests: deployment `deploy-1` at epoch 5, from its claim to its drain.

use ebbtide_rules::Environment;
use ebbtide_rules::examples;
use ebbtide_rules::plan::{GroupLaunch, Recorded, SubnetShare};
use ebbtide_rules::record::{Course, Entry, Front, Outcome, Owner, Phase, Record, State, Wishes};
use ebbtide_rules::scaling::Sizes;
use ebbtide_rules::weights::{Moments, Spans, Weights};
use jiff::Timestamp;

use super::{LISTENER, SECOND_LISTENER, World, at_both, environment, fleet_environment};

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
    plan.listeners = vec![LISTENER.to_owned()];
    plan.hash = "0123456789ab".to_owned();
    plan
}

/// The same plan of environments that are Auto Scaling groups: green's gets the sizes of blue's.
pub fn recorded_in_groups(blue: &str, green: &str) -> Recorded {
    in_groups(recorded(blue, green))
}

fn in_groups(mut plan: Recorded) -> Recorded {
    own(&mut plan.blue.environment);
    own(&mut plan.green.environment);
    plan.environments.iter_mut().for_each(own);
    plan.green.subnets.clear();
    plan.green.group = Some(GroupLaunch {
        sizes: Sizes {
            min: 2,
            max: 6,
            desired: plan.green.count,
        },
        version_before: "6".to_owned(),
    });
    plan
}

fn own(environment: &mut Environment) {
    let letter = environment.name.trim_start_matches("tunnel-");
    environment.auto_scaling_group = fleet_environment(letter).auto_scaling_group;
}

/// The record's environments get their groups.
pub(super) fn put_into_groups(record: &mut Record) {
    if let Some(front) = &mut record.front {
        front.plan = in_groups(front.plan.clone());
    }
    for entry in &mut record.retiring {
        own(&mut entry.environment);
        entry.plan = in_groups(entry.plan.clone());
    }
}

/// The record's environments get their groups at the second listener.
pub(super) fn add_listener(record: &mut Record) {
    let add = |environment: &mut Environment| *environment = at_both(environment.clone());
    let plans = |plan: &mut Recorded| {
        add(&mut plan.blue.environment);
        add(&mut plan.green.environment);
        plan.environments.iter_mut().for_each(add);
        plan.listeners.push(SECOND_LISTENER.to_owned());
    };
    if let Some(front) = &mut record.front {
        plans(&mut front.plan);
    }
    for entry in &mut record.retiring {
        add(&mut entry.environment);
        plans(&mut entry.plan);
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
            course: Course::begun(Timestamp::UNIX_EPOCH),
            wishes: Wishes::default(),
            waits: None,
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
