"""CloudWatch's alarms, as far as observability.yaml uses them: metrics from lines in the embedded metric format, the metric math of
its expressions, and how an alarm is evaluated over them.

Sources, in the CloudWatch user guide: "Specification: Embedded metric format", "Using math expressions with CloudWatch metrics" (FILL,
SUM, METRICS, IF), "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data", whose tables test_cloudwatch.py has.
"""

import ast
import math
from bisect import bisect_left
from collections import defaultdict
from typing import NamedTuple

# An alarm looks at more periods than it evaluates, so that some may be missing: the tables show two more.
MORE_PERIODS = 2
STATISTICS = {"Sum": sum, "Maximum": max, "Minimum": min, "Average": lambda values: sum(values) / len(values)}


class Metric(NamedTuple):
    namespace: str
    name: str
    dimensions: frozenset


def metric(namespace, name, **dimensions):
    return Metric(namespace, name, frozenset(dimensions.items()))


def extracted(lines):
    """Metric -> [(second, value)] of lines in the embedded metric format."""
    points = defaultdict(list)
    for line in lines:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = {name: line[name] for name in names}
                for each in directive["Metrics"]:
                    points[metric(directive["Namespace"], each["Name"], **dimensions)].append(
                        (line["_aws"]["Timestamp"] / 1000, line[each["Name"]]))
    return points


def series(points, statistic, period, ends):
    """The value of each of the periods that end at these seconds; None where there is no point in one. Points are in order of time."""
    found = (points[bisect_left(points, (end - period,)):bisect_left(points, (end,))] for end in ends)
    return [STATISTICS[statistic]([value for _, value in within]) if within else None for within in found]


class Expression:
    """Metric math over equally long series by id. `filled` says whether FILL fills a series that has no point at all, which the guide
    does not say."""

    def __init__(self, text, known, length, filled):
        self.known, self.length, self.filled = known, length, filled
        self.tree = ast.parse(text, mode="eval").body

    def value(self):
        return self.of(self.tree)

    def of(self, node):
        match node:
            case ast.Constant(value=(int() | float()) as number):
                return [number] * self.length
            case ast.Name(id=name):
                return self.known[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return [None if it is None else -it for it in self.of(operand)]
            case ast.BinOp(left=left, op=op, right=right):
                return self.each(operation(op), self.of(left), self.of(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.each(comparison(op), self.of(left), self.of(right))
            case ast.Call(func=ast.Name(id="IF"), args=[condition, then, other]):
                condition, then, other = self.of(condition), self.of(then), self.of(other)
                return [None if c is None else (t if c else o) for c, t, o in zip(condition, then, other)]
            case ast.Call(func=ast.Name(id="FILL"), args=[ast.Call(func=ast.Name(id="METRICS")) as many, ast.Constant(value=filler)]):
                return [self.fill(one, filler) for one in self.of(many)]
            case ast.Call(func=ast.Name(id="FILL"), args=[one, ast.Constant(value=filler)]):
                return self.fill(self.of(one), filler)
            case ast.Call(func=ast.Name(id="METRICS"), args=[ast.Constant(value=part)]):
                return [values for name, values in self.known.items() if part in name]
            case ast.Call(func=ast.Name(id="SUM"), args=[many]):
                return [sum(known) if (known := [it for it in values if it is not None]) else None for values in zip(*self.of(many))]
        raise NotImplementedError(ast.dump(node))

    def fill(self, values, filler):
        if not self.filled and all(it is None for it in values):
            return values
        return [filler if it is None else it for it in values]

    @staticmethod
    def each(of, left, right):
        return [None if a is None or b is None else of(a, b) for a, b in zip(left, right)]


def operation(op):
    return {ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
            ast.Div: lambda a, b: a / b if b else None}[type(op)]


def comparison(op):
    return {ast.Gt: lambda a, b: float(a > b)}[type(op)]


BREACHES = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}


def state(breaching, periods, datapoints, missing, before):
    """The state of an alarm over `breaching`, the newest last: True, False or None where there is no point. `periods` are evaluated,
    `datapoints` of them have to breach; the others are looked at where some of those are missing."""
    known = [it for it in breaching if it is not None][-periods:]
    absent = periods - len(known)
    if known.count(True) >= datapoints:
        return "ALARM"
    if absent == 0 or missing == "notBreaching":
        return "OK"
    if missing == "breaching":
        return "ALARM" if known.count(True) + absent >= datapoints else "OK"
    if not known:
        return before if missing == "ignore" else "INSUFFICIENT_DATA"
    if False in known:
        return "OK"
    return before if missing == "ignore" else "ALARM"


def period_of(alarm):
    """The one period of an alarm's metrics."""
    (period,) = {alarm["Period"]} if "Period" in alarm else {it["MetricStat"]["Period"] for it in alarm["Metrics"] if "MetricStat" in it}
    return period


def of_stat(stat):
    dimensions = {it["Name"]: it["Value"] for it in stat["Metric"].get("Dimensions", [])}
    return metric(stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], **dimensions)


def stats(alarm):
    """Id -> (metric, statistic) of what an alarm reads."""
    if "MetricName" in alarm:
        dimensions = {it["Name"]: it["Value"] for it in alarm["Dimensions"]}
        return {"only": (metric(alarm["Namespace"], alarm["MetricName"], **dimensions), alarm["Statistic"])}
    return {it["Id"]: (of_stat(it["MetricStat"]), it["MetricStat"]["Stat"]) for it in alarm["Metrics"] if "MetricStat" in it}


def values(alarm, points, ends, filled):
    """What an alarm compares with its threshold, for periods that end at these seconds."""
    period = period_of(alarm)
    known = {name: series(points.get(of, []), statistic, period, ends) for name, (of, statistic) in stats(alarm).items()}
    if "MetricName" in alarm:
        return known["only"]
    expressions = {it["Id"]: it for it in alarm["Metrics"] if "Expression" in it}
    while expressions:
        ready = next(name for name, it in expressions.items() if not names(it["Expression"]) & set(expressions))
        each = expressions.pop(ready)
        metrics = known if "METRICS" not in each["Expression"] else {name: it for name, it in known.items() if name in stats(alarm)}
        known[ready] = Expression(each["Expression"], metrics, len(ends), filled).value()
        if each["ReturnData"]:
            result = known[ready]
    return result


def names(expression):
    return {node.id for node in ast.walk(ast.parse(expression, mode="eval")) if isinstance(node, ast.Name)}


def states(alarm, points, first, last, filled=True):
    """(second, state) of an alarm from one second to another: it is evaluated every minute, over periods that end then."""
    period, told, before = period_of(alarm), [], "OK"
    points = {of: sorted(points.get(of, [])) for of, _ in stats(alarm).values()}
    for now in range(60 * math.ceil(first / 60), int(last) + 1, 60):
        number = alarm["EvaluationPeriods"] + MORE_PERIODS
        ends = [now - period * back for back in reversed(range(number))]
        found = values(alarm, points, ends, filled)
        breaching = [None if it is None else BREACHES[alarm["ComparisonOperator"]](it, alarm["Threshold"]) for it in found]
        before = state(breaching, alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"], alarm["TreatMissingData"], before)
        told.append((now, before))
    return told
