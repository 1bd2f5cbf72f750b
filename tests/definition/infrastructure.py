"""The Terraform examples as the checks read them, and what the AWS provider knows of the resources in them."""

import json
import pathlib
import re
from functools import cache

import hcl2
from definition import ROOT

EXAMPLES = ROOT / "examples/terraform"
MODULES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


@cache
def provider():
    """Arguments, blocks and computed attributes of each resource type, as version 6.25 of the provider has them."""
    return json.loads((pathlib.Path(__file__).parent / "terraform-aws.json").read_text())


def bare(name):
    """A label or text without its quotes."""
    return name[1:-1] if name.startswith('"') else name


@cache
def module(name):
    """All files of a module as one list of (kind, labels, body)."""
    found = []
    for path in sorted((EXAMPLES / name).glob("*.tf")):
        with path.open() as file:
            for kind, entries in without_comments(hcl2.load(file)).items():
                found += [(kind, *unlabelled(entry)) for entry in entries]
    return found


def without_comments(node):
    """The parser keeps comments beside what they stand at."""
    if isinstance(node, dict):
        return {key: without_comments(value) for key, value in node.items() if "comments__" not in key}
    return [without_comments(value) for value in node] if isinstance(node, list) else node


def unlabelled(entry):
    """The labels around a block's body, and the body."""
    labels = []
    while [key[:1] for key in entry if key != "__is_block__"] == ['"']:
        (label,) = [key for key in entry if key != "__is_block__"]
        labels.append(bare(label))
        entry = entry[label]
    return labels, {key: value for key, value in entry.items() if key != "__is_block__"}


def of(name, kind):
    return {".".join(labels): body for found, labels, body in module(name) if found == kind}


def resources(name):
    """(type, name) -> body."""
    return {tuple(labels.split(".")): body for labels, body in of(name, "resource").items()}


def blocks(body):
    """The nested blocks of a body, each with its kind."""
    for key, value in body.items():
        if isinstance(value, list) and value and all(isinstance(item, dict) and item.get("__is_block__") for item in value):
            for item in value:
                yield key, {inner: text for inner, text in item.items() if inner != "__is_block__"}


def arguments(body):
    return set(body) - {key for key, _ in blocks(body)}


def ignored(body):
    """What a resource's lifecycle block ignores."""
    for key, block in blocks(body):
        if key == "lifecycle":
            return {re.sub(r"^\$\{(.*)\}$", r"\1", entry) for entry in block.get("ignore_changes", [])}
    return set()


def texts(node):
    """Every text below a node."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)
