"""The template: what the state machine needs is there, and every role may do only what its function does."""

import json
import re

import pytest
from cfnlint import lint
from definition import ROOT, functions_called, machine, resources, strings, template, transformed

DESCRIBE_ONLY = re.compile(r"(ec2|elasticloadbalancing|autoscaling|cloudwatch):Describe\w+")
SESSION_SIDE = {"TestGreenFunction", "DrainIdleFunction", "CheckDrainedFunction", "ResumeBlueFunction"}


def statements():
    """(role, statement) for every inline policy statement of the transformed template."""
    for name, resource in transformed()["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"].get("Policies", []):
                for statement in policy["PolicyDocument"]["Statement"]:
                    if "Fn::If" in statement:
                        statement = statement["Fn::If"][1]
                    yield name, statement


def actions(statement):
    listed = statement["Action"]
    return [listed] if isinstance(listed, str) else listed


def test_every_substitution_is_provided_and_used():
    used = {name for _, text in strings(machine()) for name in re.findall(r"\$\{(\w+)\}", text)}
    assert used == set(resources("AWS::Serverless::StateMachine")["Deployment"]["DefinitionSubstitutions"])


def test_the_state_machine_passes_the_linter_with_its_substitutions_in_place():
    definition = json.loads(re.sub(r"\$\{\w+\}", "arn:aws:lambda:us-east-1:123456789012:function:f", json.dumps(machine())))
    inline = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {
        "RoleArn": "arn:aws:iam::123456789012:role/r", "Definition": definition}}}}
    assert [str(match) for match in lint(json.dumps(inline), regions=["us-east-1"])] == []


def test_the_linter_would_notice_a_broken_state():
    broken = json.loads(json.dumps(machine()))
    del broken["States"]["PlanDeployment"]["Resource"]
    inline = {"Resources": {"M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"RoleArn": "arn:aws:iam::123456789012:role/r", "Definition": broken}}}}
    assert lint(json.dumps(inline), regions=["us-east-1"])


def test_every_parameter_is_described_and_bounded():
    for name, parameter in template()["Parameters"].items():
        assert len(parameter.get("Description", "")) > 20, name
        bounded = {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter)
        assert bounded or parameter["Type"] == "CommaDelimitedList", name
        assert parameter["Type"] != "Number" or "AllowedValues" in parameter or {"MinValue", "MaxValue"} <= set(parameter), name


def test_every_function_has_a_role_of_its_own():
    roles = [json.dumps(properties["Role"]) for properties in resources("AWS::Serverless::Function").values()]
    assert len(set(roles)) == len(roles) == len(set(functions_called().values()))


def test_a_wildcard_resource_is_for_describe_calls_only():
    for role, statement in statements():
        if statement["Resource"] == "*":
            assert [action for action in actions(statement) if not DESCRIBE_ONLY.fullmatch(action)] == [], role


def test_no_role_has_a_wildcard_action_or_an_unlisted_managed_policy():
    for role, statement in statements():
        assert [action for action in actions(statement) if "*" in action] == [], role
    for name, resource in transformed()["Resources"].items():
        managed = [text for _, text in strings(resource["Properties"].get("ManagedPolicyArns", []))] if resource["Type"] == "AWS::IAM::Role" else []
        assert all("AWSLambdaVPCAccessExecutionRole" in text or text in ("FunctionsInVpc", "AWS::NoValue") for text in managed), name


@pytest.mark.parametrize("function", sorted(SESSION_SIDE))
def test_who_counts_sessions_can_call_nothing_of_aws(function):
    role = function.removesuffix("Function") + "Role"
    assert {action.split(":")[0] for name, s in statements() if name == role for action in actions(s)} == {"logs"}


@pytest.mark.parametrize("action, allowed", [
    ("ec2:TerminateInstances", {"TerminateBlueRole"}),
    ("autoscaling:TerminateInstanceInAutoScalingGroup", {"TerminateBlueRole"}),
    ("elasticloadbalancing:DeregisterTargets", {"TerminateBlueRole"}),
    ("elasticloadbalancing:ModifyListener", {"SwitchTargetGroupRole"}),
    ("elasticloadbalancing:ModifyRule", {"SwitchTargetGroupRole"}),
    ("ec2:RunInstances", {"LaunchGreenRole"}),
    ("dynamodb:UpdateItem", {"DeploymentRole"}),
    ("states:StartExecution", {"DeploymentRole"}),
    ("cloudwatch:DescribeAlarms", {"DeploymentRole"}),
])
def test_who_may(action, allowed):
    assert {role for role, statement in statements() if action in actions(statement)} == allowed


def test_instances_can_be_terminated_only_with_the_service_tag():
    for _, statement in statements():
        if {"ec2:TerminateInstances", "autoscaling:TerminateInstanceInAutoScalingGroup"} & set(actions(statement)):
            assert statement["Condition"]["StringEquals"] == {"aws:ResourceTag/ebbtide:service": {"Ref": "ServiceName"}}
            if "ec2:TerminateInstances" in actions(statement):
                tag, = statement["Condition"]["Null"].items()
                assert tag in {("aws:ResourceTag/ebbtide:retiring", "false"), ("aws:ResourceTag/ebbtide:deployment", "false")}


def test_only_the_session_side_can_be_put_into_the_vpc():
    with_vpc = {name for name, properties in resources("AWS::Serverless::Function").items() if "VpcConfig" in properties}
    assert with_vpc == SESSION_SIDE


def test_every_function_of_the_template_has_its_build_target():
    makefile = (ROOT / "Makefile").read_text()
    for name in resources("AWS::Serverless::Function"):
        assert f"build-{name}:" in makefile, name
