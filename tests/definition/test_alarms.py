"""Which alarms fire: each is evaluated over metrics of real deployments on the local cloud, and over what AWS would have added.

`recorded/` is written by the scenarios `metrics` and `contested` (see tests/scenarios/metrics.rs), which hold that a deployment tells
just these metrics. The local cloud's deployments take a minute or two, so the thresholds in seconds are lower here.
"""

import json
import pathlib

import pytest
from cloudwatch import extracted, metric, states, stats
from definition import observability
from test_observability import COMPOSITE, FOUR, GROUPS, THREE, alarms, of_kind, rule_of, with_slo

RECORDED = {it.stem: [json.loads(line) for line in it.read_text().splitlines()]
            for it in sorted((pathlib.Path(__file__).parent / "recorded").glob("*.jsonl")) if not it.stem.endswith(".log")}
MADE = alarms(observability, **THREE, UnknownSeconds=10, DeadlineUsedPercent=50, WaitingSeconds=5)
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:ebbtide-tunnel"
# Where in its minute a deployment begins must not matter.
SHIFTS = [0, 17, 31, 59]
BALANCER = "app/tunnel/0123456789abcdef"
A, B, C, D = (GROUPS[f"TargetGroup{letter}"] for letter in "ABCD")


def moment(line):
    return line["_aws"]["Timestamp"] / 1000


def shifted(lines, seconds):
    """The same lines, the first of them so many seconds after a full minute."""
    first = min(moment(line) for line in lines)
    by = 6000 + seconds - first
    return [{**line, "Service": "tunnel", "_aws": {**line["_aws"], "Timestamp": round((moment(line) + by) * 1000)}} for line in lines]


def healthy(points, hosts, first, last):
    """Each minute what the load balancer counts: `hosts` by group, a number or a function of the second."""
    for group, number in hosts.items():
        of = metric("AWS/ApplicationELB", "HealthyHostCount", LoadBalancer=BALANCER, TargetGroup=group)
        for minute in range(int(first) // 60 * 60, int(last), 60):
            count = number(minute) if callable(number) else number
            if count is not None:
                points[of].append((minute, count))


def seen_by_cloudwatch(lines, ended=()):
    """The metrics of these lines, of three blue servers and then as many green ones, and of executions that ended: (second, how)."""
    points = extracted(lines)
    begins = min(map(moment, lines))
    first, last = begins - 900, max([*map(moment, lines), *(second for second, _ in ended)]) + 1500
    healthy(points, {A: 3, B: lambda second: 3 if second > begins else None}, first, last)
    for second, how in ended:
        points[metric("AWS/States", f"Executions{how}", StateMachineArn=MACHINE)].append((second, 1))
    return points, first + 300, last


def fired(points, first, last, made=None):
    """The alarms that are in state ALARM at any minute; whatever FILL makes of nothing at all."""
    of = {name for name, alarm in (made or MADE).items() for filled in (True, False)
          if any(told == "ALARM" for _, told in states(alarm, points, first, last, filled))}
    return of


def failing(lines):
    """When and how the execution of these lines ends, if it ends in a failure: right after the last line before a verdict, or where the
    passes stop because a Task has failed."""
    verdicts = [moment(line) for line in lines if "Verdicts" in line]
    if verdicts:
        return [(min(verdicts), "Failed")]
    passes = sorted(moment(line) for line in lines if "UnknownSeconds" in line)
    gap = max(range(len(passes) - 1), key=lambda index: passes[index + 1] - passes[index])
    return [(passes[gap] + 1, "Failed")]


FIRE = {
    "promoted": set(),
    "rolled-back": {"RolledBack"},
    "green-rejected": {"GreenRejected"},
    "contested": {"WeightsContested", "DeploymentFailed"},
    "gate": {"DeploymentWaits"},
    "hung": {"ServerUnknown", "DeadlineNear", "DeploymentFailed"},
}


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("name", FIRE)
def test_what_fires_in_a_recorded_deployment(name, shift):
    lines = shifted(RECORDED[name], shift)
    ended = failing(lines) if FIRE[name] & {"DeploymentFailed", "RolledBack", "GreenRejected"} else []
    assert fired(*seen_by_cloudwatch(lines, ended)) == FIRE[name]


def test_every_recording_is_evaluated_and_every_alarm_fires_somewhere():
    assert set(FIRE) == set(RECORDED)
    shown = set().union(*FIRE.values()) | {"HealthyHosts", "DrainGainsSessions"}
    assert shown == set(MADE)


@pytest.mark.parametrize("late", [0, 1, 20, 59, 90, 119])
@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("name", ["rolled-back", "green-rejected"])
def test_a_verdict_is_no_failure_up_to_two_minutes_after_it_was_told(name, shift, late):
    lines = shifted(RECORDED[name], shift)
    ((told, how),) = failing(lines)
    made = {"DeploymentFailed": MADE["DeploymentFailed"]}
    assert fired(*seen_by_cloudwatch(lines, [(told + late, how)]), made) == set()
    # A redrive that meets the verdict again is told of by nobody: that is a failure.
    assert fired(*seen_by_cloudwatch(lines, [(told + 1000, how)]), made) == set(made)


@pytest.mark.parametrize("how", ["Failed", "TimedOut", "Aborted"])
def test_every_bad_end_without_a_verdict_wakes_somebody_and_is_over_after_some_minutes(how):
    lines = shifted(RECORDED["promoted"], 0)
    points, first, last = seen_by_cloudwatch(lines, [(6030, how)])
    told = dict(states(MADE["DeploymentFailed"], points, first, last))
    assert [minute for minute, state in told.items() if state == "ALARM"] == list(range(6060, 6060 + 60 * 5, 60))


def with_sessions(gained):
    """The recorded drain, with passes five minutes apart, of which some have gained sessions."""
    drain = [line for line in RECORDED["promoted"] if "SessionsGained" in line][:5]
    return [{**line, "Service": "tunnel", "SessionsGained": by, "_aws": {**line["_aws"], "Timestamp": (6000 + 300 * index) * 1000}}
            for index, (line, by) in enumerate(zip(drain, gained))]


@pytest.mark.parametrize("gained, fires", [([0, 0, 0, 0, 0], False), ([0, 0, 4, 0, 0], False), ([0, 1, 2, 0, 0], True), ([0, 1, 0, 2, 0], True),
                                           ([1, 0, 0, 0, 2], False)])
def test_sessions_that_come_twice_to_what_drains_wake_somebody_and_one_growth_does_not(gained, fires):
    assert ("DrainGainsSessions" in fired(*seen_by_cloudwatch(with_sessions(gained)))) == fires


def test_a_server_that_is_unknown_stays_an_alarm_between_passes_that_are_five_minutes_apart():
    drain = [line for line in RECORDED["hung"] if line.get("UnknownSeconds", 0) > 10][:3]
    lines = [{**line, "Service": "tunnel", "_aws": {**line["_aws"], "Timestamp": (6000 + 310 * index) * 1000}} for index, line in enumerate(drain)]
    points, first, last = seen_by_cloudwatch(lines)
    alarm = [minute for minute, told in states(MADE["ServerUnknown"], points, first, last) if told == "ALARM"]
    assert alarm == list(range(alarm[0], alarm[-1] + 60, 60)), "it does not flap"
    assert alarm[0] == 6060


@pytest.mark.parametrize("hosts, fires", [
    ({A: 3, B: None}, False),
    ({A: 0, B: 3}, False),
    ({A: None, B: None}, True),
    ({A: 0, B: 0}, True),
    ({}, True),
    # A point that comes late is one minute without any.
    ({A: lambda second: None if second == 6000 else 3}, False),
    ({A: lambda second: 3 if second < 6000 else 0, B: 0}, True),
])
def test_the_sum_of_healthy_hosts_alone_wakes_somebody(hosts, fires):
    points = extracted([])
    healthy(points, hosts, 3000, 9000)
    assert ("HealthyHosts" in fired(points, 3600, 9000, {"HealthyHosts": MADE["HealthyHosts"]})) == fires


SLO = {name: alarm for name, alarm in alarms(observability, **with_slo(FOUR)).items() if name.startswith("Burns")}


def requests(errors, hours, group=A):
    """A thousand requests a minute, of which at some seconds a share fails: `errors` is that share of a second."""
    points = extracted([])
    for minute in range(0, int(hours * 3600), 60):
        for name, value in (("RequestCount", 1000), ("HTTPCode_Target_5XX_Count", 1000 * errors(minute))):
            if value:
                points[metric("AWS/ApplicationELB", name, LoadBalancer=BALANCER, TargetGroup=group)].append((minute, value))
    return points


def burning(points, first, last):
    """The composite alarms that fire, with the minutes in which they do."""
    told = {name: {minute for minute, it in states(alarm, points, first, last) if it == "ALARM"} for name, alarm in SLO.items()}
    return {name: minutes for name, it in of_kind(observability, COMPOSITE).items()
            if (minutes := set.intersection(*(told[part] for part in rule_of(it))))}


HOUR = 3600


@pytest.mark.parametrize("what, errors, fires", [
    ("half of what is allowed", lambda second: 0.0005, set()),
    ("a spike of ten minutes", lambda second: 0.05 if 7 * HOUR <= second < 7 * HOUR + 600 else 0, set()),
    ("two per cent of an hour", lambda second: 0.02 if second >= 7 * HOUR else 0, {"BurnsFast", "BurnsSlow"}),
    ("seven times the budget for hours", lambda second: 0.007, {"BurnsSlow"}),
    ("everything for five minutes", lambda second: 1 if 7 * HOUR <= second < 7 * HOUR + 300 else 0, {"BurnsFast", "BurnsSlow"}),
])
def test_burn_rates_page_for_what_matters_and_goes_on(what, errors, fires):
    assert set(burning(requests(errors, 9.5), 6 * HOUR, 9.5 * HOUR)) == fires, what


def test_a_burn_rate_alarm_is_over_soon_after_the_errors_are():
    ends = 8 * HOUR
    burnt = burning(requests(lambda second: 0.02 if 7 * HOUR <= second < ends else 0, 10), 6 * HOUR, 10 * HOUR)
    assert max(burnt["BurnsFast"]) <= ends + 300


def test_what_the_load_balancer_answers_itself_counts_although_no_target_was_asked():
    points = extracted([])
    for minute in range(6 * HOUR, 8 * HOUR, 60):
        points[metric("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", LoadBalancer=BALANCER)].append((minute, 1000))
    assert set(burning(points, 6 * HOUR, 8 * HOUR)) == {"BurnsFast", "BurnsSlow"}


def test_every_group_s_requests_and_errors_are_in_the_burn_rate():
    for group in (A, B, C, D):
        assert set(burning(requests(lambda second: 0.02, 8, group), 6 * HOUR, 8 * HOUR)) == {"BurnsFast", "BurnsSlow"}, group
    assert {len(stats(alarm)) for alarm in SLO.values()} == {9}


def test_without_requests_there_is_no_burn():
    assert burning(extracted([]), 0, HOUR) == {}


def test_thresholds_are_the_parameters():
    made = alarms(observability, **THREE, UnknownSeconds=77, DeadlineUsedPercent=66, MinimumHealthyHosts=5, WaitingSeconds=88)
    assert [made[name]["Threshold"] for name in ("ServerUnknown", "DeadlineNear", "HealthyHosts", "DeploymentWaits")] == [77, 66, 5, 88]
