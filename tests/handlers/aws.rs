//! What the sequences read and set of the AWS in memory beside what the handlers do: the record, the action, the alarm,
//! and which executions there are.

use std::collections::BTreeMap;

use ebbtide_aws::fake::{Fake, FakeAlarm, Noted, Things};
use ebbtide_rules::Environment;
use ebbtide_rules::record::{OutcomeItem, Record};
use jiff::Timestamp;
use serde_json::Value;

use crate::execution::{Execution, arn};

/// The alarm's name.
pub(crate) const ALARM: &str = "errors";

/// The groups that the action names, by ARN, with their weights.
pub(crate) type Weights = BTreeMap<String, i32>;
/// The outcome items, in the order of their writes.
pub(crate) type Outcomes = Vec<OutcomeItem>;
/// The record, if there is one.
pub(crate) type Table = Option<Record>;

/// The record as the table has it; a service without one is free at epoch 0.
pub(crate) fn record(fake: &Fake) -> Record {
    fake.world().record.clone().unwrap_or_default()
}

pub(crate) fn table(fake: &Fake) -> Table {
    fake.world().record.clone()
}

pub(crate) fn set_table(fake: &Fake, table: Table) {
    fake.world().record = table;
}

pub(crate) fn outcomes(fake: &Fake) -> Outcomes {
    fake.world().outcomes.clone()
}

/// The record that was read last before a change.
pub(crate) fn read(noted: &Noted) -> Option<Record> {
    noted.read.clone()
}

/// The live action.
pub(crate) fn weights(fake: &Fake) -> Weights {
    fake.world().action()
}

/// An environment's target group: the service has one listener.
pub(crate) fn group(environment: &Environment) -> &str {
    environment.target_group(0).unwrap_or_default()
}

/// The weight of a group; 0 as well where the action does not name it.
pub(crate) fn weight(things: &Things, group: &str) -> i32 {
    things.weights.get(group).copied().unwrap_or_default()
}

/// Sets the action's weights, group by group.
pub(crate) fn set_weights(fake: &Fake, weights: &Weights) {
    let weights: Vec<(&str, i32)> = weights
        .iter()
        .map(|(group, weight)| (crate::strangers::letter(group), *weight))
        .collect();
    fake.world().weigh(&weights);
}

/// Sets the weights of some groups, and all others to 0.
pub(crate) fn move_back(fake: &Fake, to: &BTreeMap<String, u32>) {
    let moved: Weights = weights(fake)
        .into_keys()
        .map(|group| {
            let weight = to.get(&group).copied().unwrap_or(0);
            (group, i32::try_from(weight).expect("a weight"))
        })
        .collect();
    set_weights(fake, &moved);
}

/// The one alarm that deployments watch, quiet.
pub(crate) fn with_alarm(fake: &Fake, now: Timestamp) {
    fake.world().alarms = vec![FakeAlarm {
        name: ALARM.to_owned(),
        minutes: 1,
        composite: false,
        states: vec![(now, "OK".to_owned())],
    }];
}

/// The alarm begins or ends now.
pub(crate) fn set_alarm(fake: &Fake, fires: bool, now: Timestamp) {
    let state = if fires { "ALARM" } else { "OK" };
    let alarms = &mut fake.world().alarms;
    let alarm = alarms.first_mut().expect("there is an alarm");
    alarm.states.push((now, state.to_owned()));
}

/// Step Functions knows these executions.
pub(crate) fn know_executions(fake: &Fake, executions: &[Execution]) {
    fake.world().executions = executions
        .iter()
        .map(|it| (arn(&it.name), it.words().to_owned()))
        .collect();
}

/// The executions that were started since the last question: their names and inputs.
pub(crate) fn started(fake: &Fake) -> Vec<(String, Value)> {
    let started = std::mem::take(&mut fake.world().started);
    let read = |input: &str| serde_json::from_str(input).expect("an input is JSON");
    started
        .into_iter()
        .map(|it| (it.name, read(&it.input)))
        .collect()
}
