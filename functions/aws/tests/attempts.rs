//! How often a call is sent to an AWS that fails: what changes something once, what only reads three times.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use ebbtide_aws::fake::{self, Fake, target};
use ebbtide_aws::{Clients, Cloud, CloudError, RunInstances, Stack};
use ebbtide_rules::observed::GroupWeight;
use ebbtide_rules::record::{OutcomeItem, Record};
use ebbtide_rules::{ErrorName, Failure};
use jiff::Timestamp;

/// A network that answers 500 to everything, and counts.
#[derive(Debug, Clone, Default)]
struct Failing {
    requests: Arc<AtomicUsize>,
}

impl HttpClient for Failing {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Failing {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let status = 500_u16.try_into().unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::empty())))
    }
}

impl Failing {
    /// How many requests a call makes until it is given up.
    async fn requests_of<T>(&self, call: impl Future<Output = Result<T, CloudError>>) -> usize {
        self.requests.store(0, Ordering::Relaxed);
        let error = Box::pin(call).await.err().unwrap();
        assert_eq!(error.name(), ErrorName::AwsUnavailable, "{error}");
        self.requests.load(Ordering::Relaxed)
    }
}

macro_rules! client {
    ($sdk:ident, $network:expr) => {{
        let retries = RetryConfig::standard()
            .with_max_attempts(3)
            .with_initial_backoff(Duration::ZERO);
        let config = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region($sdk::config::Region::new("eu-west-1"))
            .credentials_provider($sdk::config::Credentials::new(
                "test", "test", None, None, "failing",
            ))
            .retry_config(retries)
            .http_client(SharedHttpClient::new($network.clone()))
            .build();
        $sdk::Client::from_conf(config)
    }};
}

fn cloud(network: &Failing) -> Cloud {
    let clients = Clients {
        ec2: client!(aws_sdk_ec2, network),
        elb: client!(aws_sdk_elasticloadbalancingv2, network),
        auto_scaling: client!(aws_sdk_autoscaling, network),
        dynamodb: client!(aws_sdk_dynamodb, network),
        cloudwatch: client!(aws_sdk_cloudwatch, network),
    };
    let stack = Stack {
        service: "tunnel".to_owned(),
        table: "ebbtide".to_owned(),
    };
    Cloud::new(clients, stack)
}

const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/tunnel/1f/2e";
const RULE: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/tunnel/1f/2e/3d";

fn outcome() -> OutcomeItem {
    OutcomeItem {
        deployment: "deploy-1".to_owned(),
        outcome: "Promoted".to_owned(),
        reason: String::new(),
        epoch: 5,
        execution: "arn".to_owned(),
        claimed_at: Timestamp::UNIX_EPOCH,
        switched_at: None,
        baked_at: None,
        ended_at: Timestamp::UNIX_EPOCH,
        seconds: 0,
        closed: 0,
        terminated: 0,
        passes: 0,
        parts: 1,
    }
}

#[tokio::test]
async fn what_only_reads_is_tried_three_times() {
    let network = Failing::default();
    let cloud = cloud(&network);
    assert_eq!(network.requests_of(cloud.records.read()).await, 3);
    assert_eq!(network.requests_of(cloud.groups.targets("arn")).await, 3);
    let tags = [("key", "value")];
    assert_eq!(network.requests_of(cloud.instances.tagged(&tags)).await, 3);
    let ids = ["i-1".to_owned()];
    let groups = cloud.auto_scaling.groups_of(&ids);
    assert_eq!(network.requests_of(groups).await, 3);
}

#[tokio::test]
async fn what_changes_instances_is_tried_once() {
    let network = Failing::default();
    let cloud = cloud(&network);
    let (ids, tags) = (["i-1".to_owned()], BTreeMap::new());
    let order = RunInstances {
        template: "lt-1",
        version: "7",
        subnet: "subnet-1",
        count: 1,
        client_token: "token",
        tags: &tags,
    };
    let instances = &cloud.instances;
    assert_eq!(network.requests_of(instances.launch(&order)).await, 1);
    assert_eq!(network.requests_of(instances.tag(&ids, &tags)).await, 1);
    assert_eq!(
        network.requests_of(instances.untag(&ids, &["key"])).await,
        1
    );
    assert_eq!(network.requests_of(instances.terminate("i-1")).await, 1);
}

#[tokio::test]
async fn what_changes_an_auto_scaling_group_is_tried_once() {
    let network = Failing::default();
    let scaling = cloud(&network).auto_scaling;
    let some = ["i-1".to_owned()];
    assert_eq!(network.requests_of(scaling.suspend("asg", &some)).await, 1);
    assert_eq!(network.requests_of(scaling.resume("asg", &some)).await, 1);
    assert_eq!(network.requests_of(scaling.protect("asg", &some)).await, 1);
    assert_eq!(
        network.requests_of(scaling.unprotect("asg", &some)).await,
        1
    );
    assert_eq!(
        network
            .requests_of(scaling.tag("asg", "key", "value"))
            .await,
        1
    );
    assert_eq!(network.requests_of(scaling.untag("asg", "key")).await, 1);
    assert_eq!(network.requests_of(scaling.set_min_size("asg", 0)).await, 1);
    assert_eq!(network.requests_of(scaling.terminate("i-1", true)).await, 1);
}

#[tokio::test]
async fn what_changes_who_serves_is_tried_once() {
    let network = Failing::default();
    let live = Fake::new()
        .cloud()
        .listener(fake::LISTENER)
        .read()
        .await
        .unwrap();
    let weights = [GroupWeight {
        target_group_arn: "arn".to_owned(),
        weight: 1,
    }];
    for listener in [LISTENER, RULE] {
        let listener = cloud(&network).listener(listener);
        assert_eq!(network.requests_of(listener.set(&live, &weights)).await, 1);
    }
    let (groups, some) = (cloud(&network).groups, ["i-1".to_owned()]);
    assert_eq!(network.requests_of(groups.register("arn", &some)).await, 1);
    assert_eq!(
        network
            .requests_of(groups.deregister("arn", &[target("i-1", true)]))
            .await,
        1
    );
}

#[tokio::test]
async fn the_record_is_written_once() {
    let network = Failing::default();
    let records = cloud(&network).records;
    let record = Record::default();
    let put = records.write(1, &record, None);
    assert_eq!(network.requests_of(put).await, 1);
    let outcome = outcome();
    let transaction = records.write(1, &record, Some(&outcome));
    assert_eq!(network.requests_of(transaction).await, 1);
}
