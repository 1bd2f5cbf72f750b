"""docs/session-endpoint.yaml: a valid OpenAPI document whose examples are what its schemas say."""

import pytest
import yaml
from definition import ROOT
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate


def document():
    return yaml.safe_load((ROOT / "docs/session-endpoint.yaml").read_text())


def resolved(node, root):
    """A node with its local references put in place."""
    if isinstance(node, dict):
        if "$ref" in node:
            target = root
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            return resolved(target, root)
        return {key: resolved(value, root) for key, value in node.items()}
    return [resolved(value, root) for value in node] if isinstance(node, list) else node


def examples(node):
    """(schema, example) for every media type that has both."""
    if isinstance(node, dict):
        if "schema" in node:
            shown = [one["value"] for one in node.get("examples", {}).values() if "value" in one] if isinstance(node.get("examples"), dict) else []
            for example in shown + ([node["example"]] if "example" in node else []):
                yield node["schema"], example
        for value in node.values():
            yield from examples(value)
    elif isinstance(node, list):
        for value in node:
            yield from examples(value)


def test_it_is_valid_openapi():
    validate(document())


def test_every_example_is_what_its_schema_says():
    whole = document()
    found = list(examples(resolved(whole["paths"], whole)))
    assert len(found) >= 8
    for schema, example in found:
        Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize("call", ["drain", "resume", "seal"])
def test_the_calls_of_the_design_are_there(call):
    assert any(path.endswith(f"/{call}") and "post" in item for path, item in document()["paths"].items())
