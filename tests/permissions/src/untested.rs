//! Calls that no recording has, because AWS asks for them where the emulators do not; each with its reason.

use crate::request::Request;
use crate::template::{ACCOUNT, PARTITION, REGION, arn};

/// Calls that AWS asks for and no test makes, by the reason why none does: each is allowed.
pub(crate) fn untested() -> Vec<(&'static str, &'static str, Request)> {
    let mut asked = Vec::new();
    let log = arn("logs", "log-group:/aws/lambda/ebbtide:log-stream:2026");
    for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
        let written = Request::new(action, log.clone());
        asked.push((
            "Lambda writes the logs, not the code",
            "keep-record",
            written,
        ));
    }
    for request in code_in_a_vpc() {
        asked.push(("Lambda puts functions into a VPC", "keep-record", request));
    }
    let requests = Request::new("ec2:DescribeSpotInstanceRequests", arn("ec2", "*"));
    asked.push((
        "the tests' servers are no Spot instances",
        "plan-deployment",
        requests,
    ));
    let group = arn(
        "autoscaling",
        "autoScalingGroup:0123:autoScalingGroupName/fleet",
    );
    let tags = [("ebbtide:service".to_owned(), "tunnel".to_owned())].into();
    let untagged = Request::new("autoscaling:DeleteTags", group)
        .tagged(&tags)
        .with("aws:TagKeys", &["ebbtide:suspended"]);
    asked.push((
        "parking notes nothing of a group whose user suspends schedules and alarms",
        "terminate-blue",
        untagged,
    ));
    let decrypted = Request::new("kms:Decrypt", arn("kms", "key/0123"))
        .with("kms:ViaService", &["dynamodb.us-east-1.amazonaws.com"]);
    asked.push((
        "DynamoDB asks for the table's key",
        "keep-record",
        decrypted,
    ));
    let decrypted = Request::new("kms:Decrypt", arn("kms", "key/4567")).with(
        "kms:ViaService",
        &["secretsmanager.us-east-1.amazonaws.com"],
    );
    asked.push((
        "Secrets Manager asks for the secret's key",
        "issue-keys",
        decrypted,
    ));
    let license = "license-manager:us-east-1:123456789012:license-configuration:lic-0";
    for resource in [
        arn("ec2", "spot-instances-request/*"),
        format!("arn:{PARTITION}:{license}"),
        format!("arn:{PARTITION}:resource-groups:{REGION}:{ACCOUNT}:group/g"),
    ] {
        let launched = Request::new("ec2:RunInstances", resource);
        asked.push((
            "the tests' templates have no such thing",
            "launch-green",
            launched,
        ));
    }
    asked
}

/// What Lambda's service does with the role of a function in a VPC, and the function's code may not.
pub(crate) fn code_in_a_vpc() -> Vec<Request> {
    let interface = || arn("ec2", "network-interface/*");
    vec![
        Request::new("ec2:AssignPrivateIpAddresses", interface()),
        Request::new("ec2:CreateNetworkInterface", interface()),
        Request::new("ec2:DeleteNetworkInterface", interface()),
        Request::new("ec2:DescribeNetworkInterfaces", arn("ec2", "*")),
        Request::new("ec2:DescribeSubnets", arn("ec2", "*")),
        Request::new("ec2:UnassignPrivateIpAddresses", interface()),
    ]
}
