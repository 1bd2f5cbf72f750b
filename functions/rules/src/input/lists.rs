//! The lists that a deployment may ask for, from an input or from a stack's settings: steps, alarms' names, gates.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::plan::Gate;

/// DescribeAlarms takes at most 100 names (its reference, `AlarmNames`).
const MOST_ALARMS: usize = 100;
/// The longest name that an alarm may have (PutMetricAlarm's reference, `AlarmName`).
const LONGEST_NAME: usize = 255;

/// The steps, if they rise to 100.
pub(crate) fn steps_of(value: &Value) -> Option<Vec<u32>> {
    let numbers = value.as_array()?.iter();
    let steps: Vec<u32> = numbers
        .map(|number| u32::try_from(number.as_u64()?).ok())
        .collect::<Option<_>>()?;
    rise_to_100(&steps).then_some(steps)
}

/// The names, if they are few enough, distinct and of a possible length.
pub(crate) fn alarms_of(value: &Value) -> Option<Vec<String>> {
    let names = value.as_array()?.iter();
    let names: Vec<String> = names
        .map(|name| name.as_str().map(str::to_owned))
        .collect::<Option<_>>()?;
    are_alarms(&names).then_some(names)
}

/// The gates, if there are such and each is named once.
pub(crate) fn gates_of(value: &Value) -> Option<Vec<Gate>> {
    let names = value.as_array()?.iter();
    let names: Vec<&str> = names.map(Value::as_str).collect::<Option<_>>()?;
    gates_named(&names)
}

/// The gates of these names, if there are such and each is named once.
pub(crate) fn gates_named<S: AsRef<str>>(names: &[S]) -> Option<Vec<Gate>> {
    let gates = names.iter().map(|name| Gate::named(name.as_ref()));
    let gates: Vec<Gate> = gates.collect::<Option<_>>()?;
    let distinct: BTreeSet<Gate> = gates.iter().copied().collect();
    (distinct.len() == gates.len()).then_some(gates)
}

/// Whether the shares rise and end at 100.
pub(crate) fn rise_to_100(steps: &[u32]) -> bool {
    steps.first().is_some_and(|first| *first > 0)
        && steps.last() == Some(&100)
        && steps.windows(2).all(|pair| pair[0] < pair[1])
}

/// Whether one DescribeAlarms call can ask for all of them and be answered by as many.
pub(crate) fn are_alarms(names: &[String]) -> bool {
    let distinct: BTreeSet<&String> = names.iter().collect();
    names.len() <= MOST_ALARMS
        && distinct.len() == names.len()
        && names
            .iter()
            .all(|name| (1..=LONGEST_NAME).contains(&name.chars().count()))
}
