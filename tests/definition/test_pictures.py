"""The pictures of docs/console.md are those of the definition and of the recorded runs, and what the page names is there."""

import json
import re
import xml.etree.ElementTree as ElementTree

import picture
import pytest
from definition import ROOT, fields, machine, states, successors, tasks
from test_walks import answers

PAGE = picture.PAGE.read_text()
SVG = "{http://www.w3.org/2000/svg}"
DRAWN = picture.pictures()


def named(group):
    return group.find(f"{SVG}title").text


def groups(svg, kind):
    """The boxes or the arrows of a picture: name -> classes."""
    drawn = [group for group in ElementTree.fromstring(svg).iter(f"{SVG}g") if kind in group.get("class", "").split()]
    return {named(group): set(group.get("class").split()) for group in drawn}


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")]


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_the_committed_picture_is_the_one_of_what_it_is_drawn_from(name):
    assert (picture.PICTURES / name).read_text(encoding="utf-8") == DRAWN[name], "run: make workflow"


def test_no_picture_is_left_over_and_the_page_shows_every_one():
    assert {path.name for path in picture.PICTURES.iterdir()} == set(DRAWN)
    assert set(re.findall(r"!\[[^\]]+\]\(console/([\w.]+)\)", PAGE)) == set(DRAWN)


def test_every_state_and_every_way_is_drawn():
    assert set(groups(DRAWN["definition.svg"], "node")) == {*states(), "Start"}
    ways = {f"{name}->{target}" for name, state in states().items() for target in successors(state)}
    assert set(groups(DRAWN["definition.svg"], "edge")) == ways | {f"Start->{machine()['StartAt']}"}


def test_the_text_is_text():
    shown = "".join(ElementTree.fromstring(DRAWN["definition.svg"]).itertext())
    assert all(name in shown for name in states())


@pytest.mark.parametrize("name, run", picture.runs().items(), ids=list(picture.runs()))
def test_a_recorded_run_is_one_that_this_definition_can_make(name, run):
    walked = [state for state, _ in run["steps"]]
    for state, after in zip(walked, walked[1:]):
        assert after in successors(states()[state]), f"record {name} again: {state} does not lead to {after}"


@pytest.mark.parametrize("name, run", picture.runs().items(), ids=list(picture.runs()))
def test_a_run_s_picture_tells_how_every_state_ended(name, run):
    boxes = groups(DRAWN[f"{name}.svg"], "node")
    entered = {box for box, classes in boxes.items() if "entered" in classes} - {"Start"}
    assert entered == {state for state, _ in run["steps"]}
    assert all(picture.ending(run)[box] in boxes[box] for box in entered)
    arrows = groups(DRAWN[f"{name}.svg"], "edge")
    assert {arrow for arrow, classes in arrows.items() if "taken" in classes} - {f"Start->{machine()['StartAt']}"} == {
        f"{state}->{after}" for state, after in picture.taken(run)}


@pytest.mark.parametrize("name, status, last", [
    ("promoted", "SUCCEEDED", ("Promoted", "succeeded")), ("rejected", "FAILED", ("GreenRejected", "failed")),
    ("waiting", "RUNNING", ("WaitBeforeNextPass", "inside"))])
def test_a_run_is_what_its_name_says(name, status, last):
    run = picture.runs()[name]
    assert (run["status"], tuple(run["steps"][-1])) == (status, last)


def test_the_page_shows_what_the_run_that_waits_said():
    assert picture.drawn_into(PAGE) == PAGE, "run: make workflow"
    counts = picture.runs()["waiting"]["check"]["counts"]
    assert counts["busy"] > 0 and counts["worst"][0]["instance"] in section("Which server is it waiting for?")


def has(document, path):
    try:
        picture.at(document, path)
    except (KeyError, TypeError):
        return False
    return True


def test_every_field_that_the_page_sends_people_to_is_one_that_the_state_answers():
    told = [row for row in rows(section("Which server is it waiting for?")) if row[1] in tasks()]
    assert len(told) > 4
    for _, task, paths in told:
        act = tasks()[task]["Arguments"]["Payload"].get("act", "plan")
        for path in re.findall(r"`([\w.]+)`", paths):
            assert any(has(answer, path) for answer in answers()[act]), (task, path)


def test_every_attribute_that_the_page_names_is_one_of_the_record():
    known = {"Record": "record.rs", "Front": "record.rs", "Entry": "record.rs", "Course": "record.rs", "Progress": "record.rs",
             "Owner": "record.rs", "Answered": "record.rs", "Answer": "record/answer.rs", "Counts": "check/counts.rs",
             "Moments": "weights/moments.rs", "Waits": "record/wish.rs", "Wished": "record/wish.rs", "OutcomeItem": "record/outcome.rs"}
    words = set().union(*(fields(file, struct) for struct, file in known.items())) | {"is"}
    for _, text in rows(section("Read the record")):
        for path in re.findall(r"`….([\w.]+)`|`((?:front|retiring|answer|progress|last)[\w.\[\]]*)`", text):
            keys = re.sub(r"\[\d+\]", "", "".join(path)).split(".")
            assert set(keys) <= words, path


@pytest.mark.parametrize("name", sorted(name for name, state in states().items() if state["Type"] in {"Succeed", "Fail"}))
def test_the_page_says_what_every_end_looks_like(name):
    assert name in {row[0] for row in rows(section("How it ends"))}


def test_every_state_that_the_page_names_exists():
    for word in re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", re.sub(r"`[^`]*`|\([^)]*\)", "", PAGE)):
        assert word in states() or word in ("CloudWatch",), word


def test_people_find_the_page():
    assert "docs/console.md" in (ROOT / "README.md").read_text()
    assert "(console.md)" in (ROOT / "docs/operating.md").read_text()
    assert json.loads((ROOT / "tests/definition/walk/package.json").read_text())["dependencies"]["@viz-js/viz"]
