"""The questions that the state machine asks, evaluated with the engine that Step Functions documents."""

import pytest
from definition import EXPRESSION, evaluate, next_of, rule_of, states


OWNER = {"deployment": "first", "execution": "arn", "epoch": 4, "stage": "claimed", "switched": False, "clearing": None}
PAST, FUTURE = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00.123456789Z"
STEP = {"weights": {"blue": 50, "green": 50}, "at": PAST, "blueHealthy": 3, "greenHealthy": 3, "settledAt": None, "bakedAt": None, "deadlineAt": None, "stepEndsAt": PAST}
SWITCHED = {"weights": {"blue": 0, "green": 100}, "at": PAST, "blueHealthy": 3, "greenHealthy": 3, "settledAt": PAST, "bakedAt": PAST, "deadlineAt": FUTURE, "stepEndsAt": None}
TAKE = {"deployment": "first", "then": "continue", "greenWeight": 0}
BACK = {**TAKE, "then": "rollBack"}
WISH, NONE = {"rollBack": "execution x"}, {"rollBack": None}
QUIET, FIRING, MISSING = ({"firing": f, "missing": m} for f, m in (([], []), (["errors"], []), ([], ["gone"])))


def owned(status, plan=None, requested=None, **owner):
    return {"requested": requested or {}, "plan": {"owner": {**OWNER, **owner}, **(plan or {})}, "owner": {"status": status}}


@pytest.mark.parametrize("name, document, expected", [
    ("IsContinued", {}, "PlanDeployment"),
    ("IsContinued", {"bake": {"seconds": 3}}, "PlanDeployment"),
    ("IsContinued", {"continued": {"plan": {}}}, "AdoptDrain"),
    ("IsServiceOwned", {"plan": {"owner": None}}, "TestBlue"),
    ("IsServiceOwned", {"plan": {}}, "TestBlue"),
    ("IsServiceOwned", {"plan": {"owner": OWNER}}, "DescribeOwner"),
    ("IsBlueFit", {"test": {"verdict": "accepted"}}, "IsWatchedByAlarms"),
    ("IsBlueFit", {"test": {"verdict": "rejected"}}, "PreflightRefused"),
    ("IsBlueFit", {"test": {"verdict": "wait"}}, "WaitBeforeBlueTest"),
    ("IsWatchedByAlarms", {"plan": {"policy": {"alarms": []}}}, "IsDryRun"),
    ("IsWatchedByAlarms", {"plan": {"policy": {"alarms": ["a"]}}}, "ReadAlarms"),
    ("IsQuiet", {"alarms": QUIET}, "IsDryRun"),
    ("IsQuiet", {"alarms": FIRING}, "PreflightRefused"),
    ("IsQuiet", {"alarms": MISSING}, "PreflightRefused"),
    ("IsDryRun", {"plan": {"dryRun": True}}, "Planned"),
    ("IsDryRun", {"plan": {"dryRun": False}}, "ClaimService"),
    ("CanOwnerBeReplaced", owned("ABORTED"), "SupersedeOwner"),
    ("CanOwnerBeReplaced", owned("RUNNING"), "DeploymentInProgress"),
    ("CanOwnerBeReplaced", owned("PENDING_REDRIVE"), "DeploymentInProgress"),
    ("CanOwnerBeReplaced", owned("FAILED", switched=True), "DeploymentInProgress"),
    ("CanOwnerBeReplaced", owned("FAILED", requested={"dryRun": True}), "DeploymentInProgress"),
    ("CanOwnerBeReplaced", owned("FAILED", plan={"takeOver": TAKE}, switched=True), "TakeOver"),
    ("CanOwnerBeReplaced", owned("SUCCEEDED", plan={"takeOver": TAKE}), "TakeOver"),
    ("CanOwnerBeReplaced", owned("RUNNING", plan={"takeOver": BACK}), "DeploymentInProgress"),
    ("CanOwnerBeReplaced", owned("RUNNING", plan={"rollBack": "first"}), "AskToRollBack"),
    ("CanOwnerBeReplaced", owned("FAILED", plan={"rollBack": "first"}), "RollBackRefused"),
    ("IsSwitched", owned("FAILED", plan={"takeOver": BACK}), "RejectGreen"),
    ("IsSwitched", owned("FAILED", plan={"takeOver": TAKE}), "AttachGreen"),
    ("IsSwitched", owned("FAILED", plan={"takeOver": TAKE}, switched=True), "HoldBlue"),
    ("IsSwitched", {**owned("FAILED", plan={"takeOver": TAKE}, switched=True), "rollback": {"reason": "r"}}, "ListBlue"),
    ("IsGreenHealthy", {"green": {"verdict": "healthy"}}, "TestGreen"),
    ("IsGreenHealthy", {"green": {"verdict": "wait"}}, "WaitForGreen"),
    ("IsGreenHealthy", {"green": {"verdict": "rejected"}}, "RejectGreen"),
    ("IsGreenAccepted", {"test": {"verdict": "accepted"}, "plan": {"policy": {"alarms": []}}}, "HoldBlue"),
    ("IsGreenAccepted", {"test": {"verdict": "accepted"}, "plan": {"policy": {"alarms": ["a"]}}}, "ReadAlarmsBeforeSwitch"),
    ("IsGreenAccepted", {"test": {"verdict": "wait"}, "plan": {"policy": {"alarms": []}}}, "WaitBeforeTest"),
    ("IsGreenAccepted", {"test": {"verdict": "rejected"}, "plan": {"policy": {"alarms": ["a"]}}}, "RejectGreen"),
    ("IsStillQuiet", {"alarms": QUIET}, "HoldBlue"),
    ("IsStillQuiet", {"alarms": FIRING}, "RejectGreen"),
    ("WasRollBackAsked", {"progress": NONE}, "SwitchTargetGroup"),
    ("WasRollBackAsked", {"progress": WISH}, "RollBack"),
    ("WasRollBackAsked", {"progress": WISH, "baked": {"at": PAST}}, "ConfirmSwitch"),
    ("WasRollBackAsked", {"progress": NONE, "baked": {"at": PAST}}, "ConfirmSwitch"),
    ("IsBaking", {"plan": {"policy": {"alarms": []}}}, "ConfirmWeights"),
    ("IsBaking", {"plan": {"policy": {"alarms": ["a"]}}}, "CheckAlarms"),
    ("IsBaking", {"plan": {"policy": {"alarms": ["a"]}}, "baked": {"at": PAST}}, "IsSettled"),
    ("IsBaking", {"baked": {"at": PAST}, "rollback": {}, "resume": {"waiting": []}}, "IsSettled"),
    ("IsBaking", {"baked": {"at": PAST}, "rollback": {}, "resume": {"waiting": [{"instance": "i-1"}]}}, "ResumeBlueAgain"),
    ("IsReleaseGood", {"alarms": QUIET}, "ConfirmWeights"),
    ("IsReleaseGood", {"alarms": FIRING}, "RollBack"),
    ("IsReleaseGood", {"alarms": MISSING}, "RollBack"),
    ("IsSettled", {"switch": {"settledAt": PAST}}, "DrainIdle"),
    ("IsSettled", {"switch": {"settledAt": FUTURE}}, "CheckDrained"),
    ("IsSettled", {"switch": STEP}, "CheckDrained"),
    ("IsPassDone", {"switch": STEP, "progress": NONE}, "SwitchTargetGroup"),
    ("IsPassDone", {"switch": STEP, "progress": WISH}, "RollBack"),
    ("IsPassDone", {"switch": {**STEP, "stepEndsAt": FUTURE}, "progress": NONE}, "WaitBeforeNextPass"),
    ("IsPassDone", {"switch": SWITCHED, "progress": NONE}, "EndBake"),
    ("IsPassDone", {"switch": {**SWITCHED, "bakedAt": FUTURE}, "progress": NONE}, "WaitBeforeNextPass"),
    ("IsPassDone", {"switch": {**SWITCHED, "settledAt": FUTURE}, "progress": NONE}, "WaitBeforeNextPass"),
    ("IsPassDone", {"switch": SWITCHED, "progress": WISH, "baked": {"at": PAST}, "check": {"baking": False, "settled": True}}, "TerminateBlue"),
    ("IsPassDone", {"switch": SWITCHED, "progress": NONE, "baked": {"at": PAST}, "check": {"baking": False, "settled": False}}, "WaitBeforeNextPass"),
    ("IsPassDone", {"switch": SWITCHED, "progress": NONE, "baked": {"at": PAST}, "check": {"baking": True, "settled": True}}, "WaitBeforeNextPass"),
    ("IsPassDone", {"switch": SWITCHED, "progress": NONE, "baked": {"at": PAST}, "check": {}}, "WaitBeforeNextPass"),
    ("IsRollBackInTime", {"progress": WISH}, "RollBack"),
    ("IsRollBackInTime", {"progress": NONE}, "IsDetached"),
    ("IsEmpty", {"terminate": {"empty": True}}, "RecordOutcome"),
    ("IsEmpty", {"terminate": {"empty": False}, "progress": {"passes": 4}, "plan": {"policy": {"mostPasses": 5}}}, "WaitBeforeNextPass"),
    ("IsEmpty", {"terminate": {"empty": False}, "progress": {"passes": 5}, "plan": {"policy": {"mostPasses": 5}}}, "ContinueDrain"),
    ("IsEmpty", {"terminate": {}, "progress": {"passes": 1}, "plan": {"policy": {"mostPasses": 5}}}, "WaitBeforeNextPass"),
    ("IsDetached", {"plan": {"policy": {"detached": True}}, "progress": {"part": 1}}, "ContinueDrain"),
    ("IsDetached", {"plan": {"policy": {"detached": True}}, "progress": {"part": 2}}, "HoldBlueAgain"),
    ("IsDetached", {"plan": {"policy": {"detached": False}}, "progress": {"part": 1}}, "HoldBlueAgain"),
    ("IsRolledBack", {}, "Continued"),
    ("IsRolledBack", {"rollback": {"reason": "r"}}, "RolledBack"),
    ("IsGreenServing", {}, "Promoted"),
    ("IsGreenServing", {"rollback": {"reason": "r"}}, "RolledBack"),
    ("IsGreenServing", {"rejection": {"reason": "r"}}, "GreenRejected"),
    ("WasServiceReleased", {"plan": {"deployment": "d"}, "released": {"last": "d", "outcome": "Promoted"}}, "IsGreenServing"),
    ("WasServiceReleased", {"plan": {"deployment": "d"}, "released": {"last": "d", "outcome": "RolledBack"}}, "Superseded"),
    ("WasServiceReleased", {"plan": {"deployment": "d"}, "released": {"last": "e", "outcome": "Promoted"}}, "Superseded"),
])
def test_choice(name, document, expected):
    assert next_of(name, document) == expected


def test_a_refused_preflight_carries_its_reason_and_no_list_of_servers():
    document = {"requested": {}, "plan": {"deployment": "d", "servers": [{"instance": "i-1"}]}, "test": {"verdict": "rejected", "reason": "i-1: version 2"}}
    after = evaluate(rule_of("IsBlueFit", document)["Output"], document)
    assert after["plan"] == {"deployment": "d"} and "i-1: version 2" in evaluate(states()["PreflightRefused"]["Cause"], after)
    for alarms, words in ((FIRING, "in state ALARM: errors"), (MISSING, "alarms that do not exist: gone")):
        after = evaluate(rule_of("IsQuiet", {"alarms": alarms})["Output"], {"alarms": alarms})
        assert words in evaluate(states()["PreflightRefused"]["Cause"], after)


@pytest.mark.parametrize("metric, composite, firing, missing", [
    ([("a", "OK"), ("b", "OK")], [], [], []),
    ([("a", "ALARM")], [("b", "OK")], ["a"], []),
    ([("a", "ALARM")], [("b", "ALARM")], ["a", "b"], []),
    ([("a", "INSUFFICIENT_DATA")], [], [], ["b"]),
    ([], [], [], ["a", "b"]),
])
def test_alarms_are_read_as_firing_missing_or_quiet(metric, composite, firing, missing):
    as_answered = lambda alarms: [{"AlarmName": name, "StateValue": state} for name, state in alarms]
    result = {"MetricAlarms": as_answered(metric), "CompositeAlarms": as_answered(composite)}
    document = {"plan": {"policy": {"alarms": ["a", "b"]}}}
    for state in ("ReadAlarms", "ReadAlarmsBeforeSwitch", "CheckAlarms"):
        alarms = evaluate(states()[state]["Output"].replace("$now()", "'now'"), document, result=result)["alarms"]
        assert alarms == {"at": "now", "firing": firing, "missing": missing}


@pytest.mark.parametrize("steps, switch, take_over, expected", [
    ([100], None, None, 100),
    ([10, 50, 100], None, None, 10),
    ([10, 50, 100], 10, None, 50),
    ([10, 50, 100], 50, None, 100),
    ([10, 50, 100], 100, None, 100),
    ([10, 50, 100], None, 0, 10),
    ([10, 50, 100], None, 10, 10),
    ([10, 50, 100], None, 30, 50),
    ([10, 50, 100], None, 100, 100),
    ([10, 50, 100], 50, 10, 100),
])
def test_the_next_step_follows_from_the_last_one_or_from_the_weights_that_a_take_over_found(steps, switch, take_over, expected):
    document = {"plan": {"policy": {"steps": steps}}}
    if take_over is not None:
        document["plan"]["takeOver"] = {**TAKE, "greenWeight": take_over}
    if switch is not None:
        document["switch"] = {"weights": {"blue": 100 - switch, "green": switch}}
    weights = evaluate(states()["SwitchTargetGroup"]["Arguments"]["Payload"]["weights"], document)
    assert weights == {"blue": 100 - expected, "green": expected}


@pytest.mark.parametrize("stage, switched, then, recorded, rolls_back, baked", [
    ("claimed", False, "continue", "claimed", False, False),
    ("claimed", False, "rollBack", "claimed", False, False),
    ("switching", True, "continue", "switching", False, False),
    ("baking", True, "continue", "baking", False, False),
    ("baking", True, "rollBack", "rollingBack", True, True),
    ("draining", True, "continue", "draining", False, True),
    ("rollingBack", True, "continue", "rollingBack", True, True),
    ("rollingBack", True, "rollBack", "rollingBack", True, True),
])
def test_a_take_over_goes_on_from_the_stage_in_the_record(stage, switched, then, recorded, rolls_back, baked):
    plan = {"execution": "arn:2", "owner": {**OWNER, "stage": stage, "switched": switched}, "takeOver": {**TAKE, "then": then}}
    document = {"plan": plan}
    state = states()["TakeOver"]
    assert evaluate(state["Arguments"]["ExpressionAttributeValues"][":stage"]["S"], document) == recorded
    after = evaluate(state["Output"], document)
    assert after["claim"]["epoch"] == 5 and after["claim"]["execution"] == "arn:2"
    assert ("rollback" in after, "baked" in after) == (rolls_back, baked)
    # The record tells a late write of before the bake's end by its time.
    plan["owner"]["bakedAt"] = PAST
    assert not baked or evaluate(state["Output"], document)["baked"]["at"] == PAST


@pytest.mark.parametrize("document, words", [
    ({"progress": WISH}, "an operator asked for it: execution x"),
    ({"progress": NONE, "ill": {"at": PAST}, "plan": {"policy": {"minimumHealthy": 3}}}, "minimum of 3"),
    ({"progress": NONE, "alarms": FIRING}, "in state ALARM: errors"),
    ({"progress": NONE, "alarms": MISSING}, "do not exist: gone"),
])
def test_a_rollback_carries_its_reason_to_the_end(document, words):
    document = {"claim": {"epoch": 5, "execution": "arn"}, **document}
    after = evaluate(states()["RollBack"]["Output"], document)
    assert after["claim"] == {"epoch": 6, "execution": "arn"} and words in after["rollback"]["reason"] and "baked" in after
    assert evaluate(states()["RollBack"]["Arguments"]["ExpressionAttributeValues"][":reason"]["S"], document) == after["rollback"]["reason"]
    end = {**after, "plan": {"deployment": "d"}}
    cause = evaluate(states()["RolledBack"]["Cause"], end)
    assert words in cause and "drained and gone" in cause
    late = {**end, "resume": {"waiting": [{"instance": "i-7"}]}}
    assert "not opened again, as far as known: i-7" in evaluate(states()["RolledBack"]["Cause"], late)
    assert "by execution d-part-2" in evaluate(states()["RolledBack"]["Cause"], {**end, "next": "d-part-2"})


def test_a_second_deployment_is_told_whom_it_waits_for():
    document = {"plan": {"service": "tunnel", "owner": {**OWNER, "waitingFor": "2 busy sessions"}}, "owner": {"status": "RUNNING"}}
    cause = evaluate(states()["DeploymentInProgress"]["Cause"], document)
    assert "first" in cause and "RUNNING" in cause and "waiting for 2 busy sessions" in cause


def test_an_owner_that_ended_after_the_switch_is_to_be_redriven_or_taken_over():
    document = {"plan": {"service": "tunnel", "owner": {**OWNER, "switched": True}}, "owner": {"status": "FAILED"}}
    cause = evaluate(states()["DeploymentInProgress"]["Cause"], document)
    assert "redrive it" in cause and '{"takeOver": {"deployment": "first", "then": "continue"}}' in cause
    cause = evaluate(states()["RollBackRefused"]["Cause"], document)
    assert '{"takeOver": {"deployment": "first", "then": "rollBack"}}' in cause


def test_a_rejection_carries_its_reason():
    for state, document in (
        ("IsGreenHealthy", {"green": {"verdict": "rejected", "reason": "1 of 3 healthy after 600 s"}}),
        ("IsGreenAccepted", {"plan": {"policy": {"alarms": []}}, "test": {"verdict": "rejected", "reason": "1 of 3 healthy after 600 s"}}),
    ):
        after = evaluate(rule_of(state, document)["Output"], document)
        assert "1 of 3 healthy after 600 s" in evaluate(states()["GreenRejected"]["Cause"], after)


def test_a_continuing_execution_has_a_valid_name_of_its_own():
    name = states()["ContinueDrain"]["Arguments"]["Name"]
    document = {"plan": {"deployment": "d" * 80, "hash": "0123456789ab"}, "claim": {"epoch": 12345}, "progress": {"part": 12}}
    first = evaluate(name, document)
    assert len(first) <= 80 and first.endswith("-0123456789ab-12345-part-13")
    assert evaluate(name, {**document, "claim": {"epoch": 12346}}) != first


def test_a_continuation_keeps_the_document_and_counts_anew():
    document = {"plan": {"deployment": "d"}, "claim": {"epoch": 5, "execution": "arn:1"}, "check": {"redrives": 3, "busy": 1}, "progress": {"passes": 500, "total": 500, "part": 1}}
    assert evaluate(states()["IsContinued"]["Choices"][0]["Output"], {"continued": document}) == document
    after = evaluate(states()["AdoptDrain"]["Output"], document, {"Execution": {"Id": "arn:2"}})
    assert after["claim"] == {"epoch": 5, "execution": "arn:2"} and after["check"] == {"redrives": 0, "busy": 1}
    assert after["progress"]["passes"] == 0 and after["progress"]["total"] == 500 and after["progress"]["part"] == 2
    assert evaluate(states()["AdoptDrain"]["Output"], {**document, "check": None}, {"Execution": {"Id": "arn:2"}})["check"] is None


FIRST_PASS = {
    "requested": {}, "claim": {"epoch": 5, "at": PAST, "execution": "arn"}, "green": {"servers": []}, "switch": SWITCHED, "progress": {"passes": 0, "total": 0, "part": 1, "rollBack": None},
    "retiring": {"environment": {"name": "tunnel-a"}, "servers": []},
    "plan": {"deployment": "d", "execution": "arn", "service": "s", "hash": "0", "blue": {}, "green": {}, "servers": [], "epoch": {"claimed": 5}, "policy": {
        "minimumHealthy": 1, "steps": [100], "stepSeconds": 60, "alarms": ["a"], "settleSeconds": 1, "bakeSeconds": 1, "deadlineSeconds": 60, "pollSeconds": 2, "closuresPerSecond": 20}},
}


def defined(node, document, context):
    if isinstance(node, dict):
        for value in node.values():
            defined(value, document, context)
    elif isinstance(node, str) and EXPRESSION.match(node):
        # An undefined result fails the execution on AWS; null is a value.
        assert evaluate("{% $exists((" + EXPRESSION.match(node).group(1) + ")) %}", document, context) is True, node


@pytest.mark.parametrize("state", ["CheckDrained", "DrainIdle", "ConfirmWeights", "TestGreen", "TestBlue", "SwitchTargetGroup", "HoldBlueAgain", "ResumeBlue", "SwitchBack", "EndBake"])
@pytest.mark.parametrize("switch", [SWITCHED, STEP])
@pytest.mark.parametrize("earlier", [{}, {"check": None, "drain": None, "terminate": None}])
def test_the_first_pass_has_no_earlier_output_and_still_evaluates(state, switch, earlier):
    defined(states()[state]["Arguments"], {**FIRST_PASS, "switch": switch, **earlier}, {"Execution": {}})


CHECK = {"busy": 1, "idle": 0, "servers": 1, "sealed": [], "gone": 0, "unknownCount": 0, "oldestBusySeconds": 3, "worst": [], "unknown": [], "waitingFor": "w", "forecast": {"text": "f"}, "deadlineAt": None, "closed": 0}


@pytest.mark.parametrize("state", ["RecordProgress", "TerminateBlue", "RecordOutcome", "ReleaseService", "RollBack", "ContinueDrain", "LetBlueGo", "ConfirmSwitch"])
def test_a_later_pass_evaluates(state):
    document = {**FIRST_PASS, "check": CHECK, "terminate": {"terminated": ["i-1"]}, "progress": {"passes": 3, "total": 3, **WISH, "part": 1}}
    defined(states()[state]["Arguments"], document, {"Execution": {}, "StateMachine": {"Id": "arn"}})


def test_the_record_says_what_stage_it_is():
    stage = states()["RecordProgress"]["Arguments"]["ExpressionAttributeValues"][":stage"]["S"]
    assert evaluate(stage, {"switch": STEP}) == "switching"
    assert evaluate(stage, {"switch": SWITCHED}) == "baking"
    assert evaluate(stage, {"switch": SWITCHED, "baked": {"at": PAST}}) == "draining"
    assert evaluate(stage, {"switch": SWITCHED, "baked": {"at": PAST}, "rollback": {}}) == "rollingBack"


@pytest.mark.parametrize("document, expected", [
    ({"switch": SWITCHED}, 3),
    ({"ill": {"at": PAST}}, 3),
    ({"plan": {"takeOver": {**TAKE, "greenWeight": 1}}}, 3),
    ({"plan": {"takeOver": TAKE}}, 0),
    ({}, 0),
])
def test_a_rollback_demands_open_blue_servers_only_when_weight_goes_back_to_them(document, expected):
    """A rollback that was taken over after its weights had moved back must not be stuck on a blue that has scaled in since."""
    document = {**document, "plan": {**document.get("plan", {}), "policy": {"minimumHealthy": 3}}}
    assert evaluate(states()["ResumeBlue"]["Arguments"]["Payload"]["minimum"], document) == expected


def test_a_blue_that_could_not_take_its_weight_back_is_told_of_while_it_matters():
    waiting = states()["RecordProgress"]["Arguments"]["ExpressionAttributeValues"][":waitingFor"]["S"]
    document = {"switch": {**SWITCHED, "blueHealthy": 2}, "check": {"waitingFor": "the bake"}, "plan": {"policy": {"minimumHealthy": 3}}}
    assert evaluate(waiting, document) == "blue has 2 of 3 healthy servers, so a rollback is not possible now; the bake"
    assert evaluate(waiting, {**document, "baked": {"at": PAST}}) == "the bake"
    assert evaluate(waiting, {**document, "switch": SWITCHED}) == "the bake"


@pytest.mark.parametrize("document, expected", [
    ({"rejection": {"reason": "r"}, "rejected": {"terminated": ["i-1"]}}, "GreenRejected"),
    ({"rollback": {"reason": "r"}}, "RolledBack"),
    ({}, "Promoted"),
])
def test_the_outcome_is_the_same_word_everywhere(document, expected):
    for state in ("RecordOutcome", "ReleaseService"):
        assert evaluate(states()[state]["Arguments"]["ExpressionAttributeValues"][":outcome"]["S"], document) == expected
    assert next_of("IsGreenServing", document) == expected


def test_a_promotion_ends_with_a_summary_and_a_dry_run_with_the_plan():
    plan = {"deployment": "d", "service": "s", "green": {"name": "tunnel-b"}, "warnings": []}
    document = {"requested": {}, "plan": plan, "switch": {"at": PAST}, "check": {"closed": 7}, "terminate": {"terminated": ["i-1"]}}
    summary = {key: evaluate(text, document) if EXPRESSION.match(text) else text for key, text in states()["Promoted"]["Output"].items()}
    assert summary == {"outcome": "Promoted", "deployment": "d", "service": "s", "green": {"name": "tunnel-b"}, "switchedAt": PAST, "closed": 7, "terminated": ["i-1"], "warnings": []}
    assert evaluate(states()["Planned"]["Output"], document) == plan
