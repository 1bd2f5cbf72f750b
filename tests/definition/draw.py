"""Draws the state machine into README.md as a Mermaid flowchart: Tasks and ends, with what lies between folded into arrows.

Run by `make workflow`; test_drawing.py fails when the picture and the definition differ.
"""

from definition import ROOT, machine, states, successors

BEGIN, END = "<!-- drawn from statemachine.asl.json by `make workflow` -->", "<!-- end of the drawing -->"
SHOWN = {"Task", "Succeed", "Fail"}


def arrows(name):
    """(target, waits) for every shown state that can follow `name`, through Choices, Waits and Passes."""
    found, waiting = [], [(target, False) for target in successors(states()[name])]
    while waiting:
        target, waits = waiting.pop(0)
        following = states()[target]
        waits = waits or following["Type"] == "Wait"
        if following["Type"] not in SHOWN:
            waiting += [(after, waits) for after in successors(following)]
        elif target not in [already for already, _ in found]:
            found.append((target, waits))
    return found


def chart():
    lines = ["```mermaid", "flowchart TD"]
    for name, state in states().items():
        if state["Type"] == "Task":
            lines.append(f"    {name}[{name}]")
        elif state["Type"] in SHOWN:
            lines.append(f"    {name}([{name}]):::{state['Type'].lower()}")
    for name, state in states().items():
        for target, waits in arrows(name) if state["Type"] == "Task" else []:
            lines.append(f"    {name} {'-. wait .->' if waits else '-->'} {target}")
    lines += ["    classDef succeed fill:#d7f0dd,stroke:#2b7a3d,color:#123", "    classDef fail fill:#f8dcdc,stroke:#a33,color:#311", "```"]
    return "\n".join(lines)


def drawn_into(readme):
    """The README with the current picture between its markers."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{chart()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(drawn_into(path.read_text()))
    print(f"drew {len(machine()['States'])} states into README.md")
