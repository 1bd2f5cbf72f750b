//! The faults of a whole cloud: AWS as its functions see it, a function that dies, a server that starts again.

use aws_sdk_ec2::client::Client as Ec2;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use ebbtide_local_cloud::clients::Clients;
use ebbtide_local_cloud::faults::{AwsFault, AwsFaults, Calls, SessionFault};
use serde_json::{Value, json};

use super::*;

/// What a plan asks of Elastic Load Balancing.
const READS_WEIGHTS: &str = "DescribeListeners";
/// Where a plan reads the service's record.
const READS_RECORD: &str = "GetItem";
/// How often the SDK of a function tries a call.
const ATTEMPTS: usize = 3;

/// Plans, touching nothing; how that ended, and the errors that were met on the way.
async fn planned(cloud: &LocalCloud) -> (ExecutionStatus, Vec<String>) {
    let execution = cloud.deploy(None, &json!({"dryRun": true})).await.unwrap();
    let standing = execution.ended(LIMIT * 3).await.unwrap();
    let history = execution.history().await.unwrap();
    (standing.status, history.iter().filter_map(error).collect())
}

fn error(event: &HistoryEvent) -> Option<String> {
    let failed = event.task_failed_event_details();
    failed.and_then(|it| it.error()).map(ToOwned::to_owned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the venv and the built programs"]
async fn aws_and_servers_misbehave_as_they_are_told() {
    let options = Options {
        faults: true,
        ..Options::default()
    };
    let cloud = LocalCloud::start(options).await.unwrap();
    cloud
        .emulators()
        .unwrap()
        .set_wait_scale(0.05)
        .await
        .unwrap();
    calls_fail_as_the_service_says_it(&cloud).await;
    functions_die(&cloud).await;
    a_launch_that_comes_late_launches_nothing(&cloud).await;
    a_server_starts_again_and_an_address_is_reused(&cloud).await;
    cloud.stop().await;
}

async fn calls_fail_as_the_service_says_it(cloud: &LocalCloud) {
    let aws = cloud.aws_faults().unwrap();
    assert_eq!(planned(cloud).await, (ExecutionStatus::Succeeded, vec![]));
    let forwarded = aws.forwarded(READS_WEIGHTS);
    assert!(forwarded > 0 && aws.hits(READS_WEIGHTS) == 0);
    for action in [READS_WEIGHTS, READS_RECORD] {
        for (fault, error) in [
            (AwsFault::Throttle, "Throttled"),
            (AwsFault::ReplyLost, "AwsUnavailable"),
        ] {
            let hits = aws.hits(action);
            aws.on_by("plan-deployment", action, fault, usize::MAX);
            let (planned, ()) = tokio::join!(planned(cloud), async {
                // Each failure is one of the state machine's to see, after the SDK's own attempts.
                until_hits(aws, action, hits + ATTEMPTS).await;
                aws.clear();
            });
            let (status, errors) = planned;
            assert_eq!(status, ExecutionStatus::Succeeded);
            assert_eq!(errors, owned(&[error]), "{action} {fault:?}");
            assert!(aws.hits(action) > hits);
        }
        aws.on(action, AwsFault::Deny, 1);
        let denied = (ExecutionStatus::Failed, owned(&["AccessDenied"]));
        assert_eq!(planned(cloud).await, denied, "{action}");
    }
    // A rule for another function is left alone.
    aws.on_by("terminate-blue", READS_WEIGHTS, AwsFault::Deny, 1);
    assert_eq!(planned(cloud).await, (ExecutionStatus::Succeeded, vec![]));
    aws.clear();
}

/// Waits until so many calls of an action have met with a fault.
async fn until_hits(aws: &AwsFaults, action: &str, hits: usize) {
    until("the fault to be met with", LIMIT, || async {
        let seen = aws.hits(action);
        Ok(if seen >= hits {
            Seen::Done(())
        } else {
            let forwarded = aws.forwarded(action);
            Seen::NotYet(format!(
                "{action}: {seen} of {hits} hits, {forwarded} forwarded"
            ))
        })
    })
    .await
    .unwrap();
}

async fn functions_die(cloud: &LocalCloud) {
    let aws = cloud.aws_faults().unwrap();
    for (fault, forwarded) in [(AwsFault::Held, 0), (AwsFault::ReplyHeld, 1)] {
        let before = aws.forwarded(READS_RECORD);
        aws.on(READS_RECORD, fault, 1);
        let (planned, ()) = tokio::join!(planned(cloud), async {
            let held = aws.held(READS_RECORD, LIMIT).await.unwrap();
            assert_eq!(aws.forwarded(READS_RECORD) - before, forwarded);
            let function = held.kill_caller().await.unwrap();
            assert!(function.contains("plan-deployment"), "{function}");
        });
        let died = owned(&["Runtime.ExitError"]);
        assert_eq!(planned, (ExecutionStatus::Succeeded, died), "{fault:?}");
    }
}

/// By a client of the same make as the functions'.
async fn a_launch_that_comes_late_launches_nothing(cloud: &LocalCloud) {
    let aws = cloud.aws_faults().unwrap();
    let through = Clients::new("http://127.0.0.1:1", &aws.moto()).ec2;
    let before = cloud.instances().await.unwrap().len();
    aws.on("RunInstances", AwsFault::Held, 1);
    let late = tokio::select! {
        late = aws.held("RunInstances", LIMIT) => late.unwrap(),
        _ = run(&through, 1) => panic!("a call that is held is answered"),
    };
    assert_eq!(cloud.instances().await.unwrap().len(), before);
    let launched = run(&through, 1).await.unwrap();
    let answered = late.release().await.unwrap();
    assert!(
        answered.status == 200 && answered.body.contains(&launched),
        "{answered:?}"
    );
    assert_eq!(cloud.instances().await.unwrap().len(), before + 1);
    let other = run(&through, 2).await.unwrap_err();
    assert_eq!(other, "IdempotentParameterMismatch");
    cloud.terminate(&launched).await.unwrap();
}

async fn run(ec2: &Ec2, count: i32) -> Result<String, String> {
    let order = ec2.run_instances().image_id("ami-12c6146b");
    let order = order.min_count(count).max_count(count);
    let answer = order.client_token("the same one").send().await;
    let answer = answer.map_err(|error| {
        let code = error.into_service_error();
        code.meta().code().unwrap_or_default().to_owned()
    })?;
    Ok(answer.instances()[0].instance_id().unwrap().to_owned())
}

async fn a_server_starts_again_and_an_address_is_reused(cloud: &LocalCloud) {
    let servers = cloud.servers();
    let (server, host) = (&servers[0], cloud.host());
    let (instance, port) = (server.instance.as_str(), cloud.session_port());
    let url = format!("http://{}:{port}/sessions", server.ip);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let seal = json!({"instance": instance, "deployment": "blue-moon", "epoch": 7});
    let sealed = http.post(format!("{url}/seal")).json(&seal).send().await;
    assert_eq!(sealed.unwrap().status(), 200);

    // A process that starts again is another one, and remembers epoch and seal.
    host.restart(instance).await.unwrap();
    let report = report(&http, &url).await;
    assert_eq!(
        (&report["admission"], &report["epoch"]),
        (&json!("sealed"), &json!(7))
    );
    let after = cloud
        .servers()
        .into_iter()
        .find(|it| it.instance == instance);
    let after = after.unwrap();
    assert!(after.process == ProcessState::Running && after.pid != server.pid);

    // Another instance at this address knows nothing of that.
    host.reuse_address(instance, "i-0other").await.unwrap();
    let report = self::report(&http, &url).await;
    assert_eq!(
        (&report["instance"], &report["epoch"]),
        (&json!("i-0other"), &json!(0))
    );
    let refused = http.post(format!("{url}/seal")).json(&seal).send().await;
    let refused = refused.unwrap();
    assert_eq!(refused.status(), 409);
    assert!(refused.text().await.unwrap().contains("WrongInstance"));

    // One that hangs is waited for; one that goes on answers.
    host.stop(instance).unwrap();
    let silent = http.get(&url).timeout(Duration::from_secs(1)).send().await;
    assert!(silent.unwrap_err().is_timeout());
    host.resume(instance).unwrap();
    self::report(&http, &url).await;

    // Faults are the proxy's alone: the cloud's own reports come from the servers themselves.
    let faults = cloud.session_faults().unwrap();
    let other = &servers[1];
    let set = faults.set(&other.instance, SessionFault::Refuse, Calls::All);
    set.await.unwrap();
    let url = format!("http://{}:{port}/sessions", other.ip);
    assert!(http.get(&url).send().await.unwrap_err().is_connect());
    assert!(cloud.reports().await[&other.instance].is_ok());
    assert!(host.restart("i-0nobody").await.is_err());
}

/// The report, when the server has come up.
async fn report(http: &reqwest::Client, url: &str) -> Value {
    until("a report", LIMIT, || async {
        Ok(match http.get(url).send().await {
            Ok(answer) => Seen::Done(answer.json().await.unwrap()),
            Err(error) => Seen::NotYet(error.to_string()),
        })
    })
    .await
    .unwrap()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
