//! CloudWatch in the fake: alarms by name, and how their states changed.

use aws_sdk_cloudwatch::operation::describe_alarm_history::{
    DescribeAlarmHistoryError, DescribeAlarmHistoryInput, DescribeAlarmHistoryOutput,
};
use aws_sdk_cloudwatch::operation::describe_alarms::{
    DescribeAlarmsError, DescribeAlarmsInput, DescribeAlarmsOutput,
};
use aws_sdk_cloudwatch::types::{
    AlarmHistoryItem, CompositeAlarm, HistoryItemType, MetricAlarm, StateValue,
};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::World;
use super::answer::{Acted, Answer, operation, page};

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeAlarm {
    /// Its name.
    pub name: String,
    /// Whether it is made of other alarms.
    pub composite: bool,
    /// How many minutes of bad data make it fire; of no meaning where it is composite.
    pub minutes: i32,
    /// Its states, the present one last, each with when it came.
    pub states: Vec<(Timestamp, String)>,
}

pub(super) fn answer(world: &mut World, input: &Input) -> Option<Answer> {
    operation(
        world,
        input,
        "DescribeAlarms",
        DescribeAlarmsError::generic,
        describe,
    )
    .or_else(|| {
        operation(
            world,
            input,
            "DescribeAlarmHistory",
            DescribeAlarmHistoryError::generic,
            history,
        )
    })
}

fn describe(world: &mut World, input: &DescribeAlarmsInput) -> Acted<DescribeAlarmsOutput> {
    let names = input.alarm_names();
    // AWS answers every alarm of the account then.
    let named = |alarm: &&FakeAlarm| {
        let state = alarm.states.last().map(|(_, state)| state.as_str());
        let prefix = input.alarm_name_prefix().unwrap_or_default();
        let wanted = input.state_value().map(StateValue::as_str);
        (names.is_empty() || names.contains(&alarm.name))
            && alarm.name.starts_with(prefix)
            && (wanted.is_none() || wanted == state)
    };
    let found: Vec<FakeAlarm> = world.alarms.iter().filter(named).cloned().collect();
    let (found, token) = page(&found, input.next_token());
    let with_composite = input
        .alarm_types()
        .iter()
        .any(|it| it.as_str() == "CompositeAlarm");
    let mut output = DescribeAlarmsOutput::builder().set_next_token(token);
    for alarm in found {
        let (at, state) = alarm.states.last().cloned().unwrap_or_default();
        let (at, state) = (date(at), StateValue::from(state.as_str()));
        output = if !alarm.composite {
            output.metric_alarms(
                MetricAlarm::builder()
                    .alarm_name(alarm.name)
                    .state_value(state)
                    .state_updated_timestamp(at)
                    .period(60)
                    .evaluation_periods(alarm.minutes)
                    .build(),
            )
        } else if with_composite {
            output.composite_alarms(
                CompositeAlarm::builder()
                    .alarm_name(alarm.name)
                    .state_value(state)
                    .state_updated_timestamp(at)
                    .build(),
            )
        } else {
            output
        };
    }
    Ok(output.build())
}

fn history(
    world: &mut World,
    input: &DescribeAlarmHistoryInput,
) -> Acted<DescribeAlarmHistoryOutput> {
    let named = |alarm: &&FakeAlarm| Some(alarm.name.as_str()) == input.alarm_name();
    let since = input.start_date().map_or(0, DateTime::secs);
    let states: Vec<(Timestamp, String)> = world
        .alarms
        .iter()
        .filter(named)
        .flat_map(|alarm| alarm.states.clone())
        .filter(|(at, _)| at.as_second() >= since)
        .collect();
    let (states, token) = page(&states, input.next_token());
    let items = states.into_iter().map(|(at, state)| {
        AlarmHistoryItem::builder()
            .timestamp(date(at))
            .history_item_type(HistoryItemType::StateUpdate)
            .history_data(format!(
                r#"{{"version":"1.0","newState":{{"stateValue":"{state}"}}}}"#
            ))
            .build()
    });
    Ok(DescribeAlarmHistoryOutput::builder()
        .set_alarm_history_items(Some(items.collect()))
        .set_next_token(token)
        .build())
}

fn date(at: Timestamp) -> DateTime {
    DateTime::from_secs(at.as_second())
}
