"""The template: what the state machine needs is there, and every role may do only what its function does."""

import json
import re

import pytest
from cfnlint import lint
from definition import ROOT, functions_called, lambdas, machine, resources, strings, template, transformed

DESCRIBE_ONLY = re.compile(r"(ec2|elasticloadbalancing|autoscaling|cloudwatch):Describe\w+")
SESSION_SIDE = {"TestGreenFunction", "DrainIdleFunction", "CheckDrainedFunction", "ResumeBlueFunction"}
# What Lambda needs of EC2 to put a function into a VPC, and nothing of it is for the functions themselves.
INTO_VPC = {f"ec2:{action}" for action in (
    "AssignPrivateIpAddresses", "CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets", "UnassignPrivateIpAddresses")}


def statements(tree=transformed):
    """(role or policy, statement) for every statement of a template, whichever a condition chooses."""
    for name, resource in tree()["Resources"].items():
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents = [resource["Properties"]["PolicyDocument"]]
        elif resource["Type"] == "AWS::IAM::Role":
            documents = [policy["PolicyDocument"] for policy in resource["Properties"].get("Policies", [])]
        else:
            continue
        for statement in (statement for document in documents for statement in document["Statement"]):
            for variant in statement.get("Fn::If", [None, statement])[1:]:
                if variant != {"Ref": "AWS::NoValue"}:
                    yield name, variant


def actions(statement):
    listed = statement["Action"]
    return [listed] if isinstance(listed, str) else listed


def test_every_substitution_is_provided_and_used():
    used = {name for _, text in strings(machine()) for name in re.findall(r"\$\{(\w+)\}", text)}
    assert used == set(resources("AWS::Serverless::StateMachine")["Deployment"]["DefinitionSubstitutions"])


def test_the_state_machine_passes_the_linter_with_its_substitutions_in_place():
    filled = json.dumps(machine()).replace("${Partition}", "aws")
    definition = json.loads(re.sub(r"\$\{\w+\}", "arn:aws:lambda:us-east-1:123456789012:function:f", filled))
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
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter), name
        assert parameter["Type"] != "Number" or "AllowedValues" in parameter or {"MinValue", "MaxValue"} <= set(parameter), name


def admitted(name, value, tree=template):
    """Whether CloudFormation takes a value: a list's items one by one."""
    parameter = tree()["Parameters"][name]
    items = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
    return all(re.fullmatch(parameter["AllowedPattern"], item) for item in items) and len(value) <= 4096


def test_as_many_alarms_fit_as_the_template_says():
    assert admitted("BakeAlarms", ",".join(f"{n:03d}{'x' * 36}" for n in range(100)))
    assert not admitted("BakeAlarms", ",".join(f"{n:03d}{'x' * 38}" for n in range(100)))
    assert admitted("BakeAlarms", ",".join("x" * 255 for _ in range(16)))


def test_no_setting_can_break_out_of_the_definition():
    """A substitution is text, so a quote or a backslash would end the string that it stands in, and a brace begin a query."""
    handed = machine()["States"]["PlanDeployment"]["Arguments"]["Payload"]["settings"]
    for name in handed:
        parameter = template()["Parameters"][name]
        if "AllowedPattern" in parameter:
            for evil in ('"', "\\", "{% 1 %}"):
                assert not any(admitted(name, around.replace("?", evil)) for around in (
                    "?", "/?", "a?", "lt-?", "subnet-?", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a?-AbCd12")), (name, evil)


def test_ten_listeners_and_as_many_target_groups_as_fit_are_taken():
    """How many groups belong to how many listeners is the plan's to say: no pattern counts."""
    arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:{}/{:02d}/0123456789abcdef"
    def admits(name, word, count):
        return admitted(name, ",".join(arn.format(word, n) for n in range(count)))
    assert [admits("TargetGroupArns", "targetgroup/tunnel", count) for count in (1, 2, 5, 6, 30, 38)] == [False, True, True, True, True, True]
    assert not admits("TargetGroupArns", "targetgroup/tunnel", 51)
    listener = "listener/net/tunnel/50dc6c495c0c9188"
    assert [admits("ListenerArn", listener, count) for count in (1, 2, 10, 11)] == [True, True, True, False]
    assert not admitted("ListenerArn", arn.format(listener, 1) + ", " + arn.format(listener, 2))


# Parameters that a function's version need not follow: they change no function, or only with its code.
FOLLOWED_OTHERWISE = {"LogRetentionDays", "AlertTopicArn", "Architecture", "PermissionsBoundaryArn", "RolePath", "KmsKeyArn",
                      "SigningSecretKmsKeyArn", "SigningEndpointVpcId"}


def followed(function):
    """The parameters in a function's version: another value makes another version."""
    return {name for text in descriptions(function) for name in re.findall(r"\$\{(\w+)\}", text)}


def descriptions(function):
    """The description of a function's version, or each that a condition chooses from."""
    description = function["VersionDescription"]
    return [one["Fn::Sub"] for one in description.get("Fn::If", [None, description])[1:]]


def test_every_parameter_reaches_the_next_execution_and_no_running_one():
    """It travels from the definition, or the version of each function that has it from its own properties follows it."""
    handed = {name for _, text in strings(machine()["States"]["PlanDeployment"]["Arguments"]["Payload"]["settings"]) for name in re.findall(r"\w+", text)}
    functions = resources("AWS::Serverless::Function")
    follows = {name for function in functions.values() for name in followed(function)}
    assert handed | follows | FOLLOWED_OTHERWISE == set(template()["Parameters"]) and not handed & follows
    shared = {"LogLevel"}
    for name, function in functions.items():
        own = {text for _, text in strings([function.get("VpcConfig"), function.get("Environment")]) if text in template()["Parameters"]}
        wanted = own if name in SESSION_SIDE | {"AskServiceFunction"} else own | {"ServiceName"}
        assert followed(function) == wanted | shared, name


def test_the_longest_description_of_a_version_is_one():
    """Lambda takes 256 characters. A value that its pattern admits is no longer than these."""
    longest = {
        "SessionPort": "65535", "SessionPath": "/" + "x" * 29, "LogLevel": "debug", "ServiceName": "x" * 48,
        "FunctionSubnetIds": ",".join(["subnet-0123456789abcdef0"] * 6), "FunctionSecurityGroupIds": ",".join(["sg-0123456789abcdef0"] * 3),
        "AwsFunctionSubnetIds": ",".join(["subnet-0123456789abcdef0"] * 3), "AwsFunctionSecurityGroupId": "sg-0123456789abcdef0",
        "AskServiceFrom": "internet",
    }
    for name, value in longest.items():
        if "AllowedPattern" in template()["Parameters"][name]:
            assert admitted(name, value), name
            assert not admitted(name, value + (",subnet-01234567" if "Subnet" in name else ",sg-01234567" if "Groups" in name or "Security" in name else "x" * 9)), name
    for function in resources("AWS::Serverless::Function").values():
        for text in descriptions(function):
            assert len(re.sub(r"\$\{(\w+)\}", lambda it: longest[it.group(1)], text)) <= 256


def test_versions_are_published_named_and_kept():
    created = transformed()["Resources"]
    versions = {name: r for name, r in created.items() if r["Type"] == "AWS::Lambda::Version"}
    functions = resources("AWS::Serverless::Function")
    assert len(versions) == len(functions)
    assert all(r["DeletionPolicy"] == r["UpdateReplacePolicy"] == "Retain" for r in versions.values())
    named = created["Deployment"]["Properties"]["DefinitionSubstitutions"]
    assert {named[f"{name}Arn"]["Ref"] for name in functions} == set(versions)
    globals_ = template()["Globals"]["Function"]
    assert globals_["AutoPublishAlias"] and globals_["AutoPublishAliasAllProperties"]


def test_every_function_has_a_role_of_its_own_and_those_that_call_servers_share_one():
    roles = {name: json.dumps(properties["Role"]) for name, properties in lambdas().items()}
    assert len({roles[name] for name in SESSION_SIDE}) == 1
    assert len(set(roles.values())) == len(roles) - len(SESSION_SIDE) + 1
    assert set(resources("AWS::Serverless::Function")) == set(functions_called().values())


def test_a_wildcard_resource_is_for_describe_calls_only():
    for role, statement in statements():
        if statement["Resource"] == "*":
            allowed = INTO_VPC if role == "AttachToVpc" else set()
            assert [action for action in actions(statement) if not DESCRIBE_ONLY.fullmatch(action) and action not in allowed] == [], role


def test_no_role_has_a_wildcard_action():
    for role, statement in statements():
        assert [action for action in actions(statement) if "*" in action] == [], role


def test_logs_go_to_the_stack_s_own_group_and_nowhere_else():
    assert [(name, s["Resource"]) for name, s in statements() if any(action.startswith("logs:") for action in actions(s))] == [
        ("WriteLogs", {"Fn::GetAtt": ["Logs", "Arn"]})]
    for function in [template()["Globals"]["Function"], *resources("AWS::Lambda::Function").values()]:
        assert function["LoggingConfig"] == {"LogGroup": {"Ref": "Logs"}}


def test_the_state_machine_invokes_every_version_of_the_functions_and_does_nothing_else():
    (statement,) = [s for name, s in statements() if name == "DeploymentRole"]
    assert actions(statement) == ["lambda:InvokeFunction"]
    invoked = {text["Fn::Sub"] for text in statement["Resource"]}
    assert invoked == {f"${{{name}.Arn}}:*" for name in resources("AWS::Serverless::Function")}


def test_the_record_s_keeper_is_bound_to_its_service_and_state_machine():
    mine = {action: s for name, s in statements() if name == "KeepRecordRole" for action in actions(s)}
    assert set(mine) == {"dynamodb:GetItem", "dynamodb:PutItem", "states:DescribeExecution", "states:StartExecution",
                         "cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"}
    assert mine["dynamodb:PutItem"]["Condition"]["ForAllValues:StringEquals"] == {"dynamodb:LeadingKeys": [{"Ref": "ServiceName"}]}
    assert mine["dynamodb:PutItem"]["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}
    # Named, not referred to: the state machine names this function, and a reference back would be a circle.
    assert resources("AWS::Serverless::StateMachine")["Deployment"]["Name"] == {"Ref": "AWS::StackName"}
    for action, kind in (("states:DescribeExecution", "execution:${AWS::StackName}:*"), ("states:StartExecution", "stateMachine:${AWS::StackName}")):
        assert mine[action]["Resource"]["Fn::Sub"].endswith(f":states:${{AWS::Region}}:${{AWS::AccountId}}:{kind}"), action


@pytest.mark.parametrize("action, allowed", [
    ("ec2:TerminateInstances", {"TerminateBlueRole"}),
    ("autoscaling:TerminateInstanceInAutoScalingGroup", {"TerminateBlueRole"}),
    ("elasticloadbalancing:DeregisterTargets", {"TerminateBlueRole"}),
    ("elasticloadbalancing:ModifyListener", {"SwitchTargetGroupRole"}),
    ("elasticloadbalancing:ModifyRule", {"SwitchTargetGroupRole"}),
    ("ec2:RunInstances", {"LaunchFromTheTemplate"}),
    ("dynamodb:PutItem", {"KeepRecordRole"}),
    ("states:StartExecution", {"KeepRecordRole"}),
    ("cloudwatch:DescribeAlarms", {"KeepRecordRole", "PlanDeploymentRole"}),
    ("cloudwatch:DescribeAlarmHistory", {"KeepRecordRole"}),
    ("lambda:InvokeFunction", {"DeploymentRole"}),
    ("lambda:InvokeFunctionUrl", set()),
    ("secretsmanager:GetSecretValue", {"ReadSigningSecret"}),
    ("kms:Decrypt", {"ReadSigningSecret", "UseOwnKey"}),
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


def test_every_function_of_the_template_has_its_build_target():
    makefile = (ROOT / "Makefile").read_text()
    for name in lambdas():
        assert f"build-{name}:" in makefile and template()["Resources"][name]["Metadata"] == {"BuildMethod": "makefile"}, name
