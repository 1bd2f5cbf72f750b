"""What the checks read: the state machine, the template as written and as the SAM transform leaves it."""

import json
import pathlib
import re
from functools import cache

import jsonata
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXPRESSION = re.compile(r"^\{%(.*)%\}$", re.DOTALL)


@cache
def machine():
    """The state machine as committed, substitutions unresolved."""
    return json.loads((ROOT / "statemachine.asl.json").read_text())


def states():
    return machine()["States"]


def tasks():
    return {name: state for name, state in states().items() if state["Type"] == "Task"}


def functions_called():
    """State -> logical id of the function that it invokes, for the Tasks that invoke one."""
    called = {}
    for name, state in tasks().items():
        found = re.fullmatch(r"\$\{(\w+)Arn\}", state["Arguments"].get("FunctionName", ""))
        if found:
            called[name] = found.group(1)
    return called


def successors(state):
    """The states that may follow this one, catchers included."""
    following = [state[key] for key in ("Next", "Default") if key in state]
    following += [choice["Next"] for choice in state.get("Choices", [])]
    return following + [catcher["Next"] for catcher in state.get("Catch", [])]


def reachable(start, without=()):
    """Every state that an execution can enter from `start`, never passing through `without`."""
    seen, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name not in seen and name not in without:
            seen.add(name)
            waiting += successors(states()[name])
    return seen


def strings(node, path=""):
    """Every string below a node, with its path."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from strings(value, f"{path}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from strings(value, f"{path}/{index}")


def expressions(node):
    """Every JSONata expression below a node, with its path."""
    for path, text in strings(node):
        found = EXPRESSION.match(text)
        if found:
            yield path, found.group(1)


def evaluate(text, document, context=None, result=None):
    engine = jsonata.Jsonata.jsonata(EXPRESSION.match(text).group(1).strip())
    frame = engine.create_frame()
    frame.bind("states", {"input": document, "context": context or {}, "result": result or {}})
    return engine.evaluate(None, frame)


def next_of(name, document):
    """Where a Choice goes; a condition must be a boolean, as Step Functions demands."""
    for choice in states()[name]["Choices"]:
        answer = evaluate(choice["Condition"], document)
        assert isinstance(answer, bool), (name, answer)
        if answer:
            return choice["Next"]
    return states()[name]["Default"]


def rust(file):
    """A file of the rules, without its tests."""
    return (ROOT / "functions/rules/src" / file).read_text().split("#[cfg(test)]")[0]


def camel(pascal):
    return pascal[0].lower() + pascal[1:]


def words(file, enum):
    """The words of a Rust enum as JSON spells them, each with the comment above it."""
    body = re.search(rf"pub enum {enum} \{{\n(.*?)^\}}", rust(file), re.MULTILINE | re.DOTALL).group(1)
    found = re.findall(r"((?:^    ///.*\n)+)^    ([A-Z]\w+)", body, re.MULTILINE)
    assert found
    return {camel(name): comment for comment, name in found}


def said(enum, *files):
    """The words of an enum that these files name."""
    return {camel(name) for file in files for name in re.findall(rf"\b{enum}::([A-Z]\w+)", rust(file))}


def fields(file, struct):
    """The fields of a Rust struct as JSON spells them."""
    body = re.search(rf"pub struct {struct} \{{\n(.*?)^\}}", rust(file), re.MULTILINE | re.DOTALL).group(1)
    return {re.sub(r"_(\w)", lambda it: it.group(1).upper(), name) for name in re.findall(r"^    pub (\w+):", body, re.MULTILINE)}


@cache
def template():
    return yaml_parse((ROOT / "template.yaml").read_text())


@cache
def pipeline():
    """The pipeline's template as written; it needs no transform."""
    return yaml_parse((ROOT / "pipeline.yaml").read_text())


@cache
def observability():
    """The template of dashboard and alarms as written; it needs no transform."""
    return yaml_parse((ROOT / "observability.yaml").read_text())


def resources(kind):
    return {name: r["Properties"] for name, r in template()["Resources"].items() if r["Type"] == kind}


def lambdas():
    """Every function, with its properties: those of executions, and the one without versions that instances ask."""
    return {**resources("AWS::Serverless::Function"), **resources("AWS::Lambda::Function")}


def holds(test, tree=template, **given):
    """Whether a condition, or what a rule asserts, holds with these parameters; the others have their defaults."""
    if isinstance(test, str):
        return holds(tree()["Conditions"][test], tree, **given)
    ((kind, operands),) = test.items()
    match kind:
        case "Condition":
            return holds(operands, tree, **given)
        case "Fn::Not":
            return not holds(operands[0], tree, **given)
        case "Fn::And":
            return all([holds(operand, tree, **given) for operand in operands])
        case "Fn::Or":
            return any([holds(operand, tree, **given) for operand in operands])
        case "Fn::Equals":
            values = [resolved(it, tree, **given) for it in operands]
            return values[0] == values[1]
    raise AssertionError(f"no test knows {kind}")


NOTHING = {"Ref": "AWS::NoValue"}
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}


def resolved(node, tree=template, **given):
    """What CloudFormation makes of a node with these parameters; the others have their defaults, resources are named by their ids."""
    if isinstance(node, list):
        return [resolved(it, tree, **given) for it in node if resolved(it, tree, **given) != NOTHING]
    if not isinstance(node, dict):
        return node
    if node == NOTHING:
        return node
    match next(iter(node.items()), None) if len(node) == 1 else None:
        case ("Ref", name) if name in tree()["Parameters"]:
            return given.get(name, tree()["Parameters"][name].get("Default"))
        case ("Ref" | "Fn::GetAtt", name):
            return PSEUDO.get(name, name) if isinstance(name, str) else ".".join(name)
        case ("Fn::If", [condition, then, other]):
            return resolved(then if holds(condition, tree, **given) else other, tree, **given)
        case ("Fn::Join", [between, parts]):
            return between.join(map(str, resolved(parts, tree, **given)))
        case ("Fn::Split", [at, text]):
            return resolved(text, tree, **given).split(at)
        case ("Fn::Select", [which, of]):
            return resolved(of, tree, **given)[which]
        case ("Fn::Sub", [text, more]):
            more = resolved(more, tree, **given)
            return re.sub(r"\$\{([\w:.]+)\}", lambda it: str(more[it[1]] if it[1] in more else resolved({"Ref": it[1]}, tree, **given)), text)
        case ("Fn::Sub", text):
            return resolved({"Fn::Sub": [text, {}]}, tree, **given)
    return {key: resolved(value, tree, **given) for key, value in node.items() if resolved(value, tree, **given) != NOTHING}


@cache
def transformed():
    """The template after the SAM transform: what CloudFormation creates and IAM sees."""
    source = yaml_parse((ROOT / "template.yaml").read_text())
    for properties in (r["Properties"] for r in source["Resources"].values()):
        if "CodeUri" in properties:
            properties["CodeUri"] = "s3://bucket/key"
        if "DefinitionUri" in properties:
            properties["DefinitionUri"] = "s3://bucket/key"
    source["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    import boto3

    session = boto3.session.Session(region_name="us-east-1")
    return Translator({}, Parser(), boto_session=session).translate(source, {})


def kebab(pascal):
    """DrainIdle -> drain-idle: the design's one name in four spellings."""
    return re.sub(r"(?<!^)([A-Z])", r"-\1", pascal).lower()
