//! The AWS edge: listener, target groups, instances, Auto Scaling groups and the service's record.
//!
//! Turns AWS's answers into the types that the rules in `ebbtide-rules` read, and their decisions into calls. It
//! decides nothing, names every failure, and reads every page. Called by the functions that speak to AWS; those that
//! speak to servers link it for the signing secret alone.

#[cfg(feature = "alarms")]
mod alarms;
#[cfg(feature = "instances")]
mod auto_scaling;
#[cfg(feature = "guard")]
mod custom_resource;
mod error;
#[cfg(feature = "record")]
mod executions;
#[cfg(feature = "fake")]
pub mod fake;
#[cfg(feature = "instances")]
mod fleets;
#[cfg(feature = "instances")]
mod instances;
#[cfg(feature = "instances")]
mod launch_template;
#[cfg(feature = "record")]
mod ledger;
#[cfg(feature = "balancer")]
mod listener;
#[cfg(feature = "table")]
mod once;
#[cfg(feature = "table")]
mod record;
#[cfg(feature = "signing")]
mod signing;
#[cfg(feature = "balancer")]
mod target_group;

#[cfg(feature = "alarms")]
pub use alarms::AlarmReader;
#[cfg(feature = "instances")]
pub use auto_scaling::AutoScaling;
#[cfg(feature = "guard")]
pub use custom_resource::{Table, reply};
pub use error::{CloudError, FailedCall};
#[cfg(feature = "record")]
pub use executions::Executions;
#[cfg(feature = "instances")]
pub use fleets::Fleets;
#[cfg(feature = "instances")]
pub use instances::{Instances, Protection, RunInstances, Spot, client_token, union};
#[cfg(feature = "instances")]
pub use launch_template::LaunchTemplates;
#[cfg(feature = "record")]
pub use ledger::{Ledger, LedgerClients};
#[cfg(feature = "balancer")]
pub use listener::{Listener, Live, UnfitAction};
#[cfg(feature = "table")]
pub use record::{Records, Written};
#[cfg(feature = "signing")]
pub use signing::SigningSecrets;
#[cfg(feature = "balancer")]
pub use target_group::TargetGroups;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig};

/// What a function of one stack is bound to.
#[cfg(feature = "balancer")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// The service's name.
    pub service: String,
    /// The DynamoDB table of records.
    pub table: String,
}

#[cfg(feature = "balancer")]
impl Stack {
    /// The stack that the template's environment variables name; `required` answers one of them.
    pub fn read(mut required: impl FnMut(&str) -> String) -> Self {
        Self {
            service: required("EBBTIDE_SERVICE"),
            table: required("EBBTIDE_TABLE"),
        }
    }
}

/// The SDK's clients, built once per process.
#[cfg(feature = "balancer")]
#[derive(Debug, Clone)]
pub struct Clients {
    /// EC2's.
    #[cfg(feature = "instances")]
    pub ec2: aws_sdk_ec2::Client,
    /// Elastic Load Balancing's.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// Auto Scaling's.
    #[cfg(feature = "instances")]
    pub auto_scaling: aws_sdk_autoscaling::Client,
    /// DynamoDB's.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// CloudWatch's.
    #[cfg(feature = "alarms")]
    pub cloudwatch: aws_sdk_cloudwatch::Client,
}

/// One stack's AWS, in the words of the rules.
#[cfg(feature = "balancer")]
#[derive(Debug, Clone)]
pub struct Cloud {
    /// The service's name.
    pub service: String,
    /// The service's record.
    pub records: Records,
    /// Target groups and their targets.
    pub groups: TargetGroups,
    elb: aws_sdk_elasticloadbalancingv2::Client,
    /// Instances.
    #[cfg(feature = "instances")]
    pub instances: Instances,
    /// Launch templates.
    #[cfg(feature = "instances")]
    pub templates: LaunchTemplates,
    /// Auto Scaling groups.
    #[cfg(feature = "instances")]
    pub auto_scaling: AutoScaling,
    /// What Auto Scaling groups do to their instances by themselves.
    #[cfg(feature = "instances")]
    pub fleets: Fleets,
    /// Alarms.
    #[cfg(feature = "alarms")]
    pub alarms: AlarmReader,
}

/// The SDK's configuration, from the process's environment.
///
/// A function has 60 seconds: three attempts of 10 s within 25 s leave room for the call after a slow one.
async fn configuration() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(25))
        .build();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .load();
    Box::pin(config).await
}

#[cfg(feature = "balancer")]
impl Clients {
    /// Builds the clients from the process's environment.
    pub async fn connect() -> Self {
        Self::of(&configuration().await)
    }

    fn of(config: &SdkConfig) -> Self {
        Self {
            #[cfg(feature = "instances")]
            ec2: aws_sdk_ec2::Client::new(config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(config),
            #[cfg(feature = "instances")]
            auto_scaling: aws_sdk_autoscaling::Client::new(config),
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            #[cfg(feature = "alarms")]
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
        }
    }
}

#[cfg(feature = "balancer")]
impl Cloud {
    /// A stack's AWS, behind clients of the process's environment.
    pub async fn connect(stack: Stack) -> Self {
        Self::new(Clients::connect().await, stack)
    }

    /// A stack's AWS, behind these clients.
    pub fn new(clients: Clients, stack: Stack) -> Self {
        Self {
            records: Records::new(clients.dynamodb, stack.table, stack.service.clone()),
            service: stack.service,
            groups: TargetGroups::new(clients.elb.clone()),
            elb: clients.elb,
            #[cfg(feature = "instances")]
            instances: Instances::new(clients.ec2.clone()),
            #[cfg(feature = "instances")]
            templates: LaunchTemplates::new(clients.ec2),
            #[cfg(feature = "instances")]
            auto_scaling: AutoScaling::new(clients.auto_scaling.clone()),
            #[cfg(feature = "instances")]
            fleets: Fleets::new(clients.auto_scaling),
            #[cfg(feature = "alarms")]
            alarms: AlarmReader::new(clients.cloudwatch),
        }
    }

    /// A listener or rule by its ARN. Which are the service's travels with the plan.
    pub fn listener(&self, arn: &str) -> Listener {
        Listener::new(self.elb.clone(), arn.to_owned())
    }
}
