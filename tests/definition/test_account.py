"""What an account may demand of a stack: boundary, path, key, VPC, tags. Each is optional, and reaches all it is for."""

import json
import re

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from definition import ROOT, kebab, lambdas, resources, template, transformed
from test_template import INTO_VPC, SESSION_SIDE, actions, admitted, statements

NOTHING = {"Ref": "AWS::NoValue"}
DEMANDED = {"PermissionsBoundaryArn", "RolePath", "KmsKeyArn", "AwsFunctionSubnetIds", "AwsFunctionSecurityGroupId"}
SIGNING = {"SigningSecretArn", "SigningSecretKmsKeyArn", "SigningEndpointVpcId"}
PAGE = (ROOT / "docs/account.md").read_text()
# CloudFormation tags none of these; the stack's tags reach all else.
WITHOUT_TAGS = {"AWS::IAM::ManagedPolicy", "AWS::Lambda::Alias", "AWS::Lambda::Version"}
# The prefix of an IAM action, and the endpoint that its calls go to. Those of the others are named alike.
ENDPOINT = {"cloudwatch": "monitoring"}
# Lambda's own needs, and KMS's, which DynamoDB and Secrets Manager call: no function calls them.
NOT_CALLED = {"logs", "kms", "iam"}


def given(condition, value):
    return {"Fn::If": [condition, value, NOTHING]}


def of(kind):
    return {name: r for name, r in transformed()["Resources"].items() if r["Type"] == kind}


def test_each_is_empty_unless_given_and_a_condition_asks_for_it():
    for name in DEMANDED | SIGNING:
        assert template()["Parameters"][name]["Default"] == "" and admitted(name, ""), name
    grouped = {name: group["Label"]["default"] for group in template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
               for name in group["Parameters"]}
    assert set(grouped) == set(template()["Parameters"])
    assert {name for name, label in grouped.items() if "docs/account.md" in label} == DEMANDED
    assert {name for name, label in grouped.items() if label.startswith("Signed calls")} == SIGNING


@pytest.mark.parametrize("name, good, bad", [
    ("PermissionsBoundaryArn", "arn:aws-us-gov:iam::123456789012:policy/platform/boundary", "arn:aws:iam::123456789012:role/r"),
    ("RolePath", "/platform/ebbtide/", "/platform"),
    ("KmsKeyArn", "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef", "arn:aws:kms:eu-west-1:123456789012:alias/mine"),
    ("AwsFunctionSubnetIds", "subnet-0123456789abcdef0,subnet-01234567", "subnet-01234567, subnet-89abcdef"),
    ("AwsFunctionSecurityGroupId", "sg-0123456789abcdef0", "sg-01234567,sg-89abcdef"),
    # IAM compares with the whole ARN.
    ("SigningSecretArn", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tunnel-AbCd12", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tunnel"),
    ("SigningSecretKmsKeyArn", "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef", "arn:aws:kms:eu-west-1:123456789012:alias/mine"),
    ("SigningEndpointVpcId", "vpc-0123456789abcdef0", "vpc-01234567,vpc-89abcdef"),
])
def test_what_each_admits(name, good, bad):
    assert admitted(name, good) and not admitted(name, bad)


def test_boundary_and_path_reach_every_role_and_a_path_leaves_none_without():
    roles = of("AWS::IAM::Role")
    assert set(roles) == set(r for r in template()["Resources"] if r.endswith("Role")) and len(roles) == 11
    assert "is set on all eleven roles, `RolePath` is the path of all eleven" in PAGE
    for name, role in roles.items():
        assert role["Properties"]["PermissionsBoundary"] == given("HasBoundary", {"Ref": "PermissionsBoundaryArn"}), name
        assert role["Properties"]["Path"] == given("HasRolePath", {"Ref": "RolePath"}), name
        assert role["UpdateReplacePolicy"] == "Retain", name


def test_the_key_encrypts_table_and_logs_and_whoever_reads_the_table_may_use_it():
    key = given("HasOwnKey", {"Ref": "KmsKeyArn"})
    assert resources("AWS::DynamoDB::Table")["Records"]["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    assert {name: r["KmsKeyId"] for name, r in resources("AWS::Logs::LogGroup").items()} == {"Logs": key}
    (use,) = [s for name, s in statements() if name == "UseOwnKey"]
    assert actions(use) == ["kms:Decrypt"] and use["Resource"] == {"Ref": "KmsKeyArn"}
    assert use["Condition"] == {"StringLike": {"kms:ViaService": {"Fn::Sub": "dynamodb.${AWS::Region}.*"}}}
    assert template()["Resources"]["UseOwnKey"]["Condition"] == "HasOwnKey"
    readers = {name for name, s in statements() if any(action.startswith("dynamodb:") for action in actions(s))}
    assert readers == {name for name, role in of("AWS::IAM::Role").items() if {"Ref": "UseOwnKey"} in managed(role, "HasOwnKey")}


def managed(role, condition):
    """The managed policies that a role has when one condition holds."""
    return [policy["Fn::If"][1] for policy in role["Properties"].get("ManagedPolicyArns", [])
            if "Fn::If" in policy and policy["Fn::If"][0] == condition and policy["Fn::If"][2] == NOTHING]


def test_the_stack_s_own_managed_policies_are_all_that_a_role_has():
    wanted = [{"Ref": "WriteLogs"}, given("AwsFunctionsInVpc", {"Ref": "AttachToVpc"}), given("HasOwnKey", {"Ref": "UseOwnKey"})]
    for name, role in of("AWS::IAM::Role").items():
        has = role["Properties"].get("ManagedPolicyArns", [])
        if name == "AskServersRole":
            assert has == [wanted[0], given("FunctionsInVpc", {"Ref": "AttachToVpc"}), given("SignsCalls", {"Ref": "ReadSigningSecret"})]
        elif name == "AskServiceRole":
            assert has == [wanted[0], given("AnyInVpc", {"Ref": "AttachToVpc"})] and "Policies" not in role["Properties"]
        elif name == "IssueKeysRole":
            assert has == [*wanted[:2], {"Ref": "ReadSigningSecret"}]
        elif name == "LaunchGreenRole":
            assert has == [*wanted, {"Ref": "LaunchFromTheTemplate"}]
        elif name == "TerminateBlueRole":
            assert has == [*wanted, given("HasGroups", {"Ref": "LaunchFromTheTemplate"})]
        else:
            assert has == ([] if name == "DeploymentRole" else wanted), name


def in_subnets(condition, subnets, groups):
    """The VpcConfig of a function that is in these subnets if a condition holds, and in none if it does not."""
    listed = {"SubnetIds": {"Fn::Split": [",", {"Ref": subnets}]}, "SecurityGroupIds": {"Fn::Split": [",", {"Ref": groups}]}}
    return given(condition, listed)


def test_each_side_goes_into_its_own_subnets():
    of_servers = in_subnets("FunctionsInVpc", "FunctionSubnetIds", "FunctionSecurityGroupIds")
    of_aws = in_subnets("AwsFunctionsInVpc", "AwsFunctionSubnetIds", "AwsFunctionSecurityGroupId")
    for name, function in lambdas().items():
        side = of_servers if name in SESSION_SIDE else of_aws
        asks = {"Fn::If": ["AsksFromInternet", of_aws, of_servers]}
        assert function["VpcConfig"] == (asks if name == "AskServiceFunction" else side), name
    assert template()["Conditions"]["AsksFromInternet"] == {"Fn::Equals": [{"Ref": "AskServiceFrom"}, "internet"]}


def test_what_puts_a_function_into_a_vpc_is_not_for_its_code():
    allow, deny = [s for name, s in statements() if name == "AttachToVpc"]
    assert set(actions(allow)) == set(actions(deny)) == INTO_VPC
    assert (allow["Effect"], deny["Effect"]) == ("Allow", "Deny") and "Condition" not in allow
    assert deny["Condition"] == {"Null": {"lambda:SourceFunctionArn": "false"}}
    assert template()["Resources"]["AttachToVpc"]["Condition"] == "AnyInVpc"


def test_every_statement_but_that_one_allows():
    assert [s["Sid"] for _, s in statements() if s["Effect"] != "Allow"] == ["KeepItFromTheCode"]


def takes_the_stack_s_tags(kind):
    """As CloudFormation's own schema of the type says, which cfn-lint carries."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return schema["tagging"]["taggable"]


def test_the_stack_s_tags_reach_all_that_can_be_tagged():
    # A custom resource is nothing that anybody could tag.
    kinds = {r["Type"] for r in transformed()["Resources"].values() if not r["Type"].startswith("Custom::")}
    assert {kind for kind in kinds if not takes_the_stack_s_tags(kind)} == WITHOUT_TAGS
    for kind in kinds:
        row = f"| `{kind}` | {'no' if kind in WITHOUT_TAGS else 'yes'} |"
        assert row in PAGE, row


def policies(role):
    """What a role has: its own policies, and the stack's managed ones that any condition gives it."""
    has = of("AWS::IAM::Role")[role]["Properties"].get("ManagedPolicyArns", [])
    return {role} | {(policy["Fn::If"][1] if "Fn::If" in policy else policy)["Ref"] for policy in has}


def called(role):
    """The endpoints that the functions of a role call; what attaches them to a VPC is Lambda's own need."""
    prefixes = {action.split(":")[0] for name, s in statements() if name in policies(role) - {"AttachToVpc"} for action in actions(s)} - NOT_CALLED
    return {ENDPOINT.get(prefix, prefix) for prefix in prefixes}


def test_the_page_names_every_endpoint_for_who_calls_it():
    table = re.search(r"\| endpoint \| .*?\n\n", PAGE, re.DOTALL).group(0)
    told = {}
    for services, functions in re.findall(r"^\| `com\.amazonaws\.REGION\.([\w-]+)`[^|]* \| (.*?) \|$", table, re.MULTILINE):
        told[services] = set(re.findall(r"`([a-z-]+)`", functions))
    needed = {}
    for name, function in lambdas().items():
        for service in called(function["Role"]["Fn::GetAtt"][0]):
            needed.setdefault(service, set()).add(kebab(name.removesuffix("Function")))
    assert told == needed


def test_the_page_lists_what_a_boundary_must_leave():
    """Without one of these a function fails in mid-deployment."""
    block = re.search(r"<!-- every action of the policies -->\n```\n(.*?)```", PAGE, re.DOTALL).group(1)
    assert set(block.split()) == {action for _, s in statements() if s["Effect"] == "Allow" for action in actions(s)}


def test_the_key_s_policy_on_the_page_is_one():
    policy = json.loads(re.search(r"```json\n(\[.*?\])\n```", PAGE, re.DOTALL).group(1))
    logs, table = policy
    assert logs["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"].endswith(":log-group:/aws/lambda/STACK")
    assert template()["Resources"]["Logs"]["Properties"]["LogGroupName"] == {"Fn::Sub": "/aws/lambda/${AWS::StackName}"}
    assert set(table["Action"]) >= {"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"}
