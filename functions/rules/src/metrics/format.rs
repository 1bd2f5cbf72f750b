//! The embedded metric format: one JSON object a line, which CloudWatch Logs makes metrics of.
//!
//! Sources, in the CloudWatch user guide: "Specification: Embedded metric format" (members, units, at most 100 metrics a
//! directive, the stamp in milliseconds) and "Using the embedded metric format with Lambda" (whatever a function writes to
//! standard output is sent to its log group, and metrics are extracted there; no permission but that to write logs). The
//! functions log as text, so a line arrives as it was written.

use serde_json::{Map, Value, json};

use super::{ALL, Metric, NAMESPACE, Point, Told};

/// One line, without its end. `deployment` is a member to search by, and no dimension.
pub(super) fn line(service: &str, deployment: &str, told: &Told) -> String {
    let mut members = Map::new();
    members.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": told.at.as_millisecond(),
            "CloudWatchMetrics": directives(&told.points),
        }),
    );
    members.insert("Service".to_owned(), json!(service));
    if let Some(environment) = &told.environment {
        members.insert("Environment".to_owned(), json!(environment));
    }
    members.insert("deployment".to_owned(), json!(deployment));
    for Point(metric, value) in &told.points {
        members.insert(metric.name.to_owned(), json!(value));
    }
    Value::Object(members).to_string()
}

/// One directive for each set of dimensions that is told of.
fn directives(points: &[Point]) -> Vec<Value> {
    let mut sets: Vec<&[&str]> = ALL.iter().map(|metric| metric.dimensions).collect();
    sets.dedup();
    let told = |set: &[&str]| -> Vec<Value> {
        let of_set = points.iter().filter(|point| point.0.dimensions == set);
        of_set.map(|point| definition(&point.0)).collect()
    };
    let of_set = sets.into_iter().map(|set| (set, told(set)));
    of_set
        .filter(|(_, metrics)| !metrics.is_empty())
        .map(|(set, metrics)| json!({"Namespace": NAMESPACE, "Dimensions": [set], "Metrics": metrics}))
        .collect()
}

fn definition(metric: &Metric) -> Value {
    json!({"Name": metric.name, "Unit": metric.unit})
}
