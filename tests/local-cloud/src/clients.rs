//! AWS clients for the emulators: EC2, ELB and Auto Scaling at moto, the rest at MiniStack.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::REGION;

/// One client per service that the local cloud uses.
#[derive(Clone, Debug)]
pub struct Clients {
    /// EC2, at moto.
    pub ec2: aws_sdk_ec2::Client,
    /// Elastic Load Balancing, at moto.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// Auto Scaling, at moto.
    pub auto_scaling: aws_sdk_autoscaling::Client,
    /// Step Functions, at MiniStack.
    pub sfn: aws_sdk_sfn::Client,
    /// Secrets Manager, at MiniStack.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// DynamoDB, at MiniStack.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// CloudFormation, at MiniStack.
    pub cloudformation: aws_sdk_cloudformation::Client,
}

impl Clients {
    /// Clients for emulators at these URLs. Reads nothing from the environment.
    pub fn new(ministack: &str, moto: &str) -> Self {
        let (at_ministack, at_moto) = (configuration(ministack), configuration(moto));
        Self {
            ec2: aws_sdk_ec2::Client::new(&at_moto),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(&at_moto),
            auto_scaling: aws_sdk_autoscaling::Client::new(&at_moto),
            sfn: aws_sdk_sfn::Client::new(&at_ministack),
            secrets: aws_sdk_secretsmanager::Client::new(&at_ministack),
            dynamodb: aws_sdk_dynamodb::Client::new(&at_ministack),
            cloudformation: aws_sdk_cloudformation::Client::new(&at_ministack),
        }
    }
}

fn configuration(url: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "the local cloud");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}
