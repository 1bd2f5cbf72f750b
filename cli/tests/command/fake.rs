//! An AWS of one stack, on a port of its own: what `ebbtide` asks of it is kept, and answered from what a test has put there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Map, Value, json};
use tokio::process::Command;

pub(crate) const STACK: &str = "ebbtide-tunnel";
pub(crate) const SERVICE: &str = "tunnel";
pub(crate) const TABLE: &str = "ebbtide-tunnel-Records-5992CA2F6395B";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const ACCOUNT: &str = "123456789012";

/// A call: its action as IAM names it, and what was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) asked: Value,
}

/// What AWS holds.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The items of the table by sort key.
    pub(crate) items: BTreeMap<String, Value>,
    /// DescribeExecution's answers by ARN.
    pub(crate) executions: BTreeMap<String, Value>,
    /// How the executions end that are started: status, error, cause, output.
    pub(crate) verdicts: VecDeque<Value>,
    /// The events of every execution, the oldest first.
    pub(crate) events: Vec<Value>,
    /// The action that is denied.
    pub(crate) denied: Option<&'static str>,
    /// Which of the calls of GetItem are denied, counted from 0.
    pub(crate) trouble: std::ops::Range<usize>,
    /// What was asked.
    pub(crate) calls: Vec<Call>,
}

/// The AWS, served until it is dropped.
pub(crate) struct Fake {
    url: String,
    world: Arc<Mutex<World>>,
    server: tokio::task::JoinHandle<()>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("one line of JSON")
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fake {
    pub(crate) async fn of(world: World) -> Self {
        let world = Arc::new(Mutex::new(world));
        let router = Router::new()
            .route("/", post(answer))
            .with_state(world.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { url, world, server }
    }

    /// The command with this AWS and nothing else of the environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ebbtide"));
        command.args(arguments).env_clear().envs([
            ("AWS_ENDPOINT_URL", self.url.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", REGION),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("EBBTIDE_STACK", STACK),
            ("USER", "sam"),
        ]);
        command
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Done {
        let ended = self.command(arguments).output().await.expect("it runs");
        Done {
            status: ended.status.code(),
            out: String::from_utf8(ended.stdout).expect("text"),
            err: String::from_utf8(ended.stderr).expect("text"),
        }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.world.lock().expect("no panic").calls.clone()
    }

    /// The inputs of the executions that were started.
    pub(crate) fn started(&self) -> Vec<Value> {
        let calls = self.calls();
        let started = calls
            .iter()
            .filter(|it| it.action == "states:StartExecution");
        let input = |call: &Call| {
            let text = call.asked["input"].as_str().expect("an input");
            serde_json::from_str(text).expect("JSON")
        };
        started.map(input).collect()
    }
}

async fn answer(
    State(world): State<Arc<Mutex<World>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|it| it.to_str().ok());
    let (action, asked) = match target.and_then(|it| it.split_once('.')) {
        Some((service, operation)) => {
            let service = if service.starts_with("DynamoDB") {
                "dynamodb"
            } else {
                "states"
            };
            let asked = serde_json::from_slice(&body).unwrap_or_default();
            (format!("{service}:{operation}"), asked)
        }
        None => form(&body),
    };
    let mut world = world.lock().expect("no panic");
    let call = Call { action, asked };
    world.calls.push(call.clone());
    world.answer(&call)
}

/// CloudFormation is asked by a form.
fn form(body: &[u8]) -> (String, Value) {
    let text = String::from_utf8_lossy(body);
    let fields = text.split('&').filter_map(|field| field.split_once('='));
    let fields: Map<String, Value> = fields
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let action = fields.get("Action").and_then(Value::as_str);
    let action = format!("cloudformation:{}", action.unwrap_or_default());
    (action, Value::Object(fields))
}

impl World {
    fn answer(&mut self, call: &Call) -> Response {
        let asked = &call.asked;
        let reads = self
            .calls
            .iter()
            .filter(|it| it.action == "dynamodb:GetItem");
        let troubled =
            call.action == "dynamodb:GetItem" && self.trouble.contains(&(reads.count() - 1));
        if troubled || self.denied == Some(call.action.as_str()) {
            let message = "User is not authorized to perform this";
            return if call.action.starts_with("cloudformation:") {
                xml_error(StatusCode::FORBIDDEN, "AccessDenied", message)
            } else {
                error("AccessDeniedException", message)
            };
        }
        match call.action.as_str() {
            "cloudformation:DescribeStacks" if asked["StackName"] == STACK => stack(),
            "cloudformation:DescribeStacks" => xml_error(
                StatusCode::BAD_REQUEST,
                "ValidationError",
                "Stack with id other does not exist",
            ),
            "dynamodb:GetItem" => {
                let key = asked["Key"]["item"]["S"].as_str().expect("a key");
                let item = self.items.get(key);
                json_answer(&item.map_or(json!({}), |item| json!({"Item": wire(item)["M"]})))
            }
            "dynamodb:Query" => {
                let ended = self
                    .items
                    .iter()
                    .filter(|it| it.0.starts_with("deployment "));
                let items: Vec<Value> = ended.map(|(_, item)| wire(item)["M"].clone()).collect();
                json_answer(&json!({"Items": items, "Count": items.len()}))
            }
            "states:DescribeExecution" => {
                let arn = asked["executionArn"].as_str().expect("an ARN");
                match self.executions.get_mut(arn) {
                    Some(execution) => {
                        let now = json_answer(execution);
                        // It runs as often as it is looked at, then it ends.
                        if let Some(looks) = execution["runs"].as_u64() {
                            let left = looks - 1;
                            execution["runs"] = if left > 0 { left.into() } else { Value::Null };
                            if left == 0 {
                                execution["status"] = "SUCCEEDED".into();
                            }
                        }
                        now
                    }
                    None => error("ExecutionDoesNotExist", "it does not exist"),
                }
            }
            "states:GetExecutionHistory" => json_answer(&self.history(asked)),
            "states:StartExecution" => {
                let name = asked["name"].as_str().expect("a name");
                let arn = arn(name);
                let verdict = self
                    .verdicts
                    .pop_front()
                    .unwrap_or(json!({"status": "RUNNING"}));
                self.executions
                    .insert(arn.clone(), described(&arn, &verdict));
                json_answer(&json!({"executionArn": arn, "startDate": 1_795_341_600}))
            }
            "states:RedriveExecution" => json_answer(&json!({"redriveDate": 1_795_341_600})),
            other => panic!("nobody asks for {other}"),
        }
    }

    fn history(&self, asked: &Value) -> Value {
        let most = usize::try_from(asked["maxResults"].as_u64().expect("a page")).expect("small");
        let from: usize = asked["nextToken"]
            .as_str()
            .map_or(0, |it| it.parse().expect("ours"));
        let newest: Vec<&Value> = self.events.iter().rev().skip(from).take(most).collect();
        let next = from + newest.len();
        let mut answer = json!({"events": newest});
        if next < self.events.len() {
            answer["nextToken"] = next.to_string().into();
        }
        answer
    }
}

/// The ARN of an execution.
pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:{STACK}:{name}")
}

/// An execution as Step Functions describes it.
pub(crate) fn described(arn: &str, verdict: &Value) -> Value {
    let mut described = json!({
        "executionArn": arn,
        "stateMachineArn": format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{STACK}"),
        "startDate": 1_795_341_600,
    });
    let fields = verdict.as_object().expect("an object");
    described
        .as_object_mut()
        .expect("it is one")
        .extend(fields.clone());
    described
}

/// A value as DynamoDB writes it.
fn wire(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(it) => json!({"BOOL": it}),
        Value::Number(it) => json!({"N": it.to_string()}),
        Value::String(it) => json!({"S": it}),
        Value::Array(it) => json!({"L": it.iter().map(wire).collect::<Vec<_>>()}),
        Value::Object(it) => {
            let fields = it.iter().map(|(name, value)| (name.clone(), wire(value)));
            json!({"M": fields.collect::<Map<_, _>>()})
        }
    }
}

fn json_answer(answer: &Value) -> Response {
    let json = [("content-type", "application/x-amz-json-1.0")];
    (json, answer.to_string()).into_response()
}

fn error(code: &str, message: &str) -> Response {
    let body = json!({"__type": code, "message": message}).to_string();
    let json = [("content-type", "application/x-amz-json-1.0")];
    (StatusCode::BAD_REQUEST, json, body).into_response()
}

fn xml_error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    (status, [("content-type", "text/xml")], body).into_response()
}

fn stack() -> Response {
    let output = |key: &str, value: &str| {
        format!("<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>")
    };
    let machine = format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{STACK}");
    let body = format!(
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>{STACK}</StackName>\
         <CreationTime>2026-11-22T10:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>\
         <Parameters><member><ParameterKey>ServiceName</ParameterKey><ParameterValue>{SERVICE}</ParameterValue></member></Parameters>\
         <Outputs>{}{}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>",
        output("StateMachineArn", &machine),
        output("TableName", TABLE),
    );
    ([("content-type", "text/xml")], body).into_response()
}
