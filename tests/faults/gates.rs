//! Gates: a deployment waits before a Task until it is let through, so that a fault is made at that stage and no other.
//!
//! A gate is three states in front of the Task: read an item of the service's table, look whether it is there, wait and
//! look again. They hand the document on as it came. Everything else of the definition is as deployed. A gate that was
//! opened stays open.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sfn::types::ExecutionStatus;
use ebbtide_local_cloud::variant::Variant;
use ebbtide_local_cloud::wait::{Seen, until};
use ebbtide_rules::document::Document;
use ebbtide_rules::wait::reached;
use ebbtide_tests::scene::Scene;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::matrix::Stage;
use crate::story::{LIMIT, Story, is_of};

const LOOK: &str = "LookAtGateOf";
const IS_OPEN: &str = "IsGateOpenOf";
const WAIT: &str = "WaitAtGateOf";

/// Besides what every wait takes between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// A deployment that waits before some of its stages.
pub(crate) struct Gated {
    /// The deployment.
    pub(crate) story: Story,
    stages: Vec<Stage>,
    opened: BTreeSet<Stage>,
}

impl Gated {
    /// When a deployment starts that will wait before each of these stages.
    pub(crate) async fn deploy(scene: &Scene, stages: &[Stage], input: &Value) -> Self {
        let mut definition = scene.cloud.definition().await.expect("the definition");
        let (table, service) = (&scene.cloud.stack().table, scene.cloud.service());
        for stage in stages {
            definition = gated(definition, stage.tasks()[0], table, service);
            // A deployment before this one may have left it open.
            remove(scene, *stage).await;
        }
        // Green boots in a second; five between two looks would be most of a trial.
        let variant = Variant::of(definition).wait_seconds("WaitForGreen", 1);
        let started = scene.cloud.start_variant(&variant, None, input).await;
        Self {
            story: Story::of(started.expect("it starts")),
            stages: stages.to_vec(),
            opened: BTreeSet::new(),
        }
    }

    /// When it waits at a gate that is not open yet: which stage is next. `None` once it has ended.
    ///
    /// Every pass drains and counts. It is held before it drains in a pass that will give orders, and before it counts in
    /// one that will ask for seals; the passes before those go on.
    pub(crate) async fn next(&self, scene: &Scene) -> Option<Stage> {
        loop {
            let next = self
                .waits_at(scene, |stage| !self.opened.contains(&stage))
                .await;
            let goes_on = match next {
                Some(Stage::Drain) => !self.will_give_orders().await,
                Some(Stage::Check) => !self.document().await.may_seal(),
                _ => false,
            };
            match next {
                Some(stage) if goes_on => self.lets_through(scene, stage).await,
                next => return next,
            }
        }
    }

    /// The document with which it waits at its gate.
    async fn document(&self) -> Document {
        let entry = self.story.execution().last_entry().await;
        let (_, input) = entry.expect("a history").expect("it has entered a state");
        let document = input.get("gated").unwrap_or(&input).clone();
        serde_json::from_value(document).expect("a document")
    }

    async fn will_give_orders(&self) -> bool {
        let question = self.document().await.drain().expect("a plan");
        reached(question.settled_at, Timestamp::now())
    }

    /// When it has gone past this gate, which is closed again behind it.
    async fn lets_through(&self, scene: &Scene, stage: Stage) {
        put(scene, stage).await;
        until("the gate to be passed", LIMIT, || async {
            let last = self.story.execution().last_state().await?;
            let last = last.unwrap_or_default();
            Ok(match task_behind(&last) {
                Some(_) if is_of(stage, &last) => Seen::NotYet(last),
                _ => Seen::Done(()),
            })
        })
        .await
        .expect("it is passed");
        remove(scene, stage).await;
    }

    /// When it waits at the gate of one of these stages.
    async fn waits_at(&self, scene: &Scene, of: impl Fn(Stage) -> bool) -> Option<Stage> {
        until("the next gate", LIMIT, || async {
            // A gate is looked at once a second; ten questions a second from every trial would be the emulators' work.
            tokio::time::sleep(BETWEEN_LOOKS).await;
            let execution = self.story.execution();
            let standing = execution.standing().await?;
            if standing.status != ExecutionStatus::Running {
                return Ok(Seen::Done(None));
            }
            let last = execution.last_state().await?.unwrap_or_default();
            let mut stages = self.stages.iter().copied();
            let at = stages
                .find(|stage| task_behind(&last).is_some() && is_of(*stage, &last) && of(*stage));
            Ok(match at {
                Some(stage) => Seen::Done(Some(stage)),
                None => Seen::NotYet(standing.describe(Some(&last))),
            })
        })
        .await
        .unwrap_or_else(|error| {
            panic!(
                "{error}; the cloud is in {}",
                scene.cloud.directory().display()
            )
        })
    }

    /// When it waits at this stage's gate.
    pub(crate) async fn held(&self, scene: &Scene, stage: Stage) {
        let next = self.next(scene).await;
        assert_eq!(next, Some(stage), "the gate at which it waits");
    }

    /// When it waits at this stage's gate in its first pass, whatever that pass will do.
    pub(crate) async fn held_in_the_first_pass(&self, scene: &Scene, stage: Stage) {
        let first = self.waits_at(scene, |_| true).await;
        assert_eq!(first, Some(stage), "the gate at which it waits");
    }

    /// When a stage's gate is opened, for good.
    pub(crate) async fn open(&mut self, scene: &Scene, stage: Stage) {
        put(scene, stage).await;
        self.opened.insert(stage);
    }
}

/// The item that opens a stage's gate.
fn key(scene: &Scene, stage: Stage) -> [(&'static str, AttributeValue); 2] {
    [
        ("service", scene.cloud.service().to_owned()),
        ("item", item(stage.tasks()[0])),
    ]
    .map(|(name, text)| (name, AttributeValue::S(text)))
}

async fn put(scene: &Scene, stage: Stage) {
    let mut put = scene.cloud.clients().dynamodb.put_item();
    for (name, value) in key(scene, stage) {
        put = put.item(name, value);
    }
    let put = put.table_name(&scene.cloud.stack().table).send();
    put.await.expect("the gate opens");
}

async fn remove(scene: &Scene, stage: Stage) {
    let mut remove = scene.cloud.clients().dynamodb.delete_item();
    for (name, value) in key(scene, stage) {
        remove = remove.key(name, value);
    }
    let remove = remove.table_name(&scene.cloud.stack().table).send();
    remove.await.expect("the gate closes");
}

/// The Task that a gate's state stands before.
pub(crate) fn task_behind(state: &str) -> Option<&str> {
    [LOOK, IS_OPEN, WAIT]
        .iter()
        .find_map(|prefix| state.strip_prefix(prefix))
}

fn item(task: &str) -> String {
    format!("gate of {task}")
}

/// The definition with a gate before a Task.
fn gated(mut definition: Value, task: &str, table: &str, service: &str) -> Value {
    let look = format!("{LOOK}{task}");
    let states = definition["States"].as_object_mut();
    let states = states.expect("a definition has states");
    assert!(states.contains_key(task), "there is no state {task}");
    for state in states.values_mut() {
        lead(state, task, &look);
    }
    states.extend(gate(task, table, service));
    if definition["StartAt"] == task {
        definition["StartAt"] = Value::from(look);
    }
    definition
}

/// Every transition to `from` leads to `to` instead.
fn lead(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if matches!(name.as_str(), "Next" | "Default") && *value == from {
                    *value = Value::from(to);
                } else if matches!(name.as_str(), "Choices" | "Catch") {
                    lead(value, from, to);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| lead(item, from, to)),
        _ => {}
    }
}

fn gate(task: &str, table: &str, service: &str) -> Map<String, Value> {
    let as_it_came = "{% $states.input.gated %}";
    let states = json!({
        format!("{LOOK}{task}"): {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:dynamodb:getItem",
            "Arguments": {
                "TableName": table,
                "Key": {"service": {"S": service}, "item": {"S": item(task)}},
                "ConsistentRead": true,
            },
            "Output": {"gated": "{% $states.input %}", "open": "{% $exists($states.result.Item.item.S) %}"},
            "Next": format!("{IS_OPEN}{task}"),
        },
        format!("{IS_OPEN}{task}"): {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.open %}", "Output": as_it_came, "Next": task}],
            "Default": format!("{WAIT}{task}"),
        },
        format!("{WAIT}{task}"): {
            "Type": "Wait",
            "Seconds": 1,
            "Output": as_it_came,
            "Next": format!("{LOOK}{task}"),
        },
    });
    match states {
        Value::Object(states) => states,
        _ => Map::new(),
    }
}
