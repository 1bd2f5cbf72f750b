//! A small template and small data: what is resolved, asked, allowed and refused.

use std::collections::BTreeMap;

use serde_json::json;

use crate::Wrong;
use crate::call::{Call, read};
use crate::reference::Reference;
use crate::request::{Request, SOURCE, requests};
use crate::role::{Role, Verdict};
use crate::template::{Stack, Template};

const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/records";

fn template() -> Template {
    let statement = |sid: &str, effect: &str, action: &str, condition: serde_json::Value| {
        json!({
            "Sid": sid, "Effect": effect, "Action": [action],
            "Resource": {"Fn::GetAtt": ["Records", "Arn"]}, "Condition": condition,
        })
    };
    let mine = json!({
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [{"Ref": "ServiceName"}]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    });
    let code = json!({"Null": {SOURCE: "false"}});
    let text = json!({
        "Parameters": {"ServiceName": {"Type": "String"}, "Key": {"Type": "String", "Default": ""}},
        "Conditions": {"HasKey": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Key"}, ""]}]}},
        "Resources": {
            "Records": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
            "Role": {"Type": "AWS::IAM::Role", "Properties": {
                "ManagedPolicyArns": [
                    {"Fn::If": ["HasKey", {"Ref": "KeepOff"}, {"Ref": "AWS::NoValue"}]}
                ],
                "Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": [
                    statement("Read", "Allow", "dynamodb:GetItem", mine),
                ]}}],
            }},
            "KeepOff": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": {
                "Statement": [statement("KeepOff", "Deny", "dynamodb:GetItem", code)],
            }}},
        },
    });
    Template::new(&text.to_string()).unwrap()
}

fn role(parameters: &[(&str, &str)]) -> Role {
    let stack = Stack {
        name: "ebbtide".to_owned(),
        table: "records".to_owned(),
        parameters: parameters
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    };
    Role::new(template().statements("Role", &stack).unwrap()).unwrap()
}

fn reads(services: &[&str]) -> Request {
    let request = Request::new("dynamodb:GetItem", TABLE);
    match services {
        [] => request,
        some => request.with("dynamodb:LeadingKeys", some),
    }
}

fn is_allowed(role: &Role, request: &Request) -> bool {
    matches!(role.verdict(request).unwrap(), Verdict::Allowed(_))
}

#[test]
fn a_role_reads_its_service_s_items_and_no_others() {
    let role = role(&[("ServiceName", "tunnel")]);
    assert!(is_allowed(&role, &reads(&["tunnel"])));
    for others in [&["chat"][..], &["tunnel", "chat"], &[]] {
        assert!(!is_allowed(&role, &reads(others)), "{others:?}");
    }
    let mut elsewhere = reads(&["tunnel"]);
    elsewhere.resource += "-of-another";
    assert!(!is_allowed(&role, &elsewhere));
}

#[test]
fn a_policy_that_hangs_on_a_parameter_is_there_with_it_alone_and_its_denial_wins() {
    let asked = reads(&["tunnel"]);
    let from_code = asked.clone().with(SOURCE, &["arn:aws:lambda:::function:f"]);
    let without = role(&[("ServiceName", "tunnel")]);
    assert!(is_allowed(&without, &from_code));
    let with = role(&[("ServiceName", "tunnel"), ("Key", "k")]);
    assert!(is_allowed(&with, &asked));
    assert!(!is_allowed(&with, &from_code));
}

/// A directory of data with one action of DynamoDB, and RunInstances with two types, both required.
fn reference() -> (tempfile::TempDir, Reference) {
    let directory = tempfile::tempdir().unwrap();
    let named = |name: &str| json!({"name": name, "required": true, "conditionKeys": ["ec2:LaunchTemplate", "aws:RequestTag/${TagKey}", "aws:TagKeys"]});
    let action = |name: &str, types: Vec<serde_json::Value>, keys: &[&str]| json!({"name": name, "resourceTypes": types, "conditionKeys": keys});
    let table = json!({"name": "table", "required": true, "conditionKeys": []});
    let shape = |service: &str, kind: &str| json!({"arn": format!("arn:${{Partition}}:{service}:${{Region}}:${{Account}}:{kind}/${{Name}}")});
    for (path, text) in [
        (
            "actions/dynamodb.json",
            json!({"getitem": action("GetItem", vec![table], &["dynamodb:LeadingKeys"])}),
        ),
        (
            "resourceTypes/dynamodb.json",
            json!({"table": shape("dynamodb", "table")}),
        ),
        (
            "actions/ec2.json",
            json!({
                "runinstances": action("RunInstances", vec![named("instance"), named("dedicated-host")], &[]),
                "describeinstances": action("DescribeInstances", vec![], &[]),
            }),
        ),
        (
            "resourceTypes/ec2.json",
            json!({"instance": shape("ec2", "instance"), "dedicated-host": shape("ec2", "dedicated-host")}),
        ),
    ] {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.to_string()).unwrap();
    }
    let reference = Reference::new(directory.path().to_owned());
    (directory, reference)
}

#[test]
fn names_that_aws_does_not_have_are_refused() {
    let (_directory, reference) = reference();
    reads(&["tunnel"]).check(&reference).unwrap();
    let sound = role(&[("ServiceName", "tunnel")]);
    assert_eq!(sound.check(&reference).unwrap(), sound.permissions());
    for wrong in [
        Request::new("dynamodb:Getitem", TABLE),
        Request::new("dynamodb:GetItem", TABLE.replace("table", "tables")),
        Request::new(
            "ec2:DescribeInstances",
            "arn:aws:ec2:us-east-1:000000000000:*",
        )
        .with("ec2:Nothing", &["of the kind"]),
        reads(&["tunnel"]).with("dynamodb:LeadingKey", &["tunnel"]),
    ] {
        assert!(
            matches!(wrong.check(&reference), Err(Wrong::Unknown(_))),
            "{wrong:?}"
        );
    }
}

fn call(action: &str, parameters: &serde_json::Value, known: &serde_json::Value) -> Call {
    let line = json!({
        "function": "ebbtide-f", "action": action, "parameters": parameters, "known": known,
    });
    read(&format!("{line}\n")).unwrap().remove(0).1
}

#[test]
fn a_launch_that_is_asked_for_with_too_little_is_refused() {
    let (_directory, reference) = reference();
    let launch = call(
        "ec2:RunInstances",
        &json!({"LaunchTemplate.LaunchTemplateId": "lt-1", "LaunchTemplate.Version": "3", "SubnetId": "subnet-1"}),
        &json!({"templates": {"lt-1": {"3": {"ImageId": "ami-1"}}}}),
    );
    let lacking = requests(&launch, &reference).unwrap_err().to_string();
    assert!(
        lacking.contains("RunInstances without instance"),
        "{lacking}"
    );
    let strange = call("ec2:StopInstances", &json!({}), &json!(null));
    assert!(requests(&strange, &reference).is_err());
}

#[test]
fn a_recording_is_read_with_its_stacks_and_a_call_that_nobody_could_look_up_is_an_error() {
    let stack = |service: &str| json!({"stack": "ebbtide", "table": "t", "parameters": {"ServiceName": service}});
    let call = json!({
        "function": "ebbtide-f", "action": "monitoring:DescribeAlarms", "known": null,
        "parameters": {"arn": "arn:aws:x:us-east-1:123456789012:y"},
    });
    let text = format!("{}\n{call}\n{}\n{call}\n", stack("tunnel"), stack("chat"));
    let calls = read(&text).unwrap();
    let services: Vec<&str> = calls
        .iter()
        .map(|it| it.0.parameters["ServiceName"].as_str())
        .collect();
    assert_eq!(services, ["tunnel", "chat"]);
    assert_eq!(calls[0].1.action, "cloudwatch:DescribeAlarms");
    assert_eq!(
        calls[0].1.parameters["arn"],
        "arn:aws:x:us-east-1:000000000000:y"
    );

    let lost = json!({"function": "", "action": "ec2:TerminateInstances", "parameters": {}, "known": {"error": "500"}});
    assert!(matches!(read(&lost.to_string()), Err(Wrong::Call(_))));
}

#[test]
fn a_call_on_instances_is_a_question_for_each_with_its_tags() {
    let (_directory, reference) = reference();
    let ended = call(
        "ec2:TerminateInstances",
        &json!({"InstanceId.1": "i-1", "InstanceId.2": "i-2"}),
        &json!({"instances": {"i-1": {"ebbtide:retiring": "d"}}}),
    );
    let asked = requests(&ended, &reference).unwrap();
    let tags: Vec<_> = asked.iter().map(|it| it.context.clone()).collect();
    let retiring = (
        "aws:ResourceTag/ebbtide:retiring".to_owned(),
        vec!["d".to_owned()],
    );
    assert_eq!(tags, [BTreeMap::from([retiring]), BTreeMap::new()]);
}
