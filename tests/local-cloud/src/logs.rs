//! What the functions wrote to their log group.

use serde_json::{Value, json};

use crate::LocalCloud;
use crate::error::{Error, Result, chain};
use crate::http;
use crate::stack::STACK;

/// The most events that one call answers; more than a scenario writes.
const MOST_EVENTS: usize = 10_000;

impl LocalCloud {
    /// Every line that is a JSON object, oldest first: what was logged, and metrics.
    ///
    /// # Errors
    /// If MiniStack does not answer, or has more lines than one call answers.
    pub async fn log_lines(&self) -> Result<Vec<Value>> {
        let asked = json!({"logGroupName": format!("/aws/lambda/{STACK}"), "limit": MOST_EVENTS});
        let refused = |why: String| Error::Aws {
            call: "FilterLogEvents".to_owned(),
            why,
        };
        // AWS's JSON protocol: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
        let call = http::client()?
            .post(&self.emulators()?.ministack)
            .header("X-Amz-Target", "Logs_20140328.FilterLogEvents")
            .header("Content-Type", "application/x-amz-json-1.1")
            .body(asked.to_string());
        let answer = async { call.send().await?.error_for_status()?.json::<Value>().await };
        let answer = answer.await.map_err(|error| refused(chain(&error)))?;
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        if events.len() >= MOST_EVENTS {
            return Err(refused(format!("{MOST_EVENTS} lines, and perhaps more")));
        }
        let messages = events.iter().filter_map(|event| event["message"].as_str());
        let lines = messages.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(lines.filter(Value::is_object).collect())
    }
}
