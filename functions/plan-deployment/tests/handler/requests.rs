//! A wish to roll back, and a take-over: by the record, without a preflight.

use super::*;

/// `deploy-1` holds the front in this phase, in a world that a preflight would refuse.
fn held(phase: Phase) -> Fake {
    let fake = Fake::new();
    fake.world().phase(phase);
    fake.world().front().unwrap().plan.warnings = vec!["careful".to_owned()];
    for operation in ["DescribeLoadBalancers", "DescribeTargetGroups"] {
        fake.fail(operation, Fault::Unreachable);
    }
    fake.world().weigh(&[("a", 50), ("b", 50)]);
    fake
}

fn take_over(deployment: &str, then: &str) -> Value {
    json!({"takeOver": {"deployment": deployment, "then": then}})
}

#[tokio::test]
async fn a_wish_to_roll_back_names_whom_it_is_for_and_the_claim_decides() {
    let fake = held(Phase::Switched);
    let wish = plan(&fake, json!({"rollBack": "deploy-9", "why": "too slow"}))
        .await
        .unwrap();
    assert_eq!(
        serde_json::to_value(&wish).unwrap(),
        json!({
            "deployment": "deploy-2", "execution": EXECUTION, "service": "tunnel", "epoch": 5, "next": "wish",
            "wish": {"deployment": "deploy-9", "verb": "rollBack", "why": "too slow", "force": false},
        })
    );
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn whoever_stops_a_deployment_is_not_stopped_by_a_setting_of_the_next() {
    let fake = held(Phase::Switched);
    for input in [
        json!({"abort": "deploy-1"}),
        take_over("deploy-1", "rollBack"),
    ] {
        let mut payload = payload("deploy-2", input);
        let nothing_to_ask = ("ServiceUrl".to_owned(), "https://tunnels.test".to_owned());
        payload.settings.extend([nothing_to_ask]);
        ask(&fake, payload).await.unwrap();
    }
}

#[tokio::test]
async fn a_take_over_goes_on_with_the_recorded_plan_under_the_deployments_name() {
    let fake = held(Phase::Switched);
    let plan = plan(&fake, take_over("deploy-1", "rollBack"))
        .await
        .unwrap();
    assert_eq!(
        (plan.deployment.as_str(), plan.execution.as_str()),
        ("deploy-1", EXECUTION)
    );
    assert_eq!(plan.epoch, 5);
    let recorded = plan.recorded().unwrap();
    assert_eq!(recorded.green.environment, environment("b"));
    assert_eq!(recorded.policy.bake_seconds, 900);
    assert_eq!(recorded.warnings, ["careful"]);
    let answer = serde_json::to_value(&plan).unwrap();
    assert_eq!(answer["next"], "takeOver");
    assert_eq!(
        (&answer["then"], &answer["greenWeight"]),
        (&json!("rollBack"), &json!(50))
    );
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn the_take_over_of_a_drain_goes_on_with_the_plan_of_its_entry() {
    let fake = Fake::new();
    fake.world().switch(0, 100);
    fake.world().retires("a");
    let plan = plan(&fake, take_over("deploy-1", "continue"))
        .await
        .unwrap();
    assert_eq!(plan.deployment, "deploy-1");
    assert_eq!(plan.recorded(), Some(&recorded("a", "b")));
}

#[tokio::test]
async fn whom_the_record_does_not_name_nobody_takes_over() {
    let fake = held(Phase::Switched);
    let (name, cause) = refusal(&fake, take_over("deploy-9", "continue")).await;
    assert_eq!(name, ErrorName::PreflightRefused);
    assert!(cause.contains("these do: deploy-1"), "{cause}");
    let (name, cause) = refusal(&free(), take_over("deploy-1", "continue")).await;
    assert_eq!(name, ErrorName::PreflightRefused);
    assert!(cause.contains("nobody does"), "{cause}");
}
