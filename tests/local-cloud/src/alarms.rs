//! CloudWatch alarms in the emulator, in the state that a scenario puts them in.
//!
//! Speaks CloudWatch's JSON protocol itself: three calls are not worth another SDK in everybody's first build. The
//! emulator evaluates an alarm only when data of its metric arrives, and none ever does: a state that was set stays.

use serde_json::{Value, json};

use crate::cloud::LocalCloud;
use crate::error::{Error, Result};
use crate::http;

/// An alarm's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `OK`.
    Ok,
    /// `ALARM`.
    Alarm,
    /// `INSUFFICIENT_DATA`: what every alarm starts in.
    InsufficientData,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

impl LocalCloud {
    /// Makes a metric alarm; it has insufficient data.
    ///
    /// # Errors
    /// If MiniStack refuses.
    pub async fn put_alarm(&self, name: &str) -> Result<()> {
        let alarm = json!({
            "AlarmName": name,
            "Namespace": "Ebbtide/LocalCloud",
            "MetricName": name,
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        });
        self.cloudwatch("PutMetricAlarm", &alarm).await
    }

    /// Puts an alarm into a state, in which it stays.
    ///
    /// # Errors
    /// If there is no such alarm.
    pub async fn set_alarm(&self, name: &str, state: State) -> Result<()> {
        let change = json!({
            "AlarmName": name,
            "StateValue": state.name(),
            "StateReason": "set by a scenario",
        });
        self.cloudwatch("SetAlarmState", &change).await
    }

    /// Deletes an alarm.
    ///
    /// # Errors
    /// If MiniStack refuses.
    pub async fn delete_alarm(&self, name: &str) -> Result<()> {
        let which = json!({ "AlarmNames": [name] });
        self.cloudwatch("DeleteAlarms", &which).await
    }

    async fn cloudwatch(&self, call: &str, body: &Value) -> Result<()> {
        let refused = |why: String| Error::Aws {
            call: call.to_owned(),
            why,
        };
        let asked = http::client()?
            .post(&self.emulators()?.ministack)
            .header(
                "x-amz-target",
                format!("GraniteServiceVersion20100801.{call}"),
            )
            .header("content-type", "application/x-amz-json-1.0")
            .body(body.to_string());
        let answer = asked
            .send()
            .await
            .map_err(|error| refused(error.to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = answer.text().await.unwrap_or_default();
        Err(refused(format!("{status}: {text}")))
    }
}
