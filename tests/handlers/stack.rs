//! What the stack puts into the definition.

use ebbtide_aws::fake::{LISTENER, arn};

use crate::world::ENVIRONMENTS;

/// The value of a variable of the definition.
pub(crate) fn substitution(name: &str) -> String {
    let value = match name {
        "TargetGroupArns" => return ENVIRONMENTS.map(arn).join(","),
        "ListenerArn" => LISTENER,
        "LaunchTemplateId" => "lt-1",
        "AutoScalingGroupNames"
        | "InstanceRoleArn"
        | "SigningSecretArn"
        | "SubnetIds"
        | "TestPaths"
        | "ServiceUrl"
        | "TestListenerArns"
        | "TestUrls"
        | "BakeAlarms"
        | "Approve" => "",
        "TestPort" => "8080",
        "HealthySeconds" => "600",
        "TrafficSteps" | "MinimumHealthyPercent" => "100",
        "StepSeconds" | "PollSeconds" | "PingSeconds" => "30",
        "BakeSeconds" => "60",
        "TestWebSocketSeconds" => "5",
        "SettleSeconds" => "0",
        "ClosuresPerSecond" => "20",
        "DeadlineSeconds" => "86400",
        "DrainDetached" => "false",
        "PauseSeconds" => "3600",
        other => panic!("the stack knows no {other}"),
    };
    value.to_owned()
}
