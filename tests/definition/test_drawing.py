"""The manual's picture is the definition's, and the manual knows every way in which a deployment ends."""

import re

import pytest
from definition import ROOT, rust, states, successors, tasks
from draw import MANUAL, PARTS, boxed, chart, drawn_into, host, is_drawn_as_arrow


def test_the_manual_shows_the_committed_state_machine():
    manual = MANUAL.read_text()
    assert drawn_into(manual) == manual, "run: make workflow"


def test_every_state_is_drawn_once():
    boxes = re.findall(r'^        (\w+)(?:\W+)"([^"]+)"', chart(), re.MULTILINE)
    shown = [name for _, label in boxes for name in re.findall(r"\w{3,}", label)]
    arrows = {name for name in states() if is_drawn_as_arrow(name)}
    assert sorted(shown) == sorted(set(states()) - arrows)
    assert all(re.search(rf"-\.->\|[^|]*{name}\|", chart()) for name in arrows)


def test_every_way_is_drawn():
    drawn = set(re.findall(r"^    (\w+) (-->|-\.->)(?:\|[^|]+\|)? (\w+)$", chart(), re.MULTILINE))
    wanted = set()
    for name, state in states().items():
        for target in successors(state):
            if is_drawn_as_arrow(target):
                wanted.add((host(name) or name, "-.->", states()[target]["Next"]))
            elif target not in boxed(name) and not is_drawn_as_arrow(name):
                wanted.add((host(name) or name, "-->", target))
    assert drawn == wanted


def test_every_part_of_the_picture_has_its_beginning_in_the_definition():
    assert set(PARTS) <= set(states())


def section(title):
    return MANUAL.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", sorted(name for name, state in states().items() if state["Type"] in {"Succeed", "Fail"}))
def test_the_manual_says_what_every_end_means(name):
    assert f"`{name}`" in section("How a deployment can stop")


@pytest.mark.parametrize("name", sorted(tasks()))
def test_the_manual_says_what_a_redrive_does_at_every_task(name):
    assert name in re.findall(r"\w+", section("What a redrive does"))


def test_the_manual_knows_every_error_name_of_the_functions():
    names = re.findall(r"^    (\w+),$", rust("error_name.rs").split("error_names! {")[1].split("\n}")[0], re.MULTILINE)
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in section("How a deployment can stop")] == []


def test_the_manual_names_no_task_that_there_is_none_of():
    rows = re.findall(r"^\| ((?:[A-Z]\w+)(?:, [A-Z]\w+)*) \|", section("What a redrive does"), re.MULTILINE)
    named = {name for row in rows for name in row.split(", ")}
    assert named - {"Task"} == set(tasks())


def test_the_readme_leads_to_the_manual():
    assert "docs/operating.md" in (ROOT / "README.md").read_text()
