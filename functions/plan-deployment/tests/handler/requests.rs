//! A wish to roll back, and a take-over: by the record, without a preflight.

use super::*;

/// `deploy-1` owns the service at this stage, and has recorded its plan.
async fn held(stage: &str) -> Fake {
    let fake = free();
    let plan = plan(&fake, json!({})).await.unwrap();
    let recorded = json!({
        "blue": plan.blue, "green": plan.green, "policy": plan.policy, "hash": plan.hash, "warnings": ["careful"],
    });
    fake.world().record = Some(Record {
        owner: Some("deploy-1".to_owned()),
        execution: Some("arn:execution-1".to_owned()),
        epoch: 5,
        stage: Some(stage.to_owned()),
        switched: true,
        blue: Some(arn("a")),
        green: Some(arn("b")),
        plan: Some(recorded.to_string()),
        ..Record::default()
    });
    // Whatever a preflight would ask, and a world that it would refuse.
    for operation in ["DescribeLoadBalancers", "DescribeTargetGroups"] {
        fake.fail(operation, Fault::Unreachable);
    }
    fake.world().weigh(&[("a", 50), ("b", 50)]);
    fake.changes();
    fake
}

fn take_over(deployment: &str, then: &str) -> Value {
    json!({"takeOver": {"deployment": deployment, "then": then}})
}

#[tokio::test]
async fn a_wish_to_roll_back_names_the_owner_and_nothing_else() {
    let fake = held("baking").await;
    let plan = plan(&fake, json!({"rollBack": "deploy-1"})).await.unwrap();
    let answer = serde_json::to_value(&plan).unwrap();
    let mut keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "deployment",
            "epoch",
            "execution",
            "owner",
            "rollBack",
            "service"
        ]
    );
    assert_eq!(answer["rollBack"], "deploy-1");
    assert_eq!(answer["deployment"], "deploy-2");
    assert_eq!(answer["owner"]["execution"], "arn:execution-1");
    assert_eq!(answer["epoch"], json!({"seen": 5, "claimed": 6}));
}

#[tokio::test]
async fn a_wish_that_comes_too_late_is_refused() {
    let cases = [
        ("draining", "nothing takes back"),
        ("rollingBack", "rolling back already"),
        ("superseding", "has moved no traffic"),
    ];
    for (stage, words) in cases {
        let fake = held(stage).await;
        let (name, cause) = refusal(&fake, json!({"rollBack": "deploy-1"})).await;
        assert_eq!(name, ErrorName::PreflightRefused);
        assert!(cause.contains(words), "{cause}");
    }
    let (_, cause) = refusal(&held("baking").await, json!({"rollBack": "deploy-9"})).await;
    assert!(cause.contains("deployment deploy-1 does"), "{cause}");
    let (_, cause) = refusal(&free(), json!({"rollBack": "deploy-1"})).await;
    assert!(cause.contains("nobody does"), "{cause}");
}

#[tokio::test]
async fn a_take_over_goes_on_with_the_recorded_plan_under_the_owners_name() {
    let fake = held("baking").await;
    let plan = plan(&fake, take_over("deploy-1", "rollBack"))
        .await
        .unwrap();
    assert_eq!(
        (plan.deployment.as_str(), plan.execution.as_str()),
        ("deploy-1", "arn:execution-2")
    );
    assert_eq!(
        plan.epoch,
        Epoch {
            seen: 5,
            claimed: 6
        }
    );
    assert_eq!(plan.owner.as_ref().unwrap().execution, "arn:execution-1");
    assert_eq!(plan.green.as_ref().unwrap().environment, environment("b"));
    assert_eq!(plan.policy.as_ref().unwrap().bake_seconds, 900);
    assert_eq!(plan.warnings.as_deref(), Some(&["careful".to_owned()][..]));
    let answer = serde_json::to_value(&plan).unwrap();
    assert_eq!(
        answer["takeOver"],
        json!({"deployment": "deploy-1", "then": "rollBack", "greenWeight": 50})
    );
    for absent in ["servers", "dryRun", "rollBack"] {
        assert!(answer.get(absent).is_none(), "{absent}");
    }
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_take_over_that_was_claimed_already_claims_the_same_epoch() {
    let fake = held("baking").await;
    if let Some(record) = fake.world().record.as_mut() {
        record.execution = Some("arn:execution-2".to_owned());
        record.epoch = 6;
    }
    let plan = plan(&fake, take_over("deploy-1", "continue"))
        .await
        .unwrap();
    assert_eq!(
        plan.epoch,
        Epoch {
            seen: 6,
            claimed: 6
        }
    );
}

#[tokio::test]
async fn a_take_over_is_refused_where_the_record_rules_it_out() {
    let cases = [
        ("draining", "deploy-1", "rollBack", "\"then\": \"continue\""),
        ("superseding", "deploy-1", "continue", "which supersedes it"),
        ("baking", "deploy-9", "continue", "deployment deploy-1 does"),
    ];
    for (stage, deployment, then, words) in cases {
        let fake = held(stage).await;
        let (name, cause) = refusal(&fake, take_over(deployment, then)).await;
        assert_eq!(name, ErrorName::PreflightRefused);
        assert!(cause.contains(words), "{cause}");
    }
    let fake = held("baking").await;
    if let Some(record) = fake.world().record.as_mut() {
        record.plan = None;
    }
    let (name, cause) = refusal(&fake, take_over("deploy-1", "continue")).await;
    assert_eq!(name, ErrorName::PreflightRefused);
    assert!(
        cause.contains("redrive the deployment's own execution"),
        "{cause}"
    );
}
