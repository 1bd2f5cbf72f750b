"""The evaluator of alarms, held against the tables and examples of CloudWatch's user guide."""

import pytest
from cloudwatch import Expression, extracted, metric, series, state, states

KINDS = ("missing", "ignore", "breaching", "notBreaching")


def points(row):
    return [{"0": False, "X": True, "-": None}[it] for it in row.split()]


# "Configuring how CloudWatch alarms treat missing data": `retained` where the state stays as it was.
@pytest.mark.parametrize("row, datapoints, told", [
    ("0 - X - X", 3, ("OK", "OK", "OK", "OK")),
    ("0 - - - -", 3, ("OK", "OK", "OK", "OK")),
    ("- - - - -", 3, ("INSUFFICIENT_DATA", "retained", "ALARM", "OK")),
    ("0 X X - X", 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("- - X - -", 3, ("ALARM", "retained", "ALARM", "OK")),
    ("0 - X - X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0 0 X 0 X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0 - X - -", 2, ("OK", "OK", "ALARM", "OK")),
    ("- - - - 0", 2, ("OK", "OK", "ALARM", "OK")),
    ("- - - X -", 2, ("ALARM", "retained", "ALARM", "OK")),
])
def test_an_alarm_of_three_periods_is_in_the_state_that_the_guide_s_tables_say(row, datapoints, told):
    assert tuple(state(points(row), 3, datapoints, kind, "retained") for kind in KINDS) == told


def test_metrics_are_read_as_the_directives_say():
    line = {"_aws": {"Timestamp": 60_500, "CloudWatchMetrics": [
        {"Namespace": "N", "Dimensions": [["Service"]], "Metrics": [{"Name": "Phase", "Unit": "None"}]},
        {"Namespace": "N", "Dimensions": [["Service", "Environment"]], "Metrics": [{"Name": "Busy", "Unit": "Count"}]},
    ]}, "Service": "s", "Environment": "e", "Phase": 3, "Busy": 7, "told": 1}
    assert extracted([line]) == {metric("N", "Phase", Service="s"): [(60.5, 3)], metric("N", "Busy", Service="s", Environment="e"): [(60.5, 7)]}


def test_a_period_has_the_points_from_its_beginning_to_before_its_end():
    seen = [(0, 1), (59.9, 2), (60, 4), (130, 8)]
    assert series(seen, "Sum", 60, [60, 120, 180, 240]) == [3, 4, 8, None]
    assert series(seen, "Maximum", 120, [120]) == [4]


@pytest.mark.parametrize("filled", [True, False])
@pytest.mark.parametrize("text, expected", [
    ("FILL(a, 0) - FILL(b, 0)", [1, -2, 3]),
    ("a - b", [None, None, None]),
    ("SUM(FILL(METRICS(\"a\"), 0))", [1, 0, 3]),
    ("IF(FILL(a, 0) > 0, 100 * FILL(b, 0) / FILL(a, 0), 0)", [0, 0, 0]),
])
def test_metric_math(text, expected, filled):
    assert Expression(text, {"a": [1, None, 3], "b": [None, 2, None]}, 3, filled).value() == expected


def test_what_fill_makes_of_nothing_at_all_is_tried_both_ways():
    assert [Expression("FILL(a, 0)", {"a": [None, None]}, 2, filled).value() for filled in (True, False)] == [[0, 0], [None, None]]


def test_an_alarm_is_evaluated_every_minute_and_looks_back_where_points_are_missing():
    alarm = {"Namespace": "N", "MetricName": "m", "Dimensions": [], "Statistic": "Maximum", "Period": 60, "Threshold": 5,
             "ComparisonOperator": "GreaterThanOrEqualToThreshold", "EvaluationPeriods": 1, "DatapointsToAlarm": 1, "TreatMissingData": "notBreaching"}
    seen = {metric("N", "m"): [(70, 5), (130, 4)]}
    assert states(alarm, seen, 60, 480) == [(60, "OK"), (120, "ALARM"), *((minute, "OK") for minute in range(180, 481, 60))]
    seen = {metric("N", "m"): [(70, 5)]}
    assert [it for it, told in states(alarm, seen, 60, 480) if told == "ALARM"] == [120, 180, 240]
