"""The state machine by itself: its shape, what its Tasks are handed, what is retried, and what a pass costs."""

import json
import re
from functools import cache

import jsonata
import pytest
from definition import (
    ROOT, evaluate, expressions, fields, functions_called, kebab, lambdas, machine, next_of, reachable, resources, rust, states, successors, tasks, template,
    words,
)

MOST_STATES, MOST_EVENTS = 54, 36
FUNCTION_MARGIN_SECONDS = 15
ASKED = {  # what every Task but PlanDeployment hands over
    "execution": "{% $states.context.Execution.Id %}",
    "state": "{% $states.context.State.Name %}",
    "retries": "{% $states.context.State.RetryCount %}",
    "redrives": "{% $exists($states.context.Execution.RedriveCount) ? $states.context.Execution.RedriveCount : 0 %}",
    "document": "{% $states.input %}",
}
# Retried by a rule of their own, because the general one would give up too late, or too early.
SPECIFIC = {
    "TestBlue": ("NotFitYet", 3),  # a server may still boot; it is asked four times in all
    "TestGreen": ("NotFitYet", 3),
    "AskBlue": ("NotFitYet", 3),
    "AskGreen": ("NotFitYet", 3),
    "SwitchTargetGroup": ("GreenUnhealthy", 6),  # lasting ill health rolls back: half a minute is lasting
}
# What may pass with time, so the general rule retries it.
RETRIED = {"Throttled", "CapacityUnavailable", "TooFewHealthy", "BlueNotOpen", "NotConfirmed", "AwsUnavailable"}
CAUGHT = {
    "ClaimService": {"PlanOutdated"}, "TestGreen": {"GreenUnfit", "NotFitYet"}, "AskGreen": {"GreenUnfit", "NotFitYet"}, "SwitchTargetGroup": {"GreenUnhealthy"},
    "DetachRetired": {"Superseded"},
}


def test_it_is_small_queries_in_jsonata_and_keeps_no_hidden_state():
    assert machine()["QueryLanguage"] == "JSONata" and len(states()) <= MOST_STATES
    assert all("Assign" not in state for state in states().values())
    assert {state["Type"] for state in states().values()} <= {"Task", "Choice", "Wait", "Pass", "Succeed", "Fail"}


def test_every_state_is_reachable_and_can_reach_an_end():
    assert reachable(machine()["StartAt"]) == set(states())
    ends = {name for name, state in states().items() if state["Type"] in ("Succeed", "Fail")}
    assert [name for name in states() if not reachable(name) & ends] == []


def test_every_state_says_why_it_exists_and_every_fail_state_what_happened():
    assert [name for name, state in states().items() if len(state.get("Comment", "")) < 20] == []
    assert [name for name, s in states().items() if s["Type"] == "Fail" and not (s.get("Error") and s.get("Cause"))] == []


@pytest.mark.parametrize("kind, pattern", [("Choice", r"(Is|May|What|Where|How)[A-Z]\w+"), ("Wait", r"Wait[A-Z]\w+")])
def test_names_read_as_what_they_are(kind, pattern):
    assert [name for name, state in states().items() if state["Type"] == kind and not re.fullmatch(pattern, name)] == []


def test_every_task_is_a_lambda_that_is_handed_the_same():
    for name, state in tasks().items():
        assert state["Resource"] == "arn:${Partition}:states:::lambda:invoke", name
        payload = state["Arguments"]["Payload"]
        if name == "PlanDeployment":
            assert set(payload) == {"input", "deployment", "execution", "settings"}
        else:
            assert payload == {"act": payload["act"], **ASKED}, name
    assert set(ASKED) | {"act"} == fields("document.rs", "Invocation")


def test_every_act_is_asked_of_the_function_that_does_it():
    acts = words("document.rs", "Act")
    asked = {(state["Arguments"]["Payload"]["act"], kebab(functions_called()[name].removesuffix("Function")))
             for name, state in tasks().items() if name != "PlanDeployment"}
    assert asked == {(act, re.search(r"/// ([a-z-]+)[:.]", comment).group(1)) for act, comment in acts.items()}


def keys_added(state):
    """The keys that a Task and its catchers add to the document."""
    outputs = [state["Output"]] + [catcher["Output"] for catcher in state.get("Catch", [])]
    return {key for output in outputs for key in re.findall(r'"(\w+)":', output)}


def test_what_travels_is_what_the_functions_know():
    added = {key for state in tasks().values() for key in keys_added(state)}
    assert added | {"continued"} == fields("document.rs", "Document")
    for name, state in tasks().items():
        after = evaluate(state["Output"], {"requested": {}, "check": 1}, result={"Payload": 7})
        assert 7 in after.values() and ("check" in after or name == "PlanDeployment"), name


def test_a_failure_that_is_caught_leaves_its_words_or_the_document():
    for name, state in tasks().items():
        assert {error for catcher in state.get("Catch", []) for error in catcher["ErrorEquals"]} == CAUGHT.get(name, set())
    outputs = {name: catcher["Output"] for name, state in tasks().items() for catcher in state.get("Catch", [])}
    assert outputs["ClaimService"] == states()["PlanAgain"]["Output"] == "{% $states.input.requested %}"
    assert outputs["DetachRetired"] == "{% $states.input %}"


def test_every_error_of_the_functions_is_final_or_retried_in_one_way():
    names = re.findall(r"^    (\w+),$", rust("error_name.rs").split("error_names! {")[1].split("\n}")[0], re.MULTILINE)
    final, general = tasks()["PlanDeployment"]["Retry"]
    ours = [name for name in final["ErrorEquals"] if "." not in name]
    specific = {error for error, _ in SPECIFIC.values()}
    assert sorted(names) == sorted([*ours, *specific, *RETRIED])
    assert final["MaxAttempts"] == 0 and "States.QueryEvaluationError" in final["ErrorEquals"]
    assert general["ErrorEquals"] == ["States.TaskFailed", "States.Timeout"] and general["JitterStrategy"] == "FULL"
    assert 10 <= general["MaxAttempts"] <= 15 and general["MaxDelaySeconds"] == 60
    for name, state in tasks().items():
        assert state["Retry"][-2:] == [final, general], name
        first = [(retrier["ErrorEquals"], retrier["MaxAttempts"]) for retrier in state["Retry"][:-2]]
        assert first == ([([SPECIFIC[name][0]], SPECIFIC[name][1])] if name in SPECIFIC else []), name


def test_a_task_outlives_its_function_and_an_owner_s_last_call_is_waited_out():
    longest = template()["Globals"]["Function"]["Timeout"]
    assert not any("Timeout" in function for function in resources("AWS::Serverless::Function").values())
    assert all(state["TimeoutSeconds"] >= longest + FUNCTION_MARGIN_SECONDS for state in tasks().values())
    late = int(re.search(r"LATE_SECONDS: i64 = (\d+);", rust("record.rs")).group(1))
    assert late >= longest + FUNCTION_MARGIN_SECONDS


def test_a_wait_is_as_long_as_the_last_answer_says():
    answered = {"WaitForGreen": "green", "WaitForGreenToEnd": None}
    for name, state in states().items():
        if state["Type"] == "Wait":
            source = answered.get(name, "record")
            assert state["Seconds"] == ("{% $states.input." + source + ".waitSeconds %}" if source else 10), name


EVENTS = {"Task": 5, "Choice": 2, "Wait": 2, "Pass": 2}  # entered, scheduled, started, succeeded, exited; entered, exited


@cache
def cost(name, doing, follows, back="HoldRetiring"):
    """Events from a state to the next pass, for a record that says what is done and what follows."""
    state = states()[name]
    said = {"record": {"doing": {"is": doing}, "next": follows}, "terminate": {"verdict": "left"},
            "green": {"verdict": "healthy"}}
    after = next_of(name, said) if state["Type"] == "Choice" else state["Next"]
    return EVENTS[state["Type"]] + (0 if after == back else cost(after, doing, follows, back))


def test_a_pass_costs_few_events():
    assert cost("HoldRetiring", "watching", "wait") <= MOST_EVENTS
    assert cost("HoldRetiring", "draining", "terminate") <= MOST_EVENTS
    # After a rollback, while a blue server is not open again, each pass asks it once more. An execution has room for it.
    longest = cost("HoldRetiring", "opening", "terminate")
    most = int(re.search(r'"PassesPerExecution"\),\s+takes: Takes::Number\(5, (\d+)\)', rust("knobs.rs")).group(1))
    assert longest * most <= 24_000 - 4_000


def test_whoever_waits_for_a_person_before_the_switch_has_room_for_all_of_that_time():
    look = cost("WaitBeforeSwitch", None, "wait", back="WaitBeforeSwitch")
    longest = int(re.search(r"LONGEST_BEFORE_SWITCH_SECONDS: u64 = (\d+);", rust("wait.rs")).group(1))
    hours = int(re.search(r"MOST: SignedDuration = SignedDuration::from_hours\((\d+)\)", rust("record/wish.rs")).group(1))
    growing = 65  # looks of less than that: each a tenth later than the one before it
    assert look * (hours * 3600 // longest + growing) <= 24_000 - 4_000


def test_every_lambda_is_called_and_has_one_name():
    packages = {path.parent.parent.name for path in ROOT.glob("functions/*/src/main.rs")}
    declared = {kebab(name.removesuffix("Function")): function for name, function in lambdas().items()}
    called = {kebab(name.removesuffix("Function")) for name in functions_called().values()}
    # Instances ask the one, CloudFormation the other.
    others = {"issue-keys", "guard-stack"}
    assert packages == set(declared) == called | others and not others & called
    for name, function in declared.items():
        assert function["FunctionName"] == {"Fn::Sub": f"${{AWS::StackName}}-{name}"}, name


def test_every_expression_parses_and_is_short():
    for _, text in expressions(machine()):
        jsonata.Jsonata.jsonata(text.strip())
        assert len(text) <= 120, text
    assert "\\\\" not in json.dumps(machine())


def test_every_choice_or_task_leads_on():
    assert all(successors(state) for state in states().values() if state["Type"] not in ("Succeed", "Fail"))
