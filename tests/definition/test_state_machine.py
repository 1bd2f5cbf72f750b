"""The state machine by itself: its shape, its waits and retries, and the safety rules that its order carries."""

import re

import jsonata
import pytest
from definition import ROOT, expressions, functions_called, kebab, machine, next_of, reachable, resources, states, successors, tasks, template

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
    for wait in ("WaitOutOwner", "WaitOutExecution"):
        assert states()[wait]["Seconds"] >= longest


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


def test_every_name_in_an_expression_of_dynamodb_is_aliased():
    """Its reserved words are many and change; an alias is never one."""
    for name, state in tasks().items():
        if state["Resource"].endswith("updateItem"):
            arguments = state["Arguments"]
            text = arguments["UpdateExpression"] + " " + arguments["ConditionExpression"]
            words = set(re.findall(r"[#:]?\w+", text)) - {"SET", "REMOVE", "AND", "OR", "IN", "attribute_not_exists", "if_not_exists"}
            assert {word for word in words if word[0] not in "#:"} == set(), name
            assert {word for word in words if word[0] == "#"} == set(arguments["ExpressionAttributeNames"]), name
            assert {word for word in words if word[0] == ":"} == set(arguments["ExpressionAttributeValues"]), name


def test_every_function_but_the_plan_is_fenced():
    for name, called in functions_called().items():
        if called != "PlanDeploymentFunction":
            assert set(states()[name]["Arguments"]["Payload"]["fence"]) == {"deployment", "epoch"}, name


BEFORE_THE_SWITCH = {"RejectGreen", "ClearGreen", "ClaimService", "SupersedeOwner", "AttachGreen", "LaunchGreen"}


def test_nothing_leads_to_a_rejection_once_weight_may_have_moved():
    assert not reachable("RecordSwitch") & BEFORE_THE_SWITCH
    assert not reachable("AdoptDrain") & BEFORE_THE_SWITCH
    assert not reachable("ResumeBlue") & BEFORE_THE_SWITCH


def test_the_intent_to_switch_is_written_before_the_first_weight():
    # A rollback before the first step goes through the same pass, where no step is left to be taken.
    assert "SwitchTargetGroup" not in reachable("PlanDeployment", without={"RecordSwitch", "ListBlue"})


@pytest.mark.parametrize("gate", ["TestBlue", "ClaimService", "TestGreen", "HoldBlue", "RecordSwitch", "SwitchTargetGroup", "CheckDrained", "RecordProgress", "IsPassDone"])
def test_blue_is_never_terminated_without(gate):
    without = {gate, "TakeOver", "RollBack", "ConfirmSwitch"} if gate in ("RecordSwitch", "SwitchTargetGroup") else {gate, "TakeOver"}
    assert "TerminateBlue" not in reachable("PlanDeployment", without=without)


def test_every_pass_lists_the_retiring_again_and_checks_before_it_terminates():
    assert successors(states()["WaitBeforeNextPass"]) == ["HoldBlueAgain"]
    assert "TerminateBlue" not in reachable("WaitBeforeNextPass", without={"CheckDrained"})


def test_only_sealed_servers_are_terminated_once_weight_may_have_moved():
    for name, called in functions_called().items():
        if called == "TerminateBlueFunction":
            payload = states()[name]["Arguments"]["Payload"]
            assert payload["licence"] == ("sealed" if name == "TerminateBlue" else "neverServed")


def test_blue_serves_again_three_transitions_after_the_decision():
    assert states()["RollBack"]["Next"] == "ResumeBlue"
    assert successors(states()["ResumeBlue"]) == ["SwitchBack"]
    assert states()["SwitchBack"]["Arguments"]["Payload"]["weights"] == {"blue": 100, "green": 0}


def test_only_a_rollback_may_give_blue_a_larger_share():
    switches = {name: states()[name]["Arguments"]["Payload"] for name, called in functions_called().items() if called == "SwitchTargetGroupFunction"}
    assert {name for name, payload in switches.items() if payload["back"]} == {"SwitchBack"}


def test_blue_opens_and_the_epoch_rises_before_weight_goes_back():
    assert "SwitchBack" not in reachable("PlanDeployment", without={"ResumeBlue"})
    assert "ResumeBlue" not in reachable("PlanDeployment", without={"RollBack", "TakeOver"})


def test_green_is_held_and_listed_before_it_is_drained():
    assert successors(states()["SwitchBack"]) == ["HoldGreen"]
    assert states()["HoldGreen"]["Arguments"]["Payload"]["environment"] == "{% $states.input.plan.green %}"


def test_a_take_over_expects_the_stage_that_its_plan_saw():
    condition = states()["TakeOver"]["Arguments"]["ConditionExpression"]
    assert "#epoch = :epoch AND #execution = :theirs AND #stage = :seen" in condition


def test_a_write_of_before_the_end_of_the_bake_that_comes_late_is_refused():
    for name in ("RecordProgress", "RecordSwitch"):
        assert "(attribute_not_exists(#bakedAt) OR #bakedAt = :bakedAt)" in states()[name]["Arguments"]["ConditionExpression"], name
    assert "attribute_not_exists(#bakedAt)" in states()["AskToRollBack"]["Arguments"]["ConditionExpression"]
    assert "if_not_exists(#bakedAt, :now)" in states()["EndBake"]["Arguments"]["UpdateExpression"]


def test_only_its_own_former_execution_hands_a_drain_on():
    assert "#execution IN (:former, :execution)" in states()["AdoptDrain"]["Arguments"]["ConditionExpression"]


def test_a_take_over_waits_before_it_touches_anything():
    assert set(successors(states()["TakeOver"])) == {"WaitOutExecution", "PlanAgain"}
    assert set(successors(states()["SupersedeOwner"])) == {"WaitOutOwner", "PlanAgain"}


def test_there_is_no_way_back_once_a_server_may_have_sealed():
    """Whoever leads to RollBack does so only while the document does not say that the bake has ended."""
    leads = {name for name, state in states().items() if "RollBack" in successors(state)}
    assert leads == {"WasRollBackAsked", "SwitchTargetGroup", "IsReleaseGood", "ConfirmWeights", "IsPassDone", "IsRollBackInTime"}
    baked = {"baked": {"at": "2020-01-01T00:00:00Z"}, "progress": {"rollBack": "an operator"}, "check": {"baking": False, "settled": True}, "switch": {}}
    for name in ("WasRollBackAsked", "IsBaking", "IsPassDone"):
        assert next_of(name, baked) in {"ConfirmSwitch", "IsSettled", "TerminateBlue"}, name
    assert "RollBack" not in successors(states()["ConfirmSwitch"])


def test_alarms_are_only_read_when_there_are_any():
    readers = [name for name, state in tasks().items() if state["Resource"].endswith("describeAlarms")]
    assert readers == ["ReadAlarms", "ReadAlarmsBeforeSwitch", "CheckAlarms"]
    for name, state in states().items():
        for choice in state.get("Choices", []):
            if choice["Next"] in readers:
                assert "$count($states.input.plan.policy.alarms) > 0" in choice["Condition"], name
        assert not set(readers) & {state.get("Next"), state.get("Default")}, name


def test_every_end_that_frees_the_service_leaves_an_item_of_its_own():
    assert "ReleaseService" not in reachable(machine()["StartAt"], without={"RecordOutcome"})


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
