"""Draws the state machine into docs/operating.md as a Mermaid flowchart: Tasks and ends, with what lies between folded into arrows.

Run by `make workflow`; test_drawing.py fails when the picture and the definition differ.
"""

from definition import ROOT, machine, reachable, states, successors

MANUAL = ROOT / "docs" / "operating.md"
BEGIN, END = "<!-- drawn from statemachine.asl.json by `make workflow` -->", "<!-- end of the drawing -->"
SHOWN = {"Task", "Succeed", "Fail"}

# Where each part of the picture begins. The rest of a part is derived: a state belongs to the last of these that every
# way to it passes through, and to no part when there is none.
PARTS = {
    "PlanDeployment": "before the claim",
    "DescribeOwner": "another execution owns the service",
    "AttachGreen": "launch and test",
    "RejectGreen": "green rejected",
    "HoldBlue": "switch",
    "SwitchTargetGroup": "switch",
    "HoldBlueAgain": "the pass",
    "RollBack": "the road back",
    "ResumeBlue": "the road back",
    "ContinueDrain": "another execution",
    "AdoptDrain": "another execution",
    "RecordOutcome": "the end",
}


def arrows(name):
    """(target, waits) for every shown state that can follow `name`, through Choices, Waits and Passes."""
    found, waiting, met = [], [(target, False) for target in successors(states()[name])], set()
    while waiting:
        target, waits = waiting.pop(0)
        following = states()[target]
        waits = waits or following["Type"] == "Wait"
        if (target, waits) in met:
            continue
        met.add((target, waits))
        if following["Type"] not in SHOWN:
            waiting += [(after, waits) for after in successors(following)]
        elif target not in [already for already, _ in found]:
            found.append((target, waits))
    return found


def part_of():
    """State -> title of its part. What cannot be reached without a part's beginning lies behind it."""
    start = machine()["StartAt"]
    behind = {begin: set(states()) - reachable(start, without={begin}) for begin in PARTS}
    parts = {}
    for name in states():
        begins = [begin for begin in PARTS if name in behind[begin]]
        if begins:
            parts[name] = PARTS[min(begins, key=lambda begin: len(behind[begin]))]
    return parts


def chart():
    lines, parts = ["```mermaid", "flowchart TD"], part_of()
    shown = {name: state for name, state in states().items() if state["Type"] in SHOWN}

    def node(name):
        kind = shown[name]["Type"]
        return f"{name}[{name}]" if kind == "Task" else f"{name}([{name}]):::{kind.lower()}"

    for number, title in enumerate(dict.fromkeys(PARTS.values())):
        lines.append(f'    subgraph part{number}["{title}"]')
        lines += [f"        {node(name)}" for name in shown if parts.get(name) == title]
        lines.append("    end")
    lines += ["    start((start))"] + [f"    {node(name)}" for name in shown if name not in parts]
    first = machine()["StartAt"]
    lines += [f"    start --> {target}" for target in ([first] if first in shown else [target for target, _ in arrows(first)])]
    for name, state in shown.items():
        for target, waits in arrows(name) if state["Type"] == "Task" else []:
            lines.append(f"    {name} {'-. wait .->' if waits else '-->'} {target}")
    lines += ["    classDef succeed fill:#d7f0dd,stroke:#2b7a3d,color:#123", "    classDef fail fill:#f8dcdc,stroke:#a33,color:#311", "```"]
    return "\n".join(lines)


def drawn_into(manual):
    """The manual with the current picture between its markers."""
    before, rest = manual.split(BEGIN)
    return f"{before}{BEGIN}\n{chart()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    MANUAL.write_text(drawn_into(MANUAL.read_text()))
    print(f"drew {len(machine()['States'])} states into {MANUAL.relative_to(ROOT)}")
