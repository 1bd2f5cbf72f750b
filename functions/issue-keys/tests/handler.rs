//! issue-keys against a Secrets Manager in memory.
#![expect(clippy::expect_used, reason = "a test's own functions may fail it")]

use ebbtide_aws::fake::{Fake, Fault};
use ebbtide_signature::Key;
use issue_keys::{Asked, Service, handle};
use serde_json::{Value, json};

const FIRST: &str = "the first master, of thirty-two characters";
const SECOND: &str = "the second master, of thirty-two characters";

fn service() -> Service {
    Service {
        secret: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tunnel".to_owned(),
        role: "arn:aws:iam::123456789012:role/tunnel".to_owned(),
    }
}

fn asked(context: &Value) -> Asked {
    let event = json!({"version": "2.0", "rawPath": "/", "headers": {}, "requestContext": context});
    serde_json::from_value(event).expect("an event")
}

fn of_instance(instance: &str) -> Asked {
    let arn = format!("arn:aws:sts::123456789012:assumed-role/tunnel/{instance}");
    asked(&json!({"authorizer": {"iam": {"userArn": arn, "userId": format!("AROA:{instance}")}}}))
}

fn lines(body: &str) -> Vec<String> {
    let id = |line| Key::read(line).map(|key| key.id().to_owned());
    body.lines()
        .map(id)
        .collect::<Result<_, _>>()
        .unwrap_or_default()
}

#[tokio::test]
async fn an_instance_gets_its_own_keys_of_both_masters() {
    let fake = Fake::new();
    fake.world().secrets = vec![FIRST.to_owned(), SECOND.to_owned()];
    let secrets = fake.signing_secrets();
    let (one, other) = ("i-0123456789abcdef0", "i-0123456789abcdef1");
    let mut issued = Vec::new();
    for instance in [one, other] {
        let answer = handle(&secrets, &service(), of_instance(instance))
            .await
            .unwrap();
        assert_eq!(answer.status_code, 200);
        let masters = secrets.masters(Some(&service().secret)).await.unwrap();
        let keys = masters.iter().map(|it| it.key_of(instance).id().to_owned());
        assert_eq!(lines(&answer.body), keys.collect::<Vec<_>>());
        assert!(!answer.body.contains("master"));
        issued.extend(lines(&answer.body));
    }
    issued.sort_unstable();
    issued.dedup();
    assert_eq!(issued.len(), 4);
    let answer = handle(&secrets, &service(), of_instance(one))
        .await
        .unwrap();
    let said = serde_json::to_value(&answer).unwrap();
    assert_eq!(said["headers"]["cache-control"], "no-store");
}

#[tokio::test]
async fn nobody_else_gets_any() {
    let fake = Fake::new();
    fake.world().secrets = vec![FIRST.to_owned()];
    let secrets = fake.signing_secrets();
    let nobody = [
        asked(&json!({})),
        asked(&json!({"authorizer": {}})),
        of_instance("a-person"),
    ];
    for asked in nobody {
        let answer = handle(&secrets, &service(), asked).await.unwrap();
        assert_eq!(answer.status_code, 403);
        assert!(lines(&answer.body).is_empty());
    }
    // Nor was the secret read for them.
    fake.fail("GetSecretValue", Fault::Refused("AccessDeniedException"));
    let failed = handle(&secrets, &service(), of_instance("i-0123456789abcdef0")).await;
    assert!(failed.is_err());
}
