"""Every Choice only asks which word was answered, and every word that it may get leads somewhere that is meant."""

import re

import pytest
from definition import next_of, said, states, words

BLIND = {"nothing", "ended"}  # a deployment that holds nothing goes nowhere

# Choice -> the path it reads, and where each word leads. What a Choice may get is read from the rules, so a word that is
# new there, or that nobody says any more, fails.
ROADS = {
    "WhatIsPlanned": ("plan.next", words("plan/document.rs", "Asked"), {
        "deploy": "TestBlue", "held": "ClaimService", "takeOver": "ClaimService", "wish": "ClaimService"}),
    "WhatIsClaimed": ("record.next", said("Next", "record/claim.rs", "record/take_over.rs", "record/wish.rs") - {"reject", "pass", "wait"}, {
        "launch": "AttachGreen", "told": "WishTold", "show": "Planned", "waitOut": "WaitOutOwner"}),
    "WhereItStood": ("record.doing.is", said("Doing", "record/claim.rs", "record/take_over.rs") - BLIND, {
        "clearing": "EndGreen", "rejecting": "EndGreen", "launching": "AttachGreen", "detaching": "ReleaseService",
        "watching": "HoldRetiring", "reopening": "HoldRetiring", "draining": "HoldRetiring"}),
    "IsGreenHealthy": ("green.verdict", words("launch.rs", "Verdict"), {
        "healthy": "TestGreen", "rejected": "EndGreen", "wait": "WaitForGreen"}),
    "MaySwitch": ("record.next", {"reject", "pass", "wait"} & said("Next", "record/claim.rs"), {
        "reject": "EndGreen", "pass": "HoldRetiring", "wait": "WaitBeforeSwitch"}),
    "IsGreenGone": ("rejected.verdict", words("terminate.rs", "Verdict"), {"gone": "LetBlueBe", "left": "WaitForGreenToEnd"}),
    "IsFrontReleased": ("record.next", {"reject", "plan", "greenRejected", "detach"}, {
        "reject": "WaitForGreenToEnd", "plan": "PlanAgain", "greenRejected": "GreenRejected", "detach": "DetachGreen"}),
    "WhatIsDone": ("record.doing.is", {"watching", "reopening", "returning", "draining", "opening"}, {
        "watching": "SwitchTargetGroup", "reopening": "DecidePass", "opening": "ResumeBlueAgain",
        "returning": "DrainIdle", "draining": "DrainIdle"}),
    "WhatFollows": ("record.next", said("Next", "record/pass.rs"), {
        "terminate": "TerminateBlue", "rollBack": "ResumeBlue", "return": "WaitBeforeReturn", "handOn": "ContinueDrain",
        "pass": "HoldRetiring", "wait": "WaitBeforeNextPass"}),
    "IsEmpty": ("terminate.verdict", words("terminate.rs", "Verdict"), {"gone": "ReleaseService", "left": "WaitBeforeNextPass"}),
    "HowItEnded": ("record.next", {"detach", "wait", "continued", "rolledBack", "promoted"}, {
        "detach": "WaitBeforeDetach", "wait": "WaitBeforeNextPass", "continued": "Continued", "rolledBack": "RolledBack",
        "promoted": "Promoted"}),
}


def document(path, word):
    for part in reversed(path.split(".")):
        word = {part: word}
    return word


@pytest.mark.parametrize("name, word", [(name, word) for name, (_, _, roads) in ROADS.items() for word in roads])
def test_a_word_leads_where_it_is_meant(name, word):
    path, _, roads = ROADS[name]
    assert next_of(name, document(path, word)) == roads[word]


@pytest.mark.parametrize("name", ROADS)
def test_every_word_that_the_rules_may_say_is_meant_and_no_other(name):
    _, said_here, roads = ROADS[name]
    assert set(roads) == set(said_here)


def test_every_word_of_the_record_s_answer_is_heard_somewhere():
    for path, enum, deaf in [("record.next", "Next", set()), ("record.doing.is", "Doing", BLIND)]:
        heard = {word for at, _, roads in ROADS.values() if at == path for word in roads}
        assert heard == set(words("record/answer.rs", enum)) - deaf


def test_what_ends_or_frees_a_deployment_is_heard_where_it_leaves():
    """ContinueDrain, ReleaseService and ReleaseFront are answered by these rules, and led on by two Choices."""
    heard = set(ROADS["HowItEnded"][2]) | set(ROADS["IsFrontReleased"][2])
    assert heard == said("Next", "record/release.rs", "record/hand_on.rs", "record/decide.rs") - {"pass", "show"}  # an adoption, a dry run


def test_a_choice_only_compares_one_answer_with_words():
    for name, state in states().items():
        for choice in state.get("Choices", []):
            if name == "IsContinued":
                assert choice["Condition"] == "{% $exists($states.input.continued) %}"
                continue
            path = re.escape(ROADS[name][0])
            found = re.fullmatch(rf"\{{% \$states\.input\.{path} = '(\w+)' %\}}", choice["Condition"])
            assert found and found.group(1) in ROADS[name][2], (name, choice["Condition"])
            assert set(choice) == {"Condition", "Next"}, name
    assert {name for name, state in states().items() if state["Type"] == "Choice"} == {"IsContinued", *ROADS}


def test_a_document_that_was_handed_on_is_adopted():
    assert next_of("IsContinued", {}) == next_of("IsContinued", {"bake": {"seconds": 3}}) == "PlanDeployment"
    assert next_of("IsContinued", {"continued": {"plan": {}}}) == "AdoptDrain"
