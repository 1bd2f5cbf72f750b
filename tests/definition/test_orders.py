"""The orders that nothing may change, and the two licences to terminate that no road joins, as properties of the graph."""

import pytest
from definition import functions_called, next_of, reachable, states, successors, tasks

ASKS_RECORD = {"PlanDeploymentFunction", "KeepRecordFunction"}
ACTS = {name for name, called in functions_called().items() if called not in ASKS_RECORD} - {"TestBlue", "AskBlue"}


def act(name):
    return states()[name]["Arguments"]["Payload"].get("act")


def predecessors(name):
    return {before for before, state in states().items() if name in successors(state)}


def test_claim_before_the_first_write():
    assert not reachable("PlanDeployment", without={"ClaimService"}) & ACTS
    assert not reachable("IsContinued", without={"PlanDeployment", "AdoptDrain"}) & ACTS
    assert (act("TestBlue"), act("AskBlue")) == ("testBlue", "askBlue")  # which read


def test_intent_before_the_first_weight():
    # A take-over goes on from an intent that is on record.
    assert not reachable("PlanDeployment", without={"RecordSwitch", "WaitOutOwner"}) & {"SwitchTargetGroup", "SwitchBack"}
    assert not reachable("RecordSwitch", without={"MaySwitch"}) & ACTS


def test_the_bake_is_over_on_record_before_the_first_seal_and_the_end():
    assert predecessors("TerminateBlue") == {"WhatFollows"}
    assert predecessors("WhatFollows") == {"DecidePass"}
    assert predecessors("CheckDrained") == {"DrainIdle", "SwitchTargetGroup"}  # each gets the record's last answer


def test_the_epoch_is_raised_before_blue_is_opened_and_blue_opens_before_its_weight():
    assert predecessors("ResumeBlue") == {"WhatFollows", "WaitBeforeReturn"}
    assert predecessors("WaitBeforeReturn") == {"WhatFollows"}
    assert predecessors("SwitchBack") == {"ResumeBlue"}
    assert successors(states()["SwitchBack"]) == ["LetBlueGo"] and states()["LetBlueGo"]["Next"] == "HoldRetiring"


def test_an_owner_whose_place_is_taken_is_waited_out():
    followers = set(successors(states()["WhatIsClaimed"]))
    assert followers == {"AttachGreen", "WishTold", "Planned", "WaitOutOwner"}
    assert predecessors("WhereItStood") == {"WaitOutOwner"}
    assert states()["WhatIsClaimed"]["Default"] == "WaitOutOwner"  # an unknown word waits


@pytest.mark.parametrize("gate", ["HoldRetiring", "DecidePass"])
def test_a_seal_is_used_in_the_pass_that_it_was_given_in(gate):
    for start in [name for name, state in states().items() if state["Type"] == "Wait"] + ["PlanDeployment", "AdoptDrain", "IsEmpty"]:
        assert "TerminateBlue" not in reachable(start, without={gate}), start
    assert states()["CheckDrained"]["Next"] == "DecidePass" and states()["DecidePass"]["Next"] == "WhatFollows"
    # Besides only a take-over on the way back asks without having counted: its holder drains nothing.
    assert predecessors("DecidePass") == {"CheckDrained", "WhatIsDone"}
    assert [next_of("WhatIsDone", {"record": {"doing": {"is": word}}}) for word in ("reopening", "draining", "opening")] == [
        "DecidePass", "DrainIdle", "ResumeBlueAgain"]


def test_a_deployment_tests_blue_and_green_before_its_switch():
    for test in ("TestGreen", "AskGreen"):
        assert "RecordSwitch" not in reachable("PlanDeployment", without={test, "WaitOutOwner"})
    assert "TestBlue" in successors(states()["WhatIsPlanned"])
    assert predecessors("ClaimService") == {"WhatIsPlanned", "AskBlue"} and predecessors("AskBlue") == {"TestBlue"}


def test_the_service_is_asked_in_every_pass_in_which_weights_are_watched_and_in_no_other():
    assert predecessors("AskService") == {"SwitchTargetGroup"} and states()["AskService"]["Next"] == "DrainIdle"
    assert successors(states()["SwitchTargetGroup"]) == ["AskService", "CheckDrained"]  # the latter where green is ill


def test_no_road_joins_the_two_licences():
    licences = {name: act(name) for name, called in functions_called().items() if called == "TerminateBlueFunction"}
    assert licences == {"TerminateBlue": "endSealed", "EndGreen": "endUnserved"}
    never_served = {"EndGreen", "LaunchGreen", "AttachGreen", "TestGreen", "AskGreen", "ReleaseFront", "ClaimService"}
    for start in ("HoldRetiring", "AdoptDrain", "TerminateBlue", "ReleaseService", "ContinueDrain", "ResumeBlue"):
        assert not reachable(start) & never_served, start
    # From a green that never served the way leads to a new plan, or to the end.
    assert "TerminateBlue" not in reachable("EndGreen", without={"PlanDeployment"})


def test_only_the_way_back_gives_blue_weight():
    switches = {name: act(name) for name, called in functions_called().items() if called == "SwitchTargetGroupFunction"}
    assert switches == {
        "AttachGreen": "attach", "SwitchTargetGroup": "weigh", "SwitchBack": "weighBack", "DetachGreen": "detach", "DetachRetired": "detach"}


def test_every_end_of_a_deployment_that_wrote_is_written():
    """Show, tell and dry run aside, an end follows an answer of keep-record that lets the deployment go."""
    for end in ("Promoted", "Continued", "RolledBack", "GreenRejected"):
        asks = {before for choice in predecessors(end) for before in predecessors(choice)}
        assert asks <= {"ReleaseService", "ReleaseFront", "ContinueDrain"}, end


def test_what_is_gone_leaves_the_forward_action_before_a_rejection_leaves_the_front():
    assert predecessors("ReleaseFront") == {"DetachGreen"}
    assert states()["DetachRetired"]["Next"] == "ReleaseService"


def test_every_pass_lists_the_retiring_again():
    assert successors(states()["WaitBeforeNextPass"]) == ["HoldRetiring"]
    assert [name for name in tasks() if act(name) == "hold"] == ["HoldRetiring"]
