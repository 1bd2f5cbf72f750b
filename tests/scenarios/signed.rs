//! Signed calls: servers with keys of the stack's secret, and a secret that nobody finds anywhere.

use std::path::Path;

use ebbtide_local_cloud::Execution;
use ebbtide_local_cloud::options::Options;
use ebbtide_signature::Key;
use reqwest::StatusCode;
use serde_json::json;

use crate::scene::{Scene, hasty};
use crate::sessions::Seen;

const ROLE: &str = "arn:aws:iam::123456789012:role/tunnel";

async fn signed() -> Scene {
    Scene::with(Options {
        signed: true,
        parameters: vec![("InstanceRoleArn".to_owned(), ROLE.to_owned())],
        ..Options::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_calls_empty_blue_while_the_master_rotates_and_nothing_gives_a_key_away() {
    // Given servers that take signed calls only, somebody busy, and somebody idle
    let scene = signed().await;
    let secret = scene.cloud.signing().expect("a secret").clone();
    let mut busy = scene.busy("busy").await;
    let idle = scene.idle(6).await;
    is_refused_unsigned(&scene).await;
    // When the master rotates while blue drains, whose servers know the former one alone
    let first = scene
        .deploy(&json!({"bake": {"seconds": 3}, "drain": {"settleSeconds": 1, "pollSeconds": 2}}))
        .await;
    scene.passes(&first, "CheckDrained", 2).await;
    secret.rotate().await.expect("a rotation");
    // Then idle sessions move, the busy one is left alone, and blue ends when it is over
    let (on_blue, _): (Vec<_>, Vec<_>) = idle
        .into_iter()
        .partition(|session| scene.blue().contains(&session.server));
    scene.all_handed_over(&on_blue).await;
    assert_eq!(busy.seen(), Seen::Asked);
    busy.leave();
    scene.promoted(&first).await;
    // And the next deployment reaches servers of both masters, and issues keys of both
    let second = scene.deploy(&hasty()).await;
    scene.promoted_into(&second, "tunnel-c").await;
    gets_its_own_keys(&scene).await;
    for execution in [&first, &second] {
        says_no_secret(&scene, execution).await;
    }
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixture_of_signed_and_unsigned_is_refused_before_anything_is_touched() {
    // Given servers that take signed calls only, and a stack that signs no more
    let mut scene = signed().await;
    let arn = scene.cloud.signing().expect("a secret").arn().to_owned();
    let unsigned = [("SigningSecretArn", "")];
    scene.cloud.update(&unsigned).await.expect("an update");
    // When a deployment starts, then it says what is missing, and nothing was touched
    let execution = scene.deploy(&hasty()).await;
    let cause = scene.fails_with(&execution, "PreflightRefused").await;
    assert!(cause.contains("it takes signed calls only"), "{cause}");
    scene.untouched().await;
    // And with the secret it goes on
    let signed = [("SigningSecretArn", arn.as_str())];
    scene.cloud.update(&signed).await.expect("an update");
    let execution = scene.deploy(&hasty()).await;
    scene.promoted(&execution).await;
    scene.ends().await;
}

/// A call without a signature gets 401, whatever it asks.
async fn is_refused_unsigned(scene: &Scene) {
    let server = scene.cloud.servers().remove(0);
    let url = format!(
        "http://{}:{}/sessions",
        server.ip,
        scene.cloud.session_port()
    );
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client");
    let order = json!({"instance": server.instance, "deployment": "nobody", "epoch": 99});
    let seal = client.post(format!("{url}/seal")).json(&order);
    for call in [client.get(&url), seal] {
        let answer = call.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    // A server that has just started takes no signed call for two seconds.
    scene
        .then("a signed call to be taken, and nothing changed", || async {
            let reports = scene.cloud.reports().await;
            Ok(match &reports[&server.instance] {
                Ok(report) => {
                    assert_eq!((report.admission.as_str(), report.epoch), ("open", 0));
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            })
        })
        .await;
}

/// The function issue-keys, asked as an instance asks it, answers with the keys that this instance's server has.
async fn gets_its_own_keys(scene: &Scene) {
    let secret = scene.cloud.signing().expect("a secret");
    for server in scene.running("tunnel-c").await {
        let (status, body) = asked_for_keys(scene, "tunnel", &server).await;
        assert_eq!(status, 200, "{body}");
        let issued: Vec<_> = body.lines().map(Key::read).map(Result::unwrap).collect();
        let known = secret.keys_of(&server);
        let ids = |keys: &[Key]| {
            keys.iter()
                .map(|key| key.id().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&issued), ids(&known));
        assert_eq!(issued.len(), 2);
    }
    let (status, body) = asked_for_keys(scene, "somebody", "i-0123456789abcdef0").await;
    assert_eq!(status, 403, "{body}");
}

/// What a function URL hands to its function: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
async fn asked_for_keys(scene: &Scene, role: &str, session: &str) -> (u64, String) {
    let arn = format!("arn:aws:sts::123456789012:assumed-role/{role}/{session}");
    let iam = json!({"userArn": arn, "accountId": "123456789012"});
    let event =
        json!({"version": "2.0", "rawPath": "/", "requestContext": {"authorizer": {"iam": iam}}});
    let answer = scene.cloud.invoke("issue-keys", &event).await;
    let answer = answer.expect("an answer");
    let body = answer["body"].as_str().unwrap_or_default().to_owned();
    (answer["statusCode"].as_u64().unwrap_or_default(), body)
}

/// Neither history nor records nor logs have a master or a key in them.
async fn says_no_secret(scene: &Scene, execution: &Execution) {
    let secret = scene.cloud.signing().expect("a secret");
    let mut canaries = secret.masters();
    for server in scene.cloud.servers() {
        canaries.extend(secret.written_keys_of(&server.instance));
    }
    assert!(canaries.len() > 10, "{}", canaries.len());
    let no_canary_in = |what: &str, text: &str| {
        let found = canaries.iter().any(|canary| text.contains(canary));
        assert!(!found, "a secret is in {what}");
    };
    let history = execution.history().await.expect("a history");
    // The SDK prints none of it.
    let texts = history.iter().flat_map(|event| {
        let entered = event.state_entered_event_details();
        let exited = event.state_exited_event_details();
        let scheduled = event.task_scheduled_event_details();
        let succeeded = event.task_succeeded_event_details();
        [
            entered.and_then(|it| it.input()),
            exited.and_then(|it| it.output()),
            scheduled.map(|it| it.parameters()),
            succeeded.and_then(|it| it.output()),
        ]
    });
    let history = texts.flatten().collect::<Vec<_>>().join("\n");
    assert!(history.contains("signingSecret"), "{}", history.len());
    no_canary_in("the history", &history);
    let item = scene.cloud.deployment_item(execution.name()).await;
    no_canary_in("the outcome", &format!("{:?}", item.expect("an item")));
    no_canary_in("the record", &format!("{:?}", scene.record().await));
    let logs = scene.cloud.directory().join("logs");
    let seen = each_file(&logs, &mut |path, text| {
        no_canary_in(&path.display().to_string(), text)
    });
    assert!(seen > 5, "{seen} logs");
}

/// Shows every file below a directory; how many there were.
fn each_file(directory: &Path, show: &mut impl FnMut(&Path, &str)) -> usize {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut seen = 0;
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            seen += each_file(&path, show);
        } else {
            let text = std::fs::read(&path).expect("a file");
            show(&path, &String::from_utf8_lossy(&text));
            seen += 1;
        }
    }
    seen
}
