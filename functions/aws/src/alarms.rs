//! The alarms that are watched: what they say now, and what they said since the last look.
//!
//! An alarm can fire and clear between two looks, so the history is asked where the state was updated since.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::operation::describe_alarms::builders::DescribeAlarmsFluentBuilder;
use aws_sdk_cloudwatch::types::{
    AlarmHistoryItem, AlarmType, CompositeAlarm, HistoryItemType, MetricAlarm, MetricStat,
    StateValue,
};
use aws_smithy_types::DateTime;
use ebbtide_rules::plan::AlarmSpan;
use ebbtide_rules::record::{Alarms, Watch};
use jiff::Timestamp;
use serde_json::Value;

use crate::CloudError;
use crate::error::Called;

/// The most names that one call takes. Source: DescribeAlarms, `AlarmNames`, in CloudWatch's API reference.
const MOST_NAMES: usize = 100;

/// Reads alarms.
#[derive(Debug, Clone)]
pub struct AlarmReader {
    client: Client,
}

/// An alarm as it is now.
struct State {
    fires: bool,
    updated: Option<DateTime>,
    seconds: Option<u32>,
}

impl AlarmReader {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// What the alarms say, looked at now.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn look(&self, watch: &Watch, now: Timestamp) -> Result<Alarms, CloudError> {
        let states = self.states(&watch.names).await?;
        let mut alarms = Alarms {
            at: now,
            firing: Vec::new(),
            fired: Vec::new(),
            missing: Vec::new(),
        };
        for name in &watch.names {
            match states.get(name) {
                None => alarms.missing.push(name.clone()),
                Some(state) if state.fires => alarms.firing.push(name.clone()),
                Some(state) => {
                    if self.has_fired(name, state, watch.since).await? {
                        alarms.fired.push(name.clone());
                    }
                }
            }
        }
        Ok(alarms)
    }

    /// For how long a metric has to be bad before its alarm fires. Nothing of a composite alarm, which has no metric of its
    /// own, nor of one that does not exist.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn spans(&self, names: &[String]) -> Result<Vec<AlarmSpan>, CloudError> {
        let states = self.states(names).await?;
        let spans = states.into_iter().filter_map(|(name, state)| {
            let seconds = state.seconds?;
            Some(AlarmSpan { name, seconds })
        });
        Ok(spans.collect())
    }

    /// The alarms, metric or composite, whose names begin so and that are in state ALARM now.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn firing(&self, prefix: &str) -> Result<Vec<String>, CloudError> {
        let call = self.client.describe_alarms();
        let call = call
            .alarm_name_prefix(prefix)
            .state_value(StateValue::Alarm);
        Ok(all(call).await?.into_keys().collect())
    }

    /// Never without names: DescribeAlarms answers every alarm of the account then.
    async fn states(&self, names: &[String]) -> Result<BTreeMap<String, State>, CloudError> {
        let mut states = BTreeMap::new();
        for names in names.chunks(MOST_NAMES) {
            let call = self.client.describe_alarms();
            states.extend(all(call.set_alarm_names(Some(names.to_vec()))).await?);
        }
        Ok(states)
    }

    /// Whether an alarm that is quiet now has fired since the last look.
    async fn has_fired(
        &self,
        name: &str,
        state: &State,
        since: Option<Timestamp>,
    ) -> Result<bool, CloudError> {
        let Some(since) = since else {
            return Ok(false);
        };
        // Whole seconds: the last look was within the second that both may bear.
        let since = DateTime::from_secs(since.as_second());
        if state.updated.is_some_and(|updated| updated < since) {
            return Ok(false);
        }
        let mut token = None;
        loop {
            let page = self
                .client
                .describe_alarm_history()
                .alarm_name(name)
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .history_item_type(HistoryItemType::StateUpdate)
                .start_date(since)
                .max_records(100)
                .set_next_token(token)
                .send()
                .await
                .called(|| format!("DescribeAlarmHistory of {name}"))?;
            let items = page.alarm_history_items();
            if items.iter().any(fires) {
                return Ok(true);
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(false);
            }
        }
    }
}

/// Every page of a call, whose alarms may be of either type.
async fn all(call: DescribeAlarmsFluentBuilder) -> Result<BTreeMap<String, State>, CloudError> {
    let call = call
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_types(AlarmType::CompositeAlarm)
        .max_records(100);
    let (mut states, mut token) = (BTreeMap::new(), None);
    loop {
        let page = call.clone().set_next_token(token).send().await;
        let page = page.called(|| "DescribeAlarms")?;
        states.extend(page.metric_alarms().iter().filter_map(metric));
        states.extend(page.composite_alarms().iter().filter_map(composite));
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(states);
        }
    }
}

fn metric(alarm: &MetricAlarm) -> Option<(String, State)> {
    let state = State {
        fires: alarm.state_value() == Some(&StateValue::Alarm),
        updated: alarm.state_updated_timestamp().copied(),
        seconds: seconds(alarm),
    };
    Some((alarm.alarm_name()?.to_owned(), state))
}

fn composite(alarm: &CompositeAlarm) -> Option<(String, State)> {
    let state = State {
        fires: alarm.state_value() == Some(&StateValue::Alarm),
        updated: alarm.state_updated_timestamp().copied(),
        seconds: None,
    };
    Some((alarm.alarm_name()?.to_owned(), state))
}

/// As many periods as have to be bad: `DatapointsToAlarm`, or all of `EvaluationPeriods` where that is not set. An alarm on
/// an expression has the longest period of what it is made of. Source: PutMetricAlarm in CloudWatch's API reference, and
/// "Evaluating an alarm" in its user guide.
fn seconds(alarm: &MetricAlarm) -> Option<u32> {
    let of_parts = alarm.metrics().iter().filter_map(|part| {
        let of_metric = part.metric_stat().and_then(MetricStat::period);
        of_metric.or(part.period())
    });
    let period = alarm.period().or(of_parts.max())?;
    let datapoints = alarm.datapoints_to_alarm().or(alarm.evaluation_periods());
    let seconds = period.checked_mul(datapoints?)?;
    u32::try_from(seconds).ok()
}

/// Whether an item of the history is a change to ALARM: `newState.stateValue` of its data, or where that is cut off (it
/// has 4095 characters at most) the end of its summary, "Alarm updated from OK to ALARM". Sources: AlarmHistoryItem in
/// CloudWatch's API reference, and the output of `describe-alarm-history` in the AWS CLI's reference.
fn fires(item: &AlarmHistoryItem) -> bool {
    let data: Option<Value> = item
        .history_data()
        .and_then(|data| serde_json::from_str(data).ok());
    let state = data
        .as_ref()
        .and_then(|data| data["newState"]["stateValue"].as_str());
    match (state, item.history_summary()) {
        (Some(state), _) => state == "ALARM",
        (None, Some(summary)) => summary.trim_end().ends_with("to ALARM"),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::types::MetricDataQuery;

    use super::*;

    fn fires_by(data: Option<&str>, summary: Option<&str>) -> bool {
        fires(
            &AlarmHistoryItem::builder()
                .set_history_data(data.map(str::to_owned))
                .set_history_summary(summary.map(str::to_owned))
                .build(),
        )
    }

    #[test]
    fn as_many_periods_have_to_be_bad_as_the_alarm_says() {
        let alarm = MetricAlarm::builder().period(60).evaluation_periods(5);
        assert_eq!(seconds(&alarm.clone().build()), Some(300));
        assert_eq!(seconds(&alarm.datapoints_to_alarm(3).build()), Some(180));
        let part = |period| {
            let metric = MetricStat::builder().period(period).build();
            MetricDataQuery::builder().metric_stat(metric).build()
        };
        let of_an_expression = MetricAlarm::builder()
            .metrics(MetricDataQuery::builder().expression("a / b").build())
            .metrics(part(60))
            .metrics(part(300))
            .evaluation_periods(2);
        assert_eq!(seconds(&of_an_expression.build()), Some(600));
        assert_eq!(seconds(&MetricAlarm::builder().build()), None);
    }

    #[test]
    fn only_a_change_to_alarm_counts() {
        let data = |state: &str| {
            format!(
                r#"{{"version":"1.0","oldState":{{"stateValue":"OK"}},"newState":{{"stateValue":"{state}"}}}}"#
            )
        };
        assert!(fires_by(Some(&data("ALARM")), None));
        assert!(!fires_by(Some(&data("OK")), None));
        assert!(!fires_by(None, None));
    }

    #[test]
    fn where_the_data_is_cut_off_the_summary_says_it() {
        let cut = r#"{"version":"1.0","newState":{"stateVal"#;
        assert!(fires_by(Some(cut), Some("Alarm updated from OK to ALARM")));
        assert!(!fires_by(Some(cut), Some("Alarm updated from ALARM to OK")));
        assert!(!fires_by(Some(cut), None));
    }
}
