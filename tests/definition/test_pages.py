"""The pages: every link leads somewhere, and what is to be copied from them is what AWS takes."""

import json
import re

import pytest
import yaml
from definition import ROOT, resources, template

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("*.md")),
         *sorted((ROOT / "server").rglob("*.md"))]
LONGEST_EXECUTION_NAME, ACTION_ID = 80, len("1624a1d1-3699-43f0-8e1e-6bafd7fde791")


def page(name):
    return (ROOT / "docs" / name).read_text()


def fenced(text, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def anchors(text):
    """The headings of a page as GitHub links them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    plain = [re.sub(r"[`*]|\[(.*?)\]\(.*?\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(path):
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", path.read_text()):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            to = (path.parent / file).resolve() if file else path
            assert to.exists(), target
            assert not anchor or anchor in anchors(to.read_text()), target


def test_a_pipeline_s_execution_has_a_name_that_step_functions_takes():
    text = page("pipeline.md")
    most = LONGEST_EXECUTION_NAME - ACTION_ID - len("-")
    assert f"`ExecutionNamePrefix` has at most {most} characters" in text
    (stage,) = fenced(text, "yaml")
    (action,) = yaml.safe_load(stage)[0]["Actions"]
    assert action["ActionTypeId"] == {"Category": "Invoke", "Owner": "AWS", "Provider": "StepFunctions", "Version": "1"}
    configuration = action["Configuration"]
    assert set(configuration) == {"StateMachineArn", "ExecutionNamePrefix", "InputType", "Input"} and "OnFailure" not in stage
    assert re.fullmatch(rf"[A-Za-z0-9_-]{{1,{most}}}", configuration["ExecutionNamePrefix"])
    json.loads(configuration["Input"])
    assert "**Never `OnFailure: {Result: RETRY}`**" in text


def test_a_pipeline_s_role_has_three_permissions_on_what_they_are_about():
    (policy,) = fenced(page("pipeline.md"), "json")
    about = {action: statement["Resource"] for statement in json.loads(policy)
             for action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])}
    assert set(about) == {"states:StartExecution", "states:DescribeStateMachine", "states:DescribeExecution"}
    assert all((":execution:STACK:*" if action.endswith("Execution") and "Describe" in action else ":stateMachine:STACK") in resource
               for action, resource in about.items())
    assert resources("AWS::Serverless::StateMachine")["Deployment"]["Name"] == {"Ref": "AWS::StackName"}


def test_the_alarm_is_on_the_sum_over_the_groups():
    (command,) = [text for text in fenced(page("load-balancers.md"), "sh") if "put-metric-alarm" in text]
    metrics = {metric["Id"]: metric for metric in json.loads(re.search(r"--metrics '(.*?)'", command, re.DOTALL).group(1))}
    (watched,) = [metric for metric in metrics.values() if metric["ReturnData"]]
    summed = re.findall(r"FILL\((\w+), 0\)", watched["Expression"])
    assert watched["Expression"] == " + ".join(f"FILL({name}, 0)" for name in summed)
    assert set(summed) == set(metrics) - {watched["Id"]} and len(summed) == 2
    assert {metrics[name]["MetricStat"]["Metric"]["MetricName"] for name in summed} == {"HealthyHostCount"}


def test_the_five_permissions_for_encrypted_volumes_are_the_same_everywhere():
    five = {"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*"}
    (policy,) = [text for text in fenced(page("account.md"), "json") if "GrantIsForAWSResource" in text]
    for text in (policy, re.search(r'"aws_iam_role_policy" "volumes" \{.*?^\}', (ROOT / "examples/terraform/service/ebbtide.tf").read_text(),
                                   re.MULTILINE | re.DOTALL).group(0)):
        assert set(re.findall(r"kms:(?!Grant)[\w*]+", text)) == five


def test_what_the_guide_says_of_weight_0_is_told_with_what_it_says_against_it():
    text = page("load-balancers.md").replace("\n> ", " ")
    assert "Existing connections are not affected and continue until they are closed as usual." in text
    assert "it receives no new connections and existing connections are closed." in text
    for path in PAGES:
        assert not re.search(r"weight 0 is not documented|no.* has published a test of weight 0", path.read_text()), path


def test_lists_are_numbered_one_by_one():
    for path in PAGES:
        last = {}
        for line in re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL).splitlines():
            found = re.match(r"( *)(\d+)\. ", line)
            if found:
                indent, number = found.group(1), int(found.group(2))
                assert number in (1, last.get(indent, 0) + 1), (path, line)
                last[indent] = number
            elif line and not line.startswith(" "):
                last = {}


def test_every_parameter_is_named_on_the_first_page():
    readme = (ROOT / "README.md").read_text()
    assert [name for name in template()["Parameters"] if f"`{name}`" not in readme] == []
