"""The manual's picture is the definition's, and the manual knows every way in which a deployment ends."""

import re

import pytest
from definition import ROOT, states, tasks
from draw import MANUAL, PARTS, chart, drawn_into, part_of


def test_the_manual_shows_the_committed_state_machine():
    manual = MANUAL.read_text()
    assert drawn_into(manual) == manual, "run: make workflow"


def test_every_state_is_drawn_once_and_arrows_lead_to_drawn_states():
    picture = chart()
    nodes = re.findall(r"^ +(\w+)(?:\[\1\]|\(\[\1\]\):::\w+)$", picture, re.MULTILINE)
    assert sorted(nodes) == sorted(name for name, state in states().items() if state["Type"] in {"Task", "Succeed", "Fail"})
    ends = re.findall(r"^ +(\w+) (?:-->|-\. wait \.->) (\w+)$", picture, re.MULTILINE)
    assert {name for arrow in ends for name in arrow} <= {"start", *nodes}


@pytest.mark.parametrize("begin", PARTS)
def test_every_part_of_the_picture_has_its_beginning_in_the_definition(begin):
    assert states()[begin]["Type"] == "Task"
    assert part_of()[begin] == PARTS[begin]


def section(title):
    return MANUAL.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", sorted(name for name, state in states().items() if state["Type"] in {"Succeed", "Fail"}))
def test_the_manual_says_what_every_end_means(name):
    assert f"`{name}`" in section("How a deployment can stop")


@pytest.mark.parametrize("name", sorted(tasks()))
def test_the_manual_says_what_a_redrive_does_at_every_task(name):
    assert name in re.findall(r"\w+", section("What a redrive does"))


def test_the_manual_knows_every_error_name_of_the_functions():
    source = (ROOT / "functions" / "deployment" / "src" / "error_name.rs").read_text()
    names = re.findall(r"^    (\w+),$", source.split("error_names! {")[1].split("\n}")[0], re.MULTILINE)
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in section("How a deployment can stop")] == []


def test_the_readme_leads_to_the_manual():
    assert "docs/operating.md" in (ROOT / "README.md").read_text()
