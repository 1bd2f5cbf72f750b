"""The state machine by itself: its shape, its waits and retries, and the safety rules that its order carries."""

import re

import jsonata
import pytest
from definition import ROOT, expressions, functions_called, kebab, machine, reachable, resources, states, successors, tasks, template

FUNCTION_MARGIN_SECONDS = 15
NEVER_RETRIED = {"States.ALL", "States.TaskFailed"}


def test_queries_in_jsonata_and_keeps_no_hidden_state():
    assert machine()["QueryLanguage"] == "JSONata"
    assert all("Assign" not in state for state in states().values())
    assert {state["Type"] for state in states().values()} <= {"Task", "Choice", "Wait", "Pass", "Succeed", "Fail"}


def test_every_state_is_reachable_and_every_next_exists():
    assert reachable(machine()["StartAt"]) == set(states())


def test_every_state_can_reach_an_end():
    ends = {name for name, state in states().items() if state["Type"] in ("Succeed", "Fail")}
    assert [name for name in states() if not reachable(name) & ends] == []


def test_every_state_says_why_it_exists():
    assert [name for name, state in states().items() if len(state.get("Comment", "")) < 20] == []


@pytest.mark.parametrize("kind, pattern", [("Choice", r"(Is|Was|Can)[A-Z]\w+"), ("Wait", r"Wait[A-Z]\w+"), ("Task", r"[A-Z]\w+"), ("Fail", r"[A-Z]\w+")])
def test_names_read_as_what_they_are(kind, pattern):
    assert [name for name, state in states().items() if state["Type"] == kind and not re.fullmatch(pattern, name)] == []


def test_every_task_times_out_after_its_function():
    default = template()["Globals"]["Function"]["Timeout"]
    functions = resources("AWS::Serverless::Function")
    for name, state in tasks().items():
        assert isinstance(state["TimeoutSeconds"], int), name
        called = functions_called().get(name)
        if called:
            assert state["TimeoutSeconds"] >= functions[called].get("Timeout", default) + FUNCTION_MARGIN_SECONDS, name


def test_a_superseding_waits_out_the_longest_function():
    default = template()["Globals"]["Function"]["Timeout"]
    longest = max(f.get("Timeout", default) for f in resources("AWS::Serverless::Function").values())
    assert states()["WaitOutOwner"]["Seconds"] >= longest


def test_retries_name_their_errors_and_are_bounded():
    for name, state in tasks().items():
        assert state["Retry"], name
        for retrier in state["Retry"]:
            assert not NEVER_RETRIED & set(retrier["ErrorEquals"]), name
            assert 1 <= retrier["MaxAttempts"] <= 20, name


def test_every_function_is_retried_for_what_lambda_itself_may_do():
    for name in functions_called():
        names = {error for retrier in states()[name]["Retry"] for error in retrier["ErrorEquals"]}
        assert {"Lambda.ServiceException", "Lambda.TooManyRequestsException", "Lambda.ResourceNotReadyException", "Sandbox.Timedout", "States.Timeout"} <= names, name


def test_a_fail_state_names_error_and_cause():
    assert [name for name, s in states().items() if s["Type"] == "Fail" and not (s.get("Error") and s.get("Cause"))] == []


def test_a_conditional_write_expects_both_spellings_of_its_refusal():
    for name, state in tasks().items():
        if state["Resource"].endswith("updateItem"):
            caught = {error for catcher in state["Catch"] for error in catcher["ErrorEquals"]}
            assert caught == {"DynamoDb.ConditionalCheckFailedException", "DynamoDB.ConditionalCheckFailedException"}, name
            assert state["Arguments"]["ConditionExpression"], name


def test_every_function_but_the_plan_is_fenced():
    for name, called in functions_called().items():
        if called != "PlanDeploymentFunction":
            assert set(states()[name]["Arguments"]["Payload"]["fence"]) == {"deployment", "epoch"}, name


def test_nothing_leads_to_a_rejection_once_weight_may_have_moved():
    assert not reachable("SwitchTargetGroup") & {"RejectGreen", "ReleaseRejected", "GreenRejected", "ClearGreen"}


def test_the_intent_to_switch_is_written_before_the_first_weight():
    assert [name for name, state in states().items() if "SwitchTargetGroup" in successors(state)] == ["RecordSwitch"]
    assert "SwitchTargetGroup" not in reachable(machine()["StartAt"], without={"RecordSwitch"})


@pytest.mark.parametrize("gate", ["ClaimService", "TestGreen", "HoldBlue", "RecordSwitch", "SwitchTargetGroup", "CheckDrained", "IsBakeOver"])
def test_blue_is_never_terminated_without(gate):
    assert "TerminateBlue" not in reachable(machine()["StartAt"], without={gate})


def test_every_pass_lists_blue_again_and_checks_before_it_terminates():
    assert successors(states()["WaitBeforeNextPass"]) == ["HoldBlueAgain"]
    assert "TerminateBlue" not in reachable("WaitBeforeNextPass", without={"CheckDrained"})


def test_only_blue_at_weight_0_is_terminated_by_seal():
    for name, called in functions_called().items():
        if called == "TerminateBlueFunction":
            payload = states()[name]["Arguments"]["Payload"]
            assert payload["licence"] == ("sealed" if name == "TerminateBlue" else "neverServed")


def test_every_lambda_is_called_and_has_one_name():
    packages = {path.parent.parent.name for path in ROOT.glob("functions/*/src/main.rs")}
    declared = {kebab(name.removesuffix("Function")) for name in resources("AWS::Serverless::Function")}
    called = {kebab(name.removesuffix("Function")) for name in functions_called().values()}
    assert packages == declared == called


def test_every_expression_parses():
    found = list(expressions(machine()))
    assert len(found) > 50
    for _, text in found:
        jsonata.Jsonata.jsonata(text.strip())
