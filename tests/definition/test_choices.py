"""The questions that the state machine asks, evaluated with the engine that Step Functions documents."""

import jsonata
import pytest
from definition import EXPRESSION, states


def evaluate(text, document, context=None):
    engine = jsonata.Jsonata.jsonata(EXPRESSION.match(text).group(1).strip())
    frame = engine.create_frame()
    frame.bind("states", {"input": document, "context": context or {}})
    return engine.evaluate(None, frame)


def next_of(name, document):
    """Where a Choice goes; a condition must be a boolean, as Step Functions demands."""
    for choice in states()[name]["Choices"]:
        answer = evaluate(choice["Condition"], document)
        assert isinstance(answer, bool), (name, answer)
        if answer:
            return choice["Next"]
    return states()[name]["Default"]


OWNER = {"deployment": "first", "execution": "arn", "epoch": 4, "stage": "claimed", "switched": False}
PAST, FUTURE = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00.123456789Z"


@pytest.mark.parametrize("name, document, expected", [
    ("IsServiceOwned", {"plan": {"owner": None}}, "IsDryRun"),
    ("IsServiceOwned", {"plan": {}}, "IsDryRun"),
    ("IsServiceOwned", {"plan": {"owner": OWNER}}, "DescribeOwner"),
    ("IsDryRun", {"plan": {"dryRun": True}}, "Planned"),
    ("IsDryRun", {"plan": {"dryRun": False}}, "ClaimService"),
    ("CanOwnerBeSuperseded", {"requested": {}, "plan": {"owner": OWNER}, "owner": {"status": "ABORTED"}}, "SupersedeOwner"),
    ("CanOwnerBeSuperseded", {"requested": {}, "plan": {"owner": OWNER}, "owner": {"status": "RUNNING"}}, "DeploymentInProgress"),
    ("CanOwnerBeSuperseded", {"requested": {}, "plan": {"owner": OWNER}, "owner": {"status": "PENDING_REDRIVE"}}, "DeploymentInProgress"),
    ("CanOwnerBeSuperseded", {"requested": {}, "plan": {"owner": {**OWNER, "switched": True}}, "owner": {"status": "FAILED"}}, "DeploymentInProgress"),
    ("CanOwnerBeSuperseded", {"requested": {"dryRun": True}, "plan": {"owner": OWNER}, "owner": {"status": "FAILED"}}, "DeploymentInProgress"),
    ("IsGreenHealthy", {"green": {"verdict": "healthy"}}, "TestGreen"),
    ("IsGreenHealthy", {"green": {"verdict": "wait"}}, "WaitForGreen"),
    ("IsGreenHealthy", {"green": {"verdict": "rejected"}}, "RejectGreen"),
    ("IsGreenAccepted", {"test": {"verdict": "accepted"}}, "HoldBlue"),
    ("IsGreenAccepted", {"test": {"verdict": "wait"}}, "WaitBeforeTest"),
    ("IsGreenAccepted", {"test": {"verdict": "rejected"}}, "RejectGreen"),
    ("IsBaking", {"switch": {"bakedAt": PAST}}, "IsSettled"),
    ("IsBaking", {"switch": {"bakedAt": FUTURE}}, "RecordProgress"),
    ("IsSettled", {"switch": {"settledAt": PAST}}, "DrainIdle"),
    ("IsSettled", {"switch": {"settledAt": FUTURE}}, "CheckDrained"),
    ("IsBakeOver", {"check": {"baking": True, "settled": True}}, "WaitBeforeNextPass"),
    ("IsBakeOver", {"check": {"baking": False, "settled": False}}, "WaitBeforeNextPass"),
    ("IsBakeOver", {"check": {"baking": False, "settled": True}}, "TerminateBlue"),
    ("IsBakeOver", {"check": {}}, "WaitBeforeNextPass"),
    ("IsBlueEmpty", {"terminate": {"empty": True}}, "ReleaseService"),
    ("IsBlueEmpty", {"terminate": {"empty": False}}, "WaitBeforeNextPass"),
    ("IsBlueEmpty", {"terminate": {}}, "WaitBeforeNextPass"),
])
def test_choice(name, document, expected):
    assert next_of(name, document) == expected


def test_a_second_deployment_is_told_whom_it_waits_for():
    document = {"plan": {"service": "tunnel", "owner": {**OWNER, "waitingFor": "2 busy sessions"}}, "owner": {"status": "RUNNING"}}
    cause = evaluate(states()["DeploymentInProgress"]["Cause"], document)
    assert "first" in cause and "RUNNING" in cause and "waiting for 2 busy sessions" in cause


def test_an_owner_that_ended_after_the_switch_is_to_be_redriven():
    document = {"plan": {"service": "tunnel", "owner": {**OWNER, "switched": True}}, "owner": {"status": "FAILED"}}
    assert "redrive it" in evaluate(states()["DeploymentInProgress"]["Cause"], document)


@pytest.mark.parametrize("document", [
    {"green": {"verdict": "rejected", "reason": "1 of 3 healthy after 600 s"}},
    {"green": {"verdict": "healthy", "reason": ""}, "test": {"verdict": "rejected", "reason": "1 of 3 healthy after 600 s"}},
])
def test_a_rejection_carries_its_reason(document):
    assert "1 of 3 healthy after 600 s" in evaluate(states()["GreenRejected"]["Cause"], document)


@pytest.mark.parametrize("state", ["RecordProgress", "CheckDrained", "DrainIdle", "ConfirmWeights", "TestGreen"])
def test_the_first_pass_has_no_earlier_output_and_still_evaluates(state):
    document = {"requested": {}, "claim": {"epoch": 5}, "green": {"servers": []}, "switch": {"at": PAST, "settledAt": PAST, "bakedAt": PAST, "deadlineAt": PAST},
                "retiring": {"servers": []}, "plan": {"deployment": "d", "service": "s", "blue": {}, "green": {}, "policy": {"minimumHealthy": 1, "settleSeconds": 1, "bakeSeconds": 1, "deadlineSeconds": 60, "pollSeconds": 2, "closuresPerSecond": 20}}}
    context = {"Execution": {}}

    def walk(node):
        if isinstance(node, dict):
            for value in node.values():
                walk(value)
        elif isinstance(node, str) and EXPRESSION.match(node):
            # An undefined result fails the execution on AWS; null is a value.
            assert evaluate("{% $exists((" + EXPRESSION.match(node).group(1) + ")) %}", document, context) is True, node

    walk(states()[state]["Arguments"])


def test_a_promotion_ends_with_a_summary_and_a_dry_run_with_the_plan():
    plan = {"deployment": "d", "service": "s", "green": {"name": "tunnel-b"}, "warnings": []}
    document = {"requested": {}, "plan": plan, "switch": {"at": PAST}, "check": {"closed": 7}, "terminate": {"terminated": ["i-1"]}}
    summary = {key: evaluate(text, document) if EXPRESSION.match(text) else text for key, text in states()["Promoted"]["Output"].items()}
    assert summary == {"outcome": "Promoted", "deployment": "d", "service": "s", "green": {"name": "tunnel-b"}, "switchedAt": PAST, "closed": 7, "terminated": ["i-1"], "warnings": []}
    assert evaluate(states()["Planned"]["Output"], document) == plan
