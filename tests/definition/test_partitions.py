"""AWS has several partitions: nothing names one, and a service is called by the name that it has in each of them."""

import re

import pytest
from definition import ROOT, machine, pipeline, resources, strings, template, transformed

ONE_PARTITION = re.compile(r"\barn:aws(-[a-z]+)*:")
A_SERVICE = re.compile(r"\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?\b")
# What is called by one name everywhere, as AWS CDK's region-info has it.
EVERYWHERE = {f"{name}.amazonaws.com" for name in ("lambda", "states", "events", "codebuild", "codepipeline")}
# EC2 passes a role under another name in China: AWS says so nowhere, karpenter-provider-aws#6839 found it.
PASSED = ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]


def texts(tree):
    """Every string of a template or definition, a parameter's pattern and words apart: a pattern admits all partitions."""
    return [(path, text) for path, text in strings(tree) if not re.match(r"/Parameters/\w+/(AllowedPattern|Description)$", path)]


@pytest.mark.parametrize("tree", [machine, template, transformed, pipeline])
def test_no_partition_is_named(tree):
    assert [(path, text) for path, text in texts(tree()) if ONE_PARTITION.search(text)] == []


@pytest.mark.parametrize("text, named", [
    ("arn:aws:states:::lambda:invoke", True), ("arn:aws-us-gov:iam::123456789012:role/r", True), ("see arn:aws-cn:s3:::b", True),
    ("arn:${Partition}:states:::lambda:invoke", False), ("arn:${AWS::Partition}:ec2:*", False),
])
def test_a_partition_would_be_seen(text, named):
    assert bool(ONE_PARTITION.search(text)) == named


def test_the_partition_is_the_stack_s_own():
    assert resources("AWS::Serverless::StateMachine")["Deployment"]["DefinitionSubstitutions"]["Partition"] == {"Ref": "AWS::Partition"}


def test_services_are_called_by_names_that_hold_in_every_partition():
    named = {name for tree in (transformed, machine, pipeline) for _, text in texts(tree()) for name in A_SERVICE.findall(text)}
    assert named <= EVERYWHERE | set(PASSED)


def test_a_role_is_passed_to_ec2_under_both_its_names():
    passed = [text for path, text in texts(template()) if "/iam:PassedToService" in path]
    assert passed == PASSED


@pytest.mark.parametrize("partition, region", [("aws", "eu-west-1"), ("aws-us-gov", "us-gov-west-1"), ("aws-cn", "cn-north-1")])
def test_every_parameter_that_is_an_arn_admits_every_partition(partition, region):
    where = f"{region}:123456789012"
    of = {
        "ListenerArn": f"arn:{partition}:elasticloadbalancing:{where}:listener/net/tunnel/0123456789abcdef/0123456789abcdef",
        "TargetGroupArns": ",".join(f"arn:{partition}:elasticloadbalancing:{where}:targetgroup/tunnel-{n}/0123456789abcdef" for n in "ab"),
        "TestListenerArns": ",".join(
            f"arn:{partition}:elasticloadbalancing:{where}:listener-rule/app/tunnel/0123456789abcdef/0123456789abcdef/{n}123456789abcdef" for n in "ab"
        ),
        "InstanceRoleArn": f"arn:{partition}:iam::123456789012:role/server",
        "AlertTopicArn": f"arn:{partition}:sns:{where}:alerts",
        "PermissionsBoundaryArn": f"arn:{partition}:iam::123456789012:policy/boundary",
        "KmsKeyArn": f"arn:{partition}:kms:{where}:key/01234567-89ab-cdef-0123-456789abcdef",
        "SigningSecretArn": f"arn:{partition}:secretsmanager:{where}:secret:platform/tunnel-AbCd12",
        "SigningSecretKmsKeyArn": f"arn:{partition}:kms:{where}:key/mrk-0123456789abcdef0123456789abcdef",
    }
    of_the_pipeline = {
        "ConnectionArn": f"arn:{partition}:codeconnections:{where}:connection/01234567-89ab-cdef-0123-456789abcdef",
        "BuildPolicyArn": f"arn:{partition}:iam::123456789012:policy/build",
        "ApprovalTopicArn": f"arn:{partition}:sns:{where}:releases",
        "PermissionsBoundaryArn": of["PermissionsBoundaryArn"],
    }
    for tree, values in ((template, of), (pipeline, of_the_pipeline)):
        parameters = tree()["Parameters"]
        assert set(values) == {name for name in parameters if re.search(r"Arns?$", name)}
        for name, value in values.items():
            assert re.fullmatch(parameters[name]["AllowedPattern"], value), name


def of_tests(path):
    """Whether only tests compile a file: its name says so, or its crate declares a module of it for tests alone."""
    source = next(parent for parent in path.parents if parent.name == "src")
    declared = re.findall(r"^#\[cfg\(test\)\]\nmod (\w+);", (source / "lib.rs").read_text(), re.MULTILINE) if (source / "lib.rs").exists() else []
    inside = path.relative_to(source).with_suffix("").parts
    return "tests" in path.stem or "fake" in inside or inside[0] in declared


def test_shipped_code_names_no_partition():
    shipped = [path for path in ROOT.glob("functions/*/src/**/*.rs") if not of_tests(path)]
    assert len(shipped) > 50
    for path in shipped:
        # A comment may show an ARN.
        code = re.sub(r"^\s*//.*$", "", path.read_text().split("#[cfg(test)]")[0], flags=re.MULTILINE)
        assert not ONE_PARTITION.search(code) and not A_SERVICE.search(code), path
