"""The template of dashboard and alarms: what it names is told, each alarm says what to do and whom. Each rule is shown to bite."""

import json
import pathlib
import re
from functools import cache

import pytest
from cfnlint import lint
from cloudwatch import of_stat, period_of, stats
from definition import ROOT, holds, observability, resolved, rust, template
from test_pipeline import every_parameter_is_described_bounded_grouped_and_used, every_parameter_is_on_the_page_with_its_default
from test_template import admitted

HERE = pathlib.Path(__file__).parent
PAGE = (ROOT / "docs/observability.md").read_text()
ALARM, COMPOSITE, QUERY = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm", "AWS::Logs::QueryDefinition"
COMMANDS = {it.lower() for it in re.findall(r"^    ([A-Z]\w+)[(,]", (ROOT / "cli/src/arguments.rs").read_text().split("enum Command {")[1].split("\n}")[0], re.MULTILINE)}
GROUPS = {f"TargetGroup{letter}": f"targetgroup/tunnel-{letter.lower()}/0123456789abcdef" for letter in "ABCDE"}
GIVEN = {"EbbtideStack": "ebbtide-tunnel", "ServiceName": "tunnel", "LoadBalancer": "app/tunnel/0123456789abcdef",
         "AlertTopicArn": "arn:aws:sns:eu-west-1:123456789012:alerts", "TicketTopicArn": "arn:aws:sns:eu-west-1:123456789012:tickets"}
TWO, THREE, FOUR, FIVE = ({**GIVEN, **dict(list(GROUPS.items())[:number])} for number in (2, 3, 4, 5))
# What CloudWatch has of Step Functions and of load balancers, by name: the dimensions that the alarms give them.
OF_AWS = {
    **{("AWS/States", f"Executions{end}"): {"StateMachineArn"} for end in ("Failed", "TimedOut", "Aborted")},
    **{(f"AWS/{kind}ELB", "HealthyHostCount"): {"LoadBalancer", "TargetGroup"} for kind in ("Application", "Network")},
    **{("AWS/ApplicationELB", name): {"LoadBalancer", "TargetGroup"} for name in ("RequestCount", "HTTPCode_Target_5XX_Count")},
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"): {"LoadBalancer"},
    ("AWS/NetworkELB", "TCP_ELB_Reset_Count"): {"LoadBalancer"},
}
MOST_METRICS_OF_AN_ALARM, LONGEST_DESCRIPTION, A_DAY = 10, 1024, 86_400


@cache
def told():
    """(namespace, name) -> the dimensions of each metric that there is."""
    listed = json.loads((HERE / "metrics.json").read_text())
    return {("Ebbtide", it["name"]): set(it["dimensions"]) for it in listed} | OF_AWS


def of_kind(tree, kind):
    return {name: it["Properties"] for name, it in tree()["Resources"].items() if it["Type"] == kind}


def alarms(tree, **given):
    """Each metric alarm as CloudFormation makes it with these parameters, where it does."""
    made = {name: it for name, it in tree()["Resources"].items() if it["Type"] == ALARM}
    return {name: resolved(it["Properties"], tree, **given) for name, it in made.items() if "Condition" not in it or holds(it["Condition"], tree, **given)}


def with_slo(given):
    return {**given, "SloAvailability": "99.9"}


def told_to_somebody(tree):
    """The alarms that act by themselves: those that a composite one is made of do not."""
    parts = {part for it in of_kind(tree, COMPOSITE).values() for part in rule_of(it)}
    return {name: it for kind in (ALARM, COMPOSITE) for name, it in of_kind(tree, kind).items() if name not in parts}


def rule_of(composite):
    """The alarms all of which have to fire; no other rule is known."""
    rule = composite["AlarmRule"]["Fn::Sub"]
    assert re.fullmatch(r'ALARM\("\$\{\w+\}"\)( AND ALARM\("\$\{\w+\}"\))+', rule), rule
    return re.findall(r"\$\{(\w+)\}", rule)


def description(properties):
    return properties["AlarmDescription"]["Fn::Sub"]


def dashboard(tree, **given):
    return json.loads(resolved(of_kind(tree, "AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"], tree, **given))["widgets"]


def shown(tree, **given):
    """(namespace, metric, dimensions) of everything that the dashboard shows."""
    for widget in dashboard(tree, **given):
        for entry in widget["properties"].get("metrics", []):
            if isinstance(entry[0], dict):
                schema, names = re.search(r"\{([^}]+)\}.* MetricName=(\(.*?\)|\".*?\")", entry[0]["expression"]).groups()
                namespace, *dimensions = schema.split(",")
                yield from ((namespace, name, set(dimensions)) for name in re.findall(r"\"(\w+)\"", names))
            else:
                plain = [it for it in entry if isinstance(it, str)]
                yield plain[0], plain[1], set(plain[2::2])


def every_metric_of_an_alarm_is_told_with_these_dimensions(tree):
    for given in (TWO, with_slo(FOUR), {**FIVE, "LoadBalancer": "net/tunnel/0123456789abcdef"}):
        for name, alarm in alarms(tree, **given).items():
            for of, _ in stats(alarm).values():
                assert told().get((of.namespace, of.name)) == {key for key, _ in of.dimensions}, (name, of)


def every_metric_of_the_dashboard_is_told_and_every_metric_is_on_it(tree):
    for given in (FIVE, {**TWO, "LoadBalancer": "net/tunnel/0123456789abcdef"}):
        seen = set()
        for namespace, name, dimensions in shown(tree, **given):
            # Those of the other kind of load balancer are searched for as well, and not found.
            kinds = {namespace.replace("Network", "Application"), namespace.replace("Application", "Network")}
            assert dimensions in [told().get((kind, name)) for kind in kinds], name
            seen.add((namespace, name))
        assert {it for it in told() if it[0] == "Ebbtide"} <= seen


def every_alarm_says_what_is_wrong_what_to_type_and_where_to_read(tree):
    for name, properties in told_to_somebody(tree).items():
        text = description(properties)
        severity, sentence = re.match(r"\[(page|ticket)\] ([A-Z].+?)[.:] ", text).groups()
        assert len(sentence.split()) > 5, name
        command, stack = re.search(r"Type: ebbtide (\w+) (--stack \$\{EbbtideStack\}|WeightsContested)", text).groups()
        assert command in COMMANDS and stack, name
        assert set(re.findall(r"\bebbtide (\w+)", text)) <= COMMANDS, name
        page, anchor = re.search(r"(docs/operating\.md)#([a-z0-9-]+)$", text).groups()
        assert anchor in anchors(page), (name, anchor)
        assert len(resolved({"Fn::Sub": text}, tree, **FIVE)) <= LONGEST_DESCRIPTION, name


@cache
def anchors(page):
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def every_alarm_tells_the_topic_of_its_severity_and_no_part_tells_anybody(tree):
    topics = {"page": [{"Ref": "AlertTopicArn"}], "ticket": {"Fn::If": ["HasTicketTopic", [{"Ref": "TicketTopicArn"}], {"Ref": "AWS::NoValue"}]}}
    telling = told_to_somebody(tree)
    for name, properties in telling.items():
        severity = re.match(r"\[(\w+)\]", description(properties)).group(1)
        assert properties["AlarmActions"] == topics[severity], name
    assert not any("AlarmActions" in it for name, it in of_kind(tree, ALARM).items() if name not in telling)
    assert {name for it in of_kind(tree, COMPOSITE).values() for name in rule_of(it)} <= set(of_kind(tree, ALARM))


def every_alarm_chooses_what_missing_data_means(tree):
    for name, properties in of_kind(tree, ALARM).items():
        # Nothing but the servers themselves has points all the time.
        assert properties.get("TreatMissingData") == ("breaching" if name == "HealthyHosts" else "notBreaching"), name


def every_alarm_is_one_that_cloudwatch_takes(tree):
    for given in (TWO, with_slo(FOUR), FIVE):
        made = alarms(tree, **given)
        assert len({it["AlarmName"] for it in made.values()}) == len(made)
        for name, alarm in made.items():
            # The plan finds them by it.
            assert alarm["AlarmName"].startswith("ebbtide/tunnel/") and 'format!("ebbtide/{service}/")' in rust("plan/watching.rs"), name
            assert len(stats(alarm)) <= MOST_METRICS_OF_AN_ALARM, name
            assert 1 <= alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"], name
            assert period_of(alarm) * alarm["EvaluationPeriods"] <= A_DAY, name
            assert [it["ReturnData"] for it in alarm.get("Metrics", [{"ReturnData": True}])].count(True) == 1, name


def the_dashboard_is_read_from_the_top(tree):
    widgets = dashboard(tree, **FIVE)
    taken = set()
    for widget in widgets:
        cells = {(x, y) for x in range(widget["x"], widget["x"] + widget["width"]) for y in range(widget["y"], widget["y"] + widget["height"])}
        assert max(x for x, _ in cells) < 24 and not cells & taken
        taken |= cells
    assert len(taken) == 24 * (1 + max(y for _, y in taken)), "a hole"
    assert [it["y"] for it in widgets] == sorted(it["y"] for it in widgets)
    headings = [int(it) for widget in widgets if widget["type"] == "text" for it in re.findall(r"^## (\d)\.", widget["properties"]["markdown"])]
    assert headings == list(range(1, 7))


def every_alarm_is_on_the_dashboard(tree):
    (widget,) = [it for it in dashboard(tree, **FIVE) if it["type"] == "alarm"]
    made = {name for name in told_to_somebody(tree) if "Condition" not in tree()["Resources"][name]}
    assert {it.removesuffix(".Arn") for it in widget["properties"]["alarms"]} == made


def it_watches_the_stack_s_own_machine_and_logs(tree):
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:ebbtide-tunnel"
    failed = stats(alarms(tree, **TWO)["DeploymentFailed"])["failed"][0]
    assert dict(failed.dimensions) == {"StateMachineArn": machine}
    assert template()["Resources"]["Deployment"]["Properties"]["Name"] == {"Ref": "AWS::StackName"}
    logs = template()["Resources"]["Logs"]["Properties"]["LogGroupName"]["Fn::Sub"].replace("AWS::StackName", "EbbtideStack")
    assert all(it["LogGroupNames"] == [{"Fn::Sub": logs}] for it in of_kind(tree, QUERY).values())
    for name in ("EbbtideStack", "ServiceName"):
        assert [admitted(name, "x" * length, tree) for length in (0, 1)] == [False, True], name
    assert tree()["Parameters"]["ServiceName"]["AllowedPattern"] == template()["Parameters"]["ServiceName"]["AllowedPattern"]


@cache
def logged():
    """Lines of every kind that the functions wrote in the recorded deployments."""
    return [json.loads(line) for file in sorted(HERE.glob("recorded/*.jsonl")) for line in file.read_text().splitlines()]


def every_query_finds_lines_that_have_its_fields(tree):
    for name, query in {**of_kind(tree, QUERY), "Dashboard": {"QueryString": dashboard_query(tree)}}.items():
        fields, condition = re.search(r"fields (.*?)\s*\|\s*filter (.*?)\s*\|", query["QueryString"]).groups()
        found = [line for line in logged() if matches(condition, line)]
        assert found, name
        for field in fields.split(", "):
            assert field == "@timestamp" or any(field in line for line in found), (name, field)


def dashboard_query(tree):
    (widget,) = [it for it in dashboard(tree, **FIVE) if it["type"] == "log"]
    return widget["properties"]["query"]


def matches(condition, line):
    """Whether a line passes a filter of Logs Insights, as far as these queries have any."""
    if " or " in condition:
        return any(matches(part, line) for part in condition.split(" or "))
    if " and " in condition:
        return all(matches(part, line) for part in condition.split(" and "))
    if found := re.fullmatch(r"ispresent\((\w+)\)", condition):
        return found[1] in line
    field, how, value = re.fullmatch(r"(\w+) (=|like) [\"'](.*)[\"']", condition).groups()
    return line.get(field) == value if how == "=" else value in str(line.get(field))


def the_page_has_a_row_for_each_alarm(tree):
    rows = set(re.findall(r"^\| `([a-z-]+)` \| (page|ticket) \|", PAGE, re.MULTILINE))
    names = {it["AlarmName"]["Fn::Sub"].removeprefix("ebbtide/${ServiceName}/"): re.match(r"\[(\w+)\]", description(it)).group(1)
             for it in told_to_somebody(tree).values()}
    assert rows == set(names.items())


def every_parameter_is_on_the_page(tree):
    every_parameter_is_on_the_page_with_its_default(tree, PAGE)


def the_linter_has_nothing_to_say(tree):
    assert [str(match) for match in lint(json.dumps(tree()), regions=["us-east-1"])] == []


def changed(name, **properties):
    return lambda t: t()["Resources"][name]["Properties"].update(properties)


def said(name, old, new):
    def change(t):
        text = t()["Resources"][name]["Properties"]["AlarmDescription"]
        text["Fn::Sub"] = text["Fn::Sub"].replace(old, new)

    return change


def drawn(old, new):
    def change(t):
        body = t()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        assert old in body[0]
        body[0] = body[0].replace(old, new, 1)

    return change


def asked(name, old, new):
    def change(t):
        query = t()["Resources"][name]["Properties"]
        query["QueryString"] = query["QueryString"].replace(old, new)

    return change


# Each rule with templates that break it.
BROKEN = {
    every_parameter_is_described_bounded_grouped_and_used: [
        lambda t: t()["Parameters"]["UnknownSeconds"].pop("MaxValue"),
        lambda t: t()["Parameters"].update(Colour=t()["Parameters"]["ServiceName"]),
        lambda t: t()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"].pop(),
    ],
    every_parameter_is_on_the_page: [
        lambda t: t()["Parameters"]["UnknownSeconds"].update(Default=300),
        lambda t: t()["Parameters"].pop("TargetGroupE"),
    ],
    every_metric_of_an_alarm_is_told_with_these_dimensions: [
        changed("ServerUnknown", MetricName="UnknownSecond"),
        changed("ServerUnknown", Namespace="ebbtide"),
        changed("ServerUnknown", MetricName="Unknown"),
        changed("DeadlineNear", Dimensions=[{"Name": "Service", "Value": "x"}, {"Name": "Environment", "Value": "x"}]),
        lambda t: t()["Resources"]["DeploymentFailed"]["Properties"]["Metrics"][1]["MetricStat"]["Metric"].update(MetricName="ExecutionFailed"),
        lambda t: t()["Resources"]["BurnsFastLong"]["Properties"]["Metrics"][3]["MetricStat"]["Metric"].update(MetricName="HTTPCode_5XX"),
    ],
    every_metric_of_the_dashboard_is_told_and_every_metric_is_on_it: [
        drawn('"Phase", "Service"', '"Phases", "Service"'),
        drawn('"GreenWeight", "Service", "${ServiceName}"', '"GreenWeight", "Environment", "${ServiceName}"'),
        drawn('MetricName=\\"Busy\\"', 'MetricName=\\"Bussy\\"'),
        drawn('["Ebbtide", "Repairs", "Service", "${ServiceName}", {"stat": "Sum"}], ', ""),
    ],
    every_alarm_says_what_is_wrong_what_to_type_and_where_to_read: [
        said("ServerUnknown", "[page] ", ""),
        said("ServerUnknown", "ebbtide status", "ebbtide stat"),
        said("ServerUnknown", " --stack ${EbbtideStack}", ""),
        said("ServerUnknown", "#a-server-that-does-not-answer", "#a-server-that-hangs"),
        said("BurnsFast", "docs/operating.md#rolling-back", ""),
        said("DrainGainsSessions", "it will not", "it will not " * 100),
    ],
    every_alarm_tells_the_topic_of_its_severity_and_no_part_tells_anybody: [
        changed("ServerUnknown", AlarmActions=[{"Ref": "TicketTopicArn"}]),
        changed("RolledBack", AlarmActions=[{"Ref": "AlertTopicArn"}]),
        said("RolledBack", "[ticket]", "[page]"),
        lambda t: t()["Resources"]["BurnsFast"]["Properties"].pop("AlarmActions") and changed("BurnsFast", AlarmActions=[])(t),
        changed("BurnsFastLong", AlarmActions=[{"Ref": "AlertTopicArn"}]),
    ],
    every_alarm_chooses_what_missing_data_means: [
        lambda t: t()["Resources"]["ServerUnknown"]["Properties"].pop("TreatMissingData"),
        changed("HealthyHosts", TreatMissingData="missing"),
        changed("DeadlineNear", TreatMissingData="breaching"),
    ],
    every_alarm_is_one_that_cloudwatch_takes: [
        changed("RolledBack", AlarmName={"Fn::Sub": "ebbtide/${ServiceName}/green-rejected"}),
        changed("RolledBack", AlarmName="rolled-back"),
        changed("ServerUnknown", EvaluationPeriods=300),
        changed("ServerUnknown", DatapointsToAlarm=4),
        lambda t: t()["Resources"]["BurnsFastLong"]["Properties"]["Metrics"][1].update(ReturnData=True),
        lambda t: t()["Resources"]["BurnsFastLong"]["Properties"]["Metrics"].extend(
            {"Id": f"m{n}", "ReturnData": False, "MetricStat": {"Period": 3600, "Stat": "Sum", "Metric": {"Namespace": "N", "MetricName": "m"}}} for n in range(2)),
    ],
    the_dashboard_is_read_from_the_top: [
        drawn('"x": 16, "y": 0', '"x": 15, "y": 0'),
        drawn('"x": 16, "y": 0, "width": 8', '"x": 16, "y": 0, "width": 9'),
        drawn('## 2. What', "## 3. What"),
        drawn('"x": 12, "y": 7, "width": 12, "height": 6', '"x": 12, "y": 7, "width": 12, "height": 5'),
    ],
    every_alarm_is_on_the_dashboard: [drawn('"${WeightsContested.Arn}"', '"${RolledBack.Arn}"')],
    it_watches_the_stack_s_own_machine_and_logs: [
        changed("WhatFailed", LogGroupNames=[{"Fn::Sub": "/aws/lambda/${ServiceName}"}]),
        lambda t: t()["Resources"]["DeploymentFailed"]["Properties"]["Metrics"][1]["MetricStat"]["Metric"]["Dimensions"][0].update(Value="x"),
        lambda t: t()["Parameters"]["ServiceName"].update(AllowedPattern="[a-z]{1,48}"),
    ],
    every_query_finds_lines_that_have_its_fields: [
        asked("WhatFailed", "error", "errorName"),
        asked("WhatFailed", '"failed"', '"failure"'),
        asked("HowItEmpties", "waiting_for", "waitingFor"),
        asked("WhoMovedWeights", "switch_target_group", "switch-target-group"),
        drawn("wait_seconds", "waitSeconds"),
    ],
    the_page_has_a_row_for_each_alarm: [changed("RolledBack", AlarmName={"Fn::Sub": "ebbtide/${ServiceName}/rollback"}), said("RolledBack", "[ticket]", "[page]")],
    the_linter_has_nothing_to_say: [
        changed("RolledBack", ComparisonOperator="Above"),
        changed("RolledBack", TreatMissingData="fine"),
        changed("WhatFailed", LogGroupNames=[{"Ref": "LogGroup"}]),
    ],
}


@pytest.mark.parametrize("rule", BROKEN, ids=lambda rule: rule.__name__)
def test_the_template_keeps_it(rule):
    rule(observability)


@pytest.mark.parametrize("rule, number", [(rule, number) for rule, variants in BROKEN.items() for number in range(len(variants))],
                         ids=lambda it: it.__name__ if callable(it) else str(it))
def test_a_broken_template_does_not(rule, number):
    broken = json.loads(json.dumps(observability()))
    BROKEN[rule][number](lambda: broken)
    assert broken != observability()
    with pytest.raises((AssertionError, AttributeError, KeyError, json.JSONDecodeError)):
        rule(lambda: broken)


def test_every_alarm_has_a_comment_that_says_why_missing_data_means_that():
    text = (ROOT / "observability.yaml").read_text()
    for name in of_kind(observability, ALARM):
        parts = {part for it in of_kind(observability, COMPOSITE).values() for part in rule_of(it)}
        if name not in parts:
            assert re.search(rf"^  # .*\n  {name}:$", text, re.MULTILINE), name


def test_the_page_counts_what_is_paid_for():
    listed = [len(it) for namespace, it in ((key[0], value) for key, value in told().items()) if namespace == "Ebbtide"]
    assert f"{listed.count(1)} metrics of the service and {listed.count(2)} of each environment" in PAGE
    numbers = [len(stats(alarm)) for name, alarm in alarms(observability, **TWO).items() if name != "HealthyHosts"]
    assert f"{numbers.count(1)} with one metric, {max(numbers)} in `deployment-failed`" in PAGE
    assert f"${(sum(numbers) + 2) / 10:.2f} with two environments" in PAGE
    assert f"${0.3 * (listed.count(1) + 2 * listed.count(2)):.2f} if something is deployed or drains at every hour, into two environments" in PAGE
    burns = [alarm for name, alarm in alarms(observability, **with_slo(TWO)).items() if name.startswith("Burns")]
    assert f"{len(burns)} alarms with {len(stats(burns[0]))} metrics".replace("4", "four") in PAGE


def test_the_page_lists_every_query():
    rows = PAGE.split("\n| query | |\n")[1].split("\n\n")[0]
    names = {it["Name"]["Fn::Sub"].removeprefix("ebbtide/${ServiceName}/") for it in of_kind(observability, QUERY).values()}
    assert set(re.findall(r"^\| ([a-z].*?) \|", rows, re.MULTILINE)) == names


@pytest.mark.parametrize("given, taken", [
    ({}, True), ({"SloAvailability": "99.9"}, True), ({"TargetGroupE": "x"}, True), ({"TargetGroupE": "x", "SloAvailability": "99.9"}, False),
])
def test_burn_rates_of_five_groups_are_refused(given, taken):
    (assertion,) = observability()["Rules"]["SloOfFourEnvironments"]["Assertions"]
    assert holds(assertion["Assert"], observability, **given) == taken


def test_a_network_load_balancer_has_no_burn_rates():
    network = {**with_slo(TWO), "LoadBalancer": "net/tunnel/0123456789abcdef"}
    assert not any(name.startswith("Burns") for name in alarms(observability, **network))
    assert of_stat(alarms(observability, **network)["HealthyHosts"]["Metrics"][1]["MetricStat"]).namespace == "AWS/NetworkELB"
    assert sum(name.startswith("Burns") for name in alarms(observability, **with_slo(TWO))) == 4


@pytest.mark.parametrize("name, good, bad", [
    ("LoadBalancer", "app/tunnel/0123456789abcdef", "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/tunnel/0123456789abcdef"),
    ("LoadBalancer", "net/tunnel/0123456789abcdef", "gwy/tunnel/0123456789abcdef"),
    ("TargetGroupA", "targetgroup/tunnel-a/0123456789abcdef", "tunnel-a"),
    ("TargetGroupC", "", "targetgroup/tunnel-c"),
    ("AlertTopicArn", "arn:aws:sns:eu-west-1:123456789012:alerts", ""),
    ("TicketTopicArn", "", "tickets"),
    ("SloAvailability", "99.95", "100"),
    ("SloAvailability", "", "0.999"),
])
def test_what_each_admits(name, good, bad):
    assert admitted(name, good, observability) and not admitted(name, bad, observability)
