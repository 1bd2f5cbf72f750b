//! The policies of docs/cli.md: what reads needs no more than the first, and neither allows anything that nobody calls.

use std::collections::BTreeSet;

use iam_rs::{
    Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, PolicyEvaluator, Principal,
    PrincipalId,
};
use serde_json::{Value, json};

use super::fake::{ACCOUNT, Call, REGION, SERVICE, STACK, TABLE};
use super::{Fake, quiet, world};

/// The policies, filled in for the stack of the tests.
fn policies() -> [Value; 2] {
    let text = include_str!("../../../docs/cli.md");
    let blocks = text.split("```json\n").skip(1);
    let blocks = blocks.filter_map(|it| it.split_once("```").map(|it| it.0));
    let policies: Vec<Value> = blocks
        .filter(|block| block.contains("\"Statement\""))
        .map(|block| {
            let filled = block
                .replace("REGION", REGION)
                .replace("ACCOUNT", ACCOUNT)
                .replace("SERVICE", SERVICE)
                .replace("STACK", STACK);
            serde_json::from_str(&filled).expect("a policy")
        })
        .collect();
    policies.try_into().expect("two policies")
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().expect("statements");
    let of = |statement: &Value| match &statement["Action"] {
        Value::Array(actions) => actions.clone(),
        one => vec![one.clone()],
    };
    let actions = statements.iter().flat_map(of);
    actions
        .map(|it| it.as_str().expect("a name").to_owned())
        .collect()
}

/// What IAM is asked about a call.
fn request(call: &Call) -> IAMRequest {
    let asked = |field: &str| call.asked[field].as_str().unwrap_or_default().to_owned();
    let resource = match call.action.split_once(':').expect("a service").0 {
        "cloudformation" => format!(
            "arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{}/0",
            asked("StackName")
        ),
        "dynamodb" => format!(
            "arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{}",
            asked("TableName")
        ),
        _ if call.action == "states:StartExecution" => asked("stateMachineArn"),
        // The looks are those of a local cloud's stack.
        _ => asked("executionArn")
            .replace("000000000000", ACCOUNT)
            .replace(":execution:ebbtide:", &format!(":execution:{STACK}:")),
    };
    let mut context = Context::new();
    let key = &call.asked["Key"]["service"]["S"];
    let key = key
        .as_str()
        .or(call.asked["ExpressionAttributeValues"][":service"]["S"].as_str());
    if let Some(key) = key {
        let keys = ContextValue::StringList(vec![key.to_owned()]);
        context.insert("dynamodb:LeadingKeys".to_owned(), keys);
    }
    let caller = PrincipalId::String(format!("arn:aws:iam::{ACCOUNT}:role/operator"));
    let resource = Arn::parse(&resource).expect("an ARN");
    let action = call.action.as_str();
    IAMRequest::new_with_context(Principal::Aws(caller), action, resource, context)
}

fn allows(policy: &Value, call: &Call) -> bool {
    let policy = IAMPolicy::from_json(&policy.to_string()).expect("a policy");
    let evaluator = PolicyEvaluator::with_policies(vec![policy]);
    let decided = evaluator
        .evaluate(&request(call))
        .expect("it can be decided");
    decided.decision == Decision::Allow
}

/// What each command asks for that only reads.
async fn reads() -> Vec<Call> {
    let mut calls = Vec::new();
    for name in ["bake", "failed"] {
        let fake = Fake::of(world(name)).await;
        for command in ["status", "history", "seen"] {
            assert_eq!(fake.run(&[command]).await.status, Some(0));
        }
        calls.extend(fake.calls());
    }
    let fake = quiet().await;
    assert_eq!(fake.run(&["watch"]).await.status, Some(0));
    calls.extend(fake.calls());
    calls
}

/// What the others ask for.
async fn acts() -> Vec<Call> {
    let mut stopped = world("bake");
    for execution in stopped.executions.values_mut() {
        execution["status"] = "TIMED_OUT".into();
    }
    let succeeded = json!({"status": "SUCCEEDED", "output": "{}"});
    stopped
        .verdicts
        .extend([succeeded.clone(), succeeded.clone()]);
    let fake = Fake::of(stopped).await;
    for arguments in [
        &["resume", "--redrive"][..],
        &["rollback", "--yes"],
        &["deploy"],
    ] {
        let done = fake.run(arguments).await;
        assert_eq!(done.status, Some(0), "{done:?}");
    }
    let mut calls = fake.calls();
    let mut baking = world("bake");
    baking.verdicts.push_back(succeeded);
    let fake = Fake::of(baking).await;
    assert_eq!(fake.run(&["pause"]).await.status, Some(0));
    calls.extend(fake.calls());
    calls
}

#[tokio::test]
async fn the_first_policy_is_enough_for_all_that_reads_and_no_more() {
    let [read, _] = policies();
    let calls = reads().await;
    for call in &calls {
        assert!(allows(&read, call), "{call:?}");
    }
    let called: BTreeSet<String> = calls.into_iter().map(|it| it.action).collect();
    assert_eq!(called, actions(&read));
}

#[tokio::test]
async fn the_second_policy_is_what_acting_needs_beside_it() {
    let [read, act] = policies();
    let calls = acts().await;
    for call in &calls {
        assert!(allows(&read, call) != allows(&act, call), "{call:?}");
    }
    let called: BTreeSet<String> = calls.into_iter().map(|it| it.action).collect();
    let both = actions(&read)
        .union(&actions(&act))
        .cloned()
        .collect::<BTreeSet<_>>();
    assert!(
        called.is_subset(&both) && actions(&act).is_subset(&called),
        "{called:?}"
    );
}

#[test]
fn another_service_s_record_and_another_stack_are_nobody_s_business() {
    let [read, act] = policies();
    let call = |action: &str, asked: Value| Call {
        action: action.to_owned(),
        asked,
    };
    let item = |table: &str, service: &str| {
        let asked = json!({"TableName": table, "Key": {"service": {"S": service}}});
        call("dynamodb:GetItem", asked)
    };
    assert!(allows(&read, &item(TABLE, SERVICE)));
    assert!(!allows(&read, &item(TABLE, "other")));
    assert!(!allows(&read, &item("other-Records-1", SERVICE)));
    let start = |stack: &str| {
        let machine = format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{stack}");
        call("states:StartExecution", json!({"stateMachineArn": machine}))
    };
    assert!(allows(&act, &start(STACK)) && !allows(&read, &start(STACK)));
    assert!(!allows(&act, &start("other")));
}
