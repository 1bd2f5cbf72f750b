"""What each function links: the rooms of the design, held by the dependency graph."""

import subprocess

import pytest
from definition import ROOT, kebab, lambdas

SESSION_SIDE = {"test-green", "drain-idle", "check-drained", "resume-blue"}
OF_THE_SECRET = SESSION_SIDE | {"issue-keys"}
WITHOUT_EC2 = OF_THE_SECRET | {"switch-target-group", "keep-record", "guard-stack", "ask-service"}
OF_ALARMS = {"keep-record", "plan-deployment"}


def linked(package):
    """The names of all crates that a package's own build links."""
    tree = subprocess.run(
        ["cargo", "tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    return {line.split()[0] for line in tree.splitlines() if line}


@pytest.mark.parametrize("package", sorted(kebab(name.removesuffix("Function")) for name in lambdas()))
def test_only_who_calls_aws_links_it_and_only_who_calls_servers_links_their_client(package):
    crates = linked(package)
    sdks = {crate for crate in crates if crate.startswith("aws-sdk-")}
    # aws-config links STS's, for credentials that a Lambda does not have.
    if package in OF_THE_SECRET:
        assert sdks - {"aws-sdk-sts"} == {"aws-sdk-secretsmanager"}
    else:
        assert "aws-sdk-secretsmanager" not in sdks
    assert ("ebbtide-sessions" in crates) == (package in SESSION_SIDE | {"ask-service"})
    assert bool(sdks) == (package != "ask-service")
    assert ("aws-sdk-ec2" in sdks) == (package not in WITHOUT_EC2)
    assert ("aws-sdk-sfn" in sdks) == (package == "keep-record")
    assert ("aws-sdk-cloudwatch" in sdks) == (package in OF_ALARMS)
    if package == "keep-record":
        assert not sdks & {"aws-sdk-autoscaling", "aws-sdk-ec2", "aws-sdk-elasticloadbalancingv2"}


def test_the_command_line_links_three_services_and_no_function():
    crates = linked("ebbtide-cli")
    sdks = {crate for crate in crates if crate.startswith("aws-sdk-")}
    # aws-config links STS's, for credentials.
    assert sdks - {"aws-sdk-sts"} == {"aws-sdk-cloudformation", "aws-sdk-dynamodb", "aws-sdk-sfn"}
    assert {crate for crate in crates if crate.startswith("ebbtide-")} == {"ebbtide-cli", "ebbtide-rules"}


def test_the_rules_are_pure():
    crates = linked("ebbtide-rules")
    assert not {crate for crate in crates if crate in {"tokio", "reqwest", "hyper"} or crate.startswith("aws-")}
