"""The Terraform examples hold together, name what the provider knows, and ignore whatever a deployment changes."""

import re

import pytest
from definition import ROOT, template
from infrastructure import MODULES, arguments, bare, blocks, ignored, module, of, provider, resources, texts
from test_template import actions, statements

PAGE = (ROOT / "docs/infrastructure-code.md").read_text()
META = {"for_each", "count", "depends_on", "provider"}
# Every attribute that a deployment changes, or that must not move beneath one: by whom, with which actions of AWS.
CHANGED = {
    ("aws_lb_listener", "default_action"): ("SwitchTargetGroupRole", {"elasticloadbalancing:ModifyListener"}),
    ("aws_lb_listener_rule", "action"): ("SwitchTargetGroupRole", {"elasticloadbalancing:ModifyRule"}),
    ("aws_autoscaling_group", "suspended_processes"): ("HoldBlueRole", {"autoscaling:SuspendProcesses", "autoscaling:ResumeProcesses"}),
    ("aws_autoscaling_group", "tag"): ("HoldBlueRole", {"autoscaling:CreateOrUpdateTags", "autoscaling:DeleteTags"}),
    ("aws_autoscaling_group", "min_size"): ("TerminateBlueRole", {"autoscaling:UpdateAutoScalingGroup"}),
    ("aws_autoscaling_group", "desired_capacity"): ("TerminateBlueRole", {"autoscaling:TerminateInstanceInAutoScalingGroup"}),
    ("aws_autoscaling_group", "max_size"): ("LaunchGreenRole", {"autoscaling:UpdateAutoScalingGroup"}),
    ("aws_autoscaling_group", "launch_template[0].version"): ("LaunchGreenRole", {"autoscaling:UpdateAutoScalingGroup"}),
}
# What the functions change besides, and why no attribute of a resource in code shows it.
NO_ATTRIBUTE = {
    "autoscaling:CompleteLifecycleAction": "of instances, which are in no code",
    "autoscaling:DeleteLifecycleHook": "a hook of Ebbtide's own, which an apply leaves alone",
    "autoscaling:PutLifecycleHook": "as DeleteLifecycleHook",
    "autoscaling:RecordLifecycleActionHeartbeat": "as CompleteLifecycleAction",
    "autoscaling:SetInstanceProtection": "of instances, which are in no code",
    "dynamodb:PutItem": "the record, in the stack's own table",
    "ec2:CreateTags": "on instances, which are in no code, and on what comes with them",
    "ec2:DeleteTags": "as CreateTags",
    "ec2:RunInstances": "green's instances are in no code",
    "ec2:TerminateInstances": "as RunInstances",
    "elasticloadbalancing:DeregisterTargets": "targets are no attribute of a target group; none is attached from code",
    "elasticloadbalancing:RegisterTargets": "as DeregisterTargets",
    "iam:PassRole": "changes nothing",
    "kms:Decrypt": "changes nothing",
    "lambda:InvokeFunction": "changes nothing",
    "logs:CreateLogStream": "in the stack's own group",
    "logs:PutLogEvents": "in the stack's own group",
    "states:StartExecution": "an execution is in no code",
}


def everywhere():
    return [(name, kind, body) for name in MODULES for (kind, _), body in resources(name).items()]


def test_there_is_an_application_and_a_network_load_balancer():
    assert MODULES == ["alb", "nlb", "service"]
    kinds = {(name, bare(body["load_balancer_type"])) for name, kind, body in everywhere() if kind == "aws_lb"}
    assert kinds == {("alb", "application"), ("nlb", "network")}
    assert [bare(body["protocol"]) for name, kind, body in everywhere() if kind == "aws_lb_listener" and name == "nlb"] == ["TLS"]


@pytest.mark.parametrize("name", MODULES)
def test_every_reference_leads_somewhere(name):
    text = "\n".join(texts([body for _, _, body in module(name)]))
    assert set(re.findall(r"\bvar\.(\w+)", text)) == set(of(name, "variable"))
    assert set(re.findall(r"\blocal\.(\w+)", text)) == {key for _, body in of(name, "locals").items() for key in body}
    for called, output in re.findall(r"\bmodule\.(\w+)\.(\w+)", text):
        assert called in of(name, "module") and output in of("service", "output"), (called, output)
    for kind, resource, attribute in re.findall(r"\b(aws_\w+)\.(\w+)(?:\[[^]]*\])?\.(\w+)", text):
        assert (kind, resource) in resources(name), (kind, resource)
        known = provider()[kind]
        assert attribute in {*known.get("required", []), *known.get("optional", []), *known["computed"]}, (kind, attribute)


def test_a_module_is_handed_what_it_asks_for():
    wanted = of("service", "variable")
    for name in ("alb", "nlb"):
        given = set(of(name, "module")["service"]) - {"source"}
        assert given <= set(wanted) and {key for key, body in wanted.items() if "default" not in body} <= given, name


@pytest.mark.parametrize("name", MODULES)
def test_the_provider_knows_every_argument_and_block(name):
    def check(path, body, known):
        assert arguments(body) - META <= {*known.get("required", []), *known.get("optional", [])}, path
        assert set(known.get("required", [])) <= arguments(body), path
        for kind, inner in blocks(body):
            if kind != "lifecycle":
                assert kind in known.get("blocks", {}), (path, kind)
                check((*path, kind), inner, known["blocks"][kind])

    for (kind, resource), body in resources(name).items():
        check((name, kind, resource), body, provider()[kind])


def test_an_unknown_argument_would_be_seen():
    assert "weight" not in provider()["aws_lb_listener"]["optional"] and "target_group_health" in provider()["aws_lb_target_group"]["blocks"]


def forwards(body):
    return any(bare(action["type"]) == "forward" for kind, action in blocks(body) if kind in ("action", "default_action"))


def test_what_a_deployment_changes_is_ignored_and_nothing_else():
    seen = set()
    for name, kind, body in everywhere():
        wanted = {attribute for owner, attribute in CHANGED if owner == kind}
        # A listener whose rules forward is not Ebbtide's.
        wanted = set() if kind.startswith("aws_lb_listener") and not forwards(body) else wanted
        assert ignored(body) == wanted, (name, kind)
        seen |= {(kind, attribute) for attribute in wanted}
    assert seen == set(CHANGED)


def test_each_is_changed_by_the_function_that_is_named():
    for attribute, (role, wanted) in CHANGED.items():
        allowed = {action for name, s in statements() if name == role for action in actions(s)}
        assert wanted <= allowed, attribute


def test_every_action_that_changes_something_is_accounted_for():
    changing = {action for name, s in statements() if s["Effect"] == "Allow" and name != "AttachToVpc" for action in actions(s)
                if not re.match(r"[\w-]+:(Describe|Get)", action)}
    accounted = {action for _, wanted in CHANGED.values() for action in wanted}
    assert changing == accounted | set(NO_ATTRIBUTE) and not accounted & set(NO_ATTRIBUTE)


def test_no_target_is_attached_from_code():
    assert {kind for _, kind, _ in everywhere()} <= set(provider())
    assert not {"aws_lb_target_group_attachment", "aws_autoscaling_attachment"} & set(provider())


def test_an_empty_group_takes_no_zone_out_of_dns():
    groups = [(name, body) for name, kind, body in everywhere() if kind == "aws_lb_target_group"]
    assert {name for name, _ in groups} == {"alb", "nlb"}
    for name, body in groups:
        (health,) = [block for kind, block in blocks(body) if kind == "target_group_health"]
        (dns,) = [block for kind, block in blocks(health) if kind == "dns_failover"]
        assert {key: bare(value) for key, value in dns.items()} == {
            "minimum_healthy_targets_count": "off", "minimum_healthy_targets_percentage": "off"}, name


def test_the_plan_would_take_template_and_group():
    server = resources("service")[("aws_launch_template", "server")]
    assert {"image_id", "instance_type", "vpc_security_group_ids"} <= set(server)
    assert not {"network_interfaces", "instance_requirements", "instance_market_options"} & {kind for kind, _ in blocks(server)}
    group = resources("service")[("aws_autoscaling_group", "server")]
    assert [bare(block["key"]) for kind, block in blocks(group) if kind == "tag"] == ["ebbtide:service"]


def test_the_stack_is_given_its_parameters_and_asked_for_its_outputs():
    stack = resources("service")[("aws_cloudformation_stack", "ebbtide")]
    given = set(re.findall(r"(\w+) = ", stack["parameters"]))
    parameters = template()["Parameters"]
    assert given <= set(parameters) and {name for name, parameter in parameters.items() if "Default" not in parameter} <= given
    assert {bare(capability) for capability in stack["capabilities"]} == {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"}
    asked = {output for text in texts([body for _, _, body in module("service")]) for output in re.findall(r'outputs\["(\w+)"\]', text)}
    assert asked and asked <= set(template()["Outputs"])


def test_the_page_says_of_each_who_changes_it():
    for kind, attribute in CHANGED:
        assert re.search(rf"^\| `{kind}` \| .*`{re.escape(attribute)}`.* \| .+ \|$", PAGE, re.MULTILINE), (kind, attribute)
