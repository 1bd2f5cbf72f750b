//! Calls that no recording has, because they must be denied.
//!
//! Each denied one is an allowed one with a single thing changed, so it is that thing that the policy looks at.

use std::collections::BTreeMap;

use crate::request::{Request, instance};
use crate::stacks::Deployed;
use crate::template::{ACCOUNT, PARTITION, REGION, Stack, arn};

const TEMPLATE: &str = "lt-0123456789abcdef0";
const GROUP: &str = "targetgroup/tunnel-a/0123456789abcdef";
const LISTENER: &str = "listener/app/tunnel/0123456789abcdef/0123456789abcdef";
const RULE: &str = "listener-rule/app/tunnel/0123456789abcdef/0123456789abcdef/0123456789abcdef";
const SECRET: &str = "secret:tunnel-signing-AbCdEf";
const SCALING: &str = "autoScalingGroup:0123:autoScalingGroupName/fleet";

/// A call that is allowed, and the one that is not.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) by: String,
    pub(crate) allowed: Request,
    pub(crate) denied_to: String,
    pub(crate) denied: Request,
}

/// A stack with everything that a parameter can add to the policies.
pub(crate) fn stack() -> Stack {
    let role = format!("arn:{PARTITION}:iam::{ACCOUNT}:role/tunnel");
    // A listener and a rule, for the permission to modify each.
    let both = [LISTENER, RULE]
        .map(|it| arn("elasticloadbalancing", it))
        .join(",");
    let parameters = [
        ("ServiceName", "tunnel".to_owned()),
        ("ListenerArn", both),
        ("TargetGroupArns", arn("elasticloadbalancing", GROUP)),
        ("AutoScalingGroupNames", "fleet".to_owned()),
        ("LaunchTemplateId", TEMPLATE.to_owned()),
        ("InstanceRoleArn", role),
        ("KmsKeyArn", arn("kms", "key/0123")),
        ("SigningSecretArn", arn("secretsmanager", SECRET)),
        ("SigningSecretKmsKeyArn", arn("kms", "key/4567")),
        ("AwsFunctionSubnetIds", "subnet-01234567".to_owned()),
        ("AwsFunctionSecurityGroupId", "sg-01234567".to_owned()),
        ("FunctionSubnetIds", "subnet-01234567".to_owned()),
        ("FunctionSecurityGroupIds", "sg-01234567".to_owned()),
    ];
    Stack {
        name: "ebbtide".to_owned(),
        table: "records".to_owned(),
        parameters: parameters
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    }
}

/// The functions whose work an action is; empty where it is anybody's.
pub(crate) fn whose(action: &str) -> &'static [&'static str] {
    match action {
        "dynamodb:PutItem" | "states:DescribeExecution" | "states:StartExecution" => {
            &["keep-record"]
        }
        "elasticloadbalancing:RegisterTargets" => &["launch-green"],
        // To give a group back the version of before.
        "ec2:RunInstances" | "iam:PassRole" => &["launch-green", "terminate-blue"],
        "ec2:CreateTags" => &["hold-blue", "launch-green", "terminate-blue"],
        "autoscaling:CreateOrUpdateTags" | "autoscaling:SuspendProcesses" => {
            &["hold-blue", "terminate-blue"]
        }
        "autoscaling:DeleteLifecycleHook" => &["hold-blue", "terminate-blue"],
        "autoscaling:DeleteTags" | "autoscaling:ResumeProcesses" => {
            &["hold-blue", "launch-green", "terminate-blue"]
        }
        "autoscaling:UpdateAutoScalingGroup" => &["launch-green", "terminate-blue"],
        "autoscaling:PutLifecycleHook"
        | "autoscaling:RecordLifecycleActionHeartbeat"
        | "autoscaling:SetInstanceProtection"
        | "ec2:DeleteTags" => &["hold-blue"],
        "elasticloadbalancing:ModifyListener" | "elasticloadbalancing:ModifyRule" => {
            &["switch-target-group"]
        }
        "autoscaling:CompleteLifecycleAction"
        | "autoscaling:TerminateInstanceInAutoScalingGroup"
        | "ec2:TerminateInstances"
        | "elasticloadbalancing:DeregisterTargets" => &["terminate-blue"],
        _ => &[],
    }
}

fn tags(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Everything that must be denied.
pub(crate) fn denied(stack: &Deployed) -> Vec<Case> {
    let mut cases = Cases(Vec::new());
    cases.records(stack);
    cases.secrets(stack);
    cases.executions();
    cases.launches();
    cases.tags();
    cases.weights_and_targets();
    cases.endings();
    cases.scaling();
    cases.invocations(stack);
    cases.0
}

struct Cases(Vec<Case>);

impl Cases {
    /// The same function, another request.
    fn change(&mut self, by: &str, allowed: &Request, denied: Request) {
        self.0.push(Case {
            by: by.to_owned(),
            allowed: allowed.clone(),
            denied_to: by.to_owned(),
            denied,
        });
    }

    /// The same request, another function.
    fn others(&mut self, by: &str, allowed: &Request, others: &[&str]) {
        for other in others {
            self.0.push(Case {
                by: by.to_owned(),
                allowed: allowed.clone(),
                denied_to: (*other).to_owned(),
                denied: allowed.clone(),
            });
        }
    }

    /// The signing secret is read by who signs and by who derives keys from it; another secret by nobody.
    fn secrets(&mut self, stack: &Deployed) {
        let read = |secret: &str| {
            let secret = arn("secretsmanager", secret);
            Request::new("secretsmanager:GetSecretValue", secret)
        };
        let signing = read(SECRET);
        for function in stack.functions().keys() {
            if HAVE_THE_SECRET.contains(&function.as_str()) {
                self.change(function, &signing, read("secret:tunnel-other-AbCdEf"));
            } else {
                self.others("issue-keys", &signing, &[function]);
            }
        }
    }

    fn records(&mut self, stack: &Deployed) {
        const LEADING: &str = "dynamodb:LeadingKeys";
        let of = |table: &str, action: &str| {
            Request::new(action, arn("dynamodb", &format!("table/{table}")))
                .with(LEADING, &["tunnel"])
        };
        let read = of("records", "dynamodb:GetItem");
        for function in stack.functions().keys() {
            if HAVE_THE_SECRET.contains(&function.as_str()) || function == HAS_NOTHING {
                self.others("keep-record", &read, &[function]);
                continue;
            }
            self.change(function, &read, of("others", "dynamodb:GetItem"));
            // It is asked about the record of before, when the service's name changes.
            if function == "guard-stack" {
                continue;
            }
            self.change(function, &read, read.clone().with(LEADING, &["chat"]));
            self.change(
                function,
                &read,
                read.clone().with(LEADING, &["tunnel", "chat"]),
            );
            self.change(function, &read, read.clone().without(LEADING));
        }
        let write = of("records", "dynamodb:PutItem");
        self.change("keep-record", &write, of("others", "dynamodb:PutItem"));
        self.change(
            "keep-record",
            &write,
            write.clone().with(LEADING, &["chat"]),
        );
        self.change("keep-record", &write, write.clone().without(LEADING));
        for action in [
            "dynamodb:DeleteItem",
            "dynamodb:UpdateItem",
            "dynamodb:Query",
        ] {
            self.change("keep-record", &write, of("records", action));
        }
    }

    fn executions(&mut self) {
        let seen = |of: &str| {
            let execution = arn("states", &format!("execution:{of}:0123"));
            Request::new("states:DescribeExecution", execution)
        };
        self.change("keep-record", &seen("ebbtide"), seen("another"));
        let begun = |of: &str| {
            let machine = arn("states", &format!("stateMachine:{of}"));
            Request::new("states:StartExecution", machine)
        };
        self.change("keep-record", &begun("ebbtide"), begun("another"));
    }

    fn launches(&mut self) {
        self.launches_by("launch-green");
        self.launches_by("terminate-blue");
    }

    fn launches_by(&mut self, by: &str) {
        const KEY: &str = "ec2:LaunchTemplate";
        let (mine, others) = (template(TEMPLATE), template("lt-0fedcba9876543210"));
        for resource in launched() {
            let allowed = Request::new("ec2:RunInstances", resource).with(KEY, &[&mine]);
            self.change(by, &allowed, allowed.clone().with(KEY, &[&others]));
            self.change(by, &allowed, allowed.clone().without(KEY));
        }
        let from = |of: &str| Request::new("ec2:RunInstances", of).with(KEY, &[&mine]);
        self.change(by, &from(&mine), from(&others));
        let passed = |role: &str, to: &str| {
            let role = format!("arn:{PARTITION}:iam::{ACCOUNT}:role/{role}");
            Request::new("iam:PassRole", role).with("iam:PassedToService", &[to])
        };
        let allowed = passed("tunnel", "ec2.amazonaws.com");
        self.change(by, &allowed, passed("admin", "ec2.amazonaws.com"));
        self.change(by, &allowed, passed("tunnel", "lambda.amazonaws.com"));
        self.change(by, &allowed, allowed.clone().without("iam:PassedToService"));
    }

    fn tags(&mut self) {
        let at_launch = |resource: &str| {
            Request::new("ec2:CreateTags", arn("ec2", resource))
                .with("aws:TagKeys", &["ebbtide:service"])
                .with("ec2:CreateAction", &["RunInstances"])
        };
        let made = at_launch("instance/*");
        self.change(
            "launch-green",
            &made,
            made.clone().without("ec2:CreateAction"),
        );
        let by_another = made.clone().with("ec2:CreateAction", &["CreateVolume"]);
        self.change("launch-green", &made, by_another);
        self.change("launch-green", &made, at_launch("security-group/sg-0"));

        let keys = |action: &str, keys: &[&str]| {
            Request::new(action, instance("i-0"))
                .tagged(&tags(&[("ebbtide:service", "tunnel")]))
                .with("aws:TagKeys", keys)
        };
        let tagged = keys("ec2:CreateTags", &["ebbtide:retiring"]);
        self.change(
            "hold-blue",
            &tagged,
            keys("ec2:CreateTags", &["ebbtide:deployment"]),
        );
        let one_more = keys("ec2:CreateTags", &["ebbtide:retiring", "Name"]);
        self.change("hold-blue", &tagged, one_more);
        self.change("hold-blue", &tagged, tagged.clone().without("aws:TagKeys"));
        self.others("hold-blue", &tagged, &["launch-green"]);

        let untagged = keys("ec2:DeleteTags", &["ebbtide:retiring"]);
        self.change(
            "hold-blue",
            &untagged,
            keys("ec2:DeleteTags", &["ebbtide:service"]),
        );
        self.change(
            "hold-blue",
            &untagged,
            untagged.clone().without("aws:TagKeys"),
        );
        let anothers = untagged
            .clone()
            .tagged(&tags(&[("ebbtide:service", "chat")]));
        self.change("hold-blue", &untagged, anothers);
    }

    fn weights_and_targets(&mut self) {
        let of = |action: &str, resource: &str| {
            Request::new(action, arn("elasticloadbalancing", resource))
        };
        for (by, action) in [
            ("launch-green", "elasticloadbalancing:RegisterTargets"),
            ("terminate-blue", "elasticloadbalancing:DeregisterTargets"),
        ] {
            let another = of(action, "targetgroup/chat/0123456789abcdef");
            self.change(by, &of(action, GROUP), another);
        }
        let action = "elasticloadbalancing:ModifyListener";
        let another = LISTENER.replace("tunnel", "chat");
        self.change(
            "switch-target-group",
            &of(action, LISTENER),
            of(action, &another),
        );
    }

    fn endings(&mut self) {
        for licence in ["ebbtide:retiring", "ebbtide:deployment"] {
            let of = |given: &[(&str, &str)]| {
                Request::new("ec2:TerminateInstances", instance("i-0")).tagged(&tags(given))
            };
            let allowed = of(&[("ebbtide:service", "tunnel"), (licence, "d")]);
            let by = "terminate-blue";
            self.change(
                by,
                &allowed,
                of(&[("ebbtide:service", "chat"), (licence, "d")]),
            );
            self.change(by, &allowed, of(&[("ebbtide:service", "tunnel")]));
            self.change(by, &allowed, of(&[(licence, "d")]));
        }
    }

    fn scaling(&mut self) {
        for (by, action) in [
            ("hold-blue", "autoscaling:DeleteLifecycleHook"),
            ("hold-blue", "autoscaling:PutLifecycleHook"),
            ("hold-blue", "autoscaling:RecordLifecycleActionHeartbeat"),
            ("hold-blue", "autoscaling:ResumeProcesses"),
            ("hold-blue", "autoscaling:SetInstanceProtection"),
            ("hold-blue", "autoscaling:SuspendProcesses"),
            ("launch-green", "autoscaling:ResumeProcesses"),
            ("launch-green", "autoscaling:UpdateAutoScalingGroup"),
            ("terminate-blue", "autoscaling:CompleteLifecycleAction"),
            ("terminate-blue", "autoscaling:DeleteLifecycleHook"),
            ("terminate-blue", "autoscaling:ResumeProcesses"),
            ("terminate-blue", "autoscaling:SuspendProcesses"),
            (
                "terminate-blue",
                "autoscaling:TerminateInstanceInAutoScalingGroup",
            ),
            ("terminate-blue", "autoscaling:UpdateAutoScalingGroup"),
        ] {
            let of = |given: &[(&str, &str)]| {
                Request::new(action, arn("autoscaling", SCALING)).tagged(&tags(given))
            };
            let allowed = of(&[("ebbtide:service", "tunnel")]);
            self.change(by, &allowed, of(&[("ebbtide:service", "chat")]));
            self.change(by, &allowed, of(&[]));
        }
        for (by, action) in [
            ("hold-blue", "autoscaling:CreateOrUpdateTags"),
            ("hold-blue", "autoscaling:DeleteTags"),
            ("launch-green", "autoscaling:DeleteTags"),
            ("terminate-blue", "autoscaling:CreateOrUpdateTags"),
            ("terminate-blue", "autoscaling:DeleteTags"),
        ] {
            let of = |service: &str, keys: &[&str]| {
                Request::new(action, arn("autoscaling", SCALING))
                    .tagged(&tags(&[("ebbtide:service", service)]))
                    .with("aws:TagKeys", keys)
            };
            let allowed = of("tunnel", &["ebbtide:suspended"]);
            self.change(by, &allowed, of("chat", &["ebbtide:suspended"]));
            self.change(by, &allowed, of("tunnel", &["ebbtide:service"]));
            self.change(by, &allowed, allowed.clone().without("aws:TagKeys"));
        }
    }

    fn invocations(&mut self, stack: &Deployed) {
        let by = "DeploymentRole";
        for function in stack.functions().keys() {
            let arn = stack.function(function);
            let called = |arn: &str| Request::new("lambda:InvokeFunction", arn);
            if ASKED_BY_OTHERS.contains(&function.as_str()) {
                let other = called(&format!("{}:7", stack.function("keep-record")));
                self.change(by, &other, called(&format!("{arn}:7")));
                continue;
            }
            let allowed = called(&format!("{arn}:7"));
            self.change(by, &allowed, called(&format!("{arn}-of-another:7")));
            self.change(by, &allowed, called(&arn));
        }
    }
}

/// The functions that no execution calls: instances ask the one, CloudFormation the other.
pub(crate) const ASKED_BY_OTHERS: [&str; 2] = ["guard-stack", "issue-keys"];

/// The function that calls nothing of AWS.
const HAS_NOTHING: &str = "ask-service";

/// The functions that have the signing secret, to sign calls with or to derive keys from, and nothing else of AWS.
const HAVE_THE_SECRET: [&str; 5] = [
    "check-drained",
    "drain-idle",
    "issue-keys",
    "resume-blue",
    "test-green",
];

fn template(id: &str) -> String {
    arn("ec2", &format!("launch-template/{id}"))
}

/// What a launch makes or uses, besides the template.
fn launched() -> Vec<String> {
    let mine = [
        "instance/*",
        "key-pair/k",
        "network-interface/*",
        "volume/*",
    ];
    let mut all: Vec<String> = mine.iter().map(|it| arn("ec2", it)).collect();
    // Shared by another account, in whose name they are.
    for shared in [
        "capacity-reservation/cr-0",
        "placement-group/p",
        "security-group/sg-0",
        "subnet/subnet-0",
    ] {
        all.push(format!(
            "arn:{PARTITION}:ec2:{REGION}:123456789012:{shared}"
        ));
    }
    for public in ["image/ami-0", "snapshot/snap-0"] {
        all.push(format!("arn:{PARTITION}:ec2:{REGION}::{public}"));
    }
    all
}
