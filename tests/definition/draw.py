"""Draws the state machine into docs/operating.md as a Mermaid flowchart, with every state in it.

A Choice stands in the box of the Task that it follows, its words at the arrows; a Wait stands at its arrow, dotted. Run by
`make workflow`; test_drawing.py fails when the picture and the definition differ.
"""

import re

from definition import ROOT, machine, states, successors

MANUAL = ROOT / "docs" / "operating.md"
BEGIN, END = "<!-- drawn from statemachine.asl.json by `make workflow` -->", "<!-- end of the drawing -->"

# Where a part of the picture begins, in the order in which they are drawn; a part ends where the next begins.
PARTS = {
    "IsContinued": "begin",
    "AttachGreen": "green",
    "EndGreen": "green is unfit",
    "HoldRetiring": "the pass",
    "ResumeBlue": "back",
    "ContinueDrain": "end",
}


def before(name):
    return [other for other, state in states().items() if name in successors(state)]


def host(name):
    """The Task in whose box a Choice stands: the only state that it follows."""
    preceding = before(name)
    if states()[name]["Type"] == "Choice" and len(preceding) == 1 and states()[preceding[0]]["Type"] in ("Task", "Wait"):
        return preceding[0]
    return None


def ways_out(name):
    """(words, target) for every way out of this very state, in the definition's order."""
    state = states()[name]
    found = []
    for choice in state.get("Choices", []):
        word = re.search(r"'(\w+)'", choice["Condition"])
        found.append((word.group(1) if word else "continued", choice["Next"]))
    found += [(", ".join(catcher["ErrorEquals"]), catcher["Next"]) for catcher in state.get("Catch", [])]
    return found + [("else" if key == "Default" else "", state[key]) for key in ("Default", "Next") if key in state]


def ways(name):
    """The same of a box: of a state with a Choice in its box, that Choice's ways out."""
    onward = []
    for words, target in ways_out(name):
        onward += ways(target) if host(target) == name else [(words, target)]
    return onward


def parts():
    """(title, names) of every part of the picture, in the definition's order."""
    found = []
    for name in states():
        if name in PARTS:
            found.append((PARTS[name], []))
        found[-1][1].append(name)
    return found


def boxed(name):
    """The Choices that stand in a state's box."""
    return [after for after in successors(states()[name]) if host(after) == name]


def is_drawn_as_arrow(name):
    """A Wait between two boxes; one that only leads back would lie on the other arrows of its Task."""
    state, around = states()[name], {host(other) or other for other in before(name)}
    return state["Type"] == "Wait" and not boxed(name) and around != {state["Next"]}


def node(name):
    label = "<br>".join([name, *[f"<i>{after}?</i>" for after in boxed(name)]])
    kind = states()[name]["Type"]
    shape = {"Choice": '{{"%s"}}', "Succeed": '(["%s"]):::succeed', "Fail": '(["%s"]):::fail', "Wait": '[/"%s"/]'}.get(kind, '["%s"]')
    return name + shape % label


def arrows(name):
    """Lines for every way on; words that lead the same way share an arrow."""
    merged = {}
    for words, target in ways(name):
        if is_drawn_as_arrow(target):
            words = target if words in ("", "else") else f"{words}: {target}"
            merged.setdefault(("-.->", states()[target]["Next"]), []).append(words)
        else:
            merged.setdefault(("-->", target), []).append(words)
    for (line, target), words in merged.items():
        label = "<br>".join(word if "" not in words else f"or {word}" for word in words if word)
        yield f"    {name} {line}{f'|{label}|' if label else ''} {target}"


def chart():
    drawn = [name for name in states() if not host(name) and not is_drawn_as_arrow(name)]
    lines = ["```mermaid", '%%{init: {"flowchart": {"nodeSpacing": 24, "rankSpacing": 28, "subGraphTitleMargin": {"top": 2, "bottom": 14}}}}%%', "flowchart TD", "    start((start)) --> " + machine()["StartAt"]]
    for title, names in parts():
        lines.append(f'    subgraph {names[0]}Part["{title}"]')
        lines += [f"        {node(name)}" for name in names if name in drawn]
        lines.append("    end")
    for name in drawn:
        lines += arrows(name)
    lines += ["    classDef succeed fill:#d7f0dd,stroke:#2b7a3d,color:#123", "    classDef fail fill:#f8dcdc,stroke:#a33,color:#311", "```"]
    return "\n".join(lines)


def drawn_into(manual):
    """The manual with the current picture between its markers."""
    before_it, rest = manual.split(BEGIN)
    return f"{before_it}{BEGIN}\n{chart()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    MANUAL.write_text(drawn_into(MANUAL.read_text()))
    print(f"drew {len(machine()['States'])} states into {MANUAL.relative_to(ROOT)}")
