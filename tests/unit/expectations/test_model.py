from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given

from pytest_refinery.errors import ExpectationFileError
from pytest_refinery.expectations import loader, model, yaml_document
from pytest_refinery.expectations.checks import Check
from tests.unit.expectations.test_loader import FILES, STORY

SCHEMA = jsonschema.Draft202012Validator(model.json_schema())


def described(schema: Any, path: str = "") -> list[tuple[str, bool]]:  # noqa: ANN401  (a JSON Schema)
    """Return each property of a schema with whether it has a description."""
    found = [(f"{path}.{name}", "description" in inner) for name, inner in schema.get("properties", {}).items()]
    parts = [*schema.get("$defs", {}).items(), *((str(n), part) for n, part in enumerate(schema.get("anyOf", [])))]
    return found + [item for name, part in parts for item in described(part, f"{path}.{name}")]


def test_the_schema_is_one() -> None:
    schema = model.json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_every_key_is_described_for_editors() -> None:
    properties = described(model.json_schema())
    assert len(properties) > 25
    assert [name for name, has_description in properties if not has_description] == []


def test_a_good_file_meets_the_schema() -> None:
    SCHEMA.validate(yaml.safe_load(STORY))


@pytest.mark.parametrize(
    "check",
    [
        "output: {contains: x, not_contains: [x, y], matches: x, not_matches: [x], equals: x, json_schema: {}}",
        "tools: {called: a, not_called: [b], in_order: [a, b], arguments: {a: {b: [1]}}, at_most: 3}",
        "tools: {at_most: {a: 0}}",
        "errors: none",
        "errors: {none: true, at_most: 1, not_matches: x}",
        "runs: {at_most: 1, kind: llm, name: x}",
        "latency: {seconds: 0.5}",
        "tokens: {at_most: 1}",
        "python: my_checks:has_no_gap",
    ],
)
def test_every_form_of_a_check_meets_the_schema_and_loads(check: str) -> None:
    text = f"trace: t\nexpectations:\n- expect: x\n  checks:\n  - {check}\n"
    SCHEMA.validate(yaml.safe_load(text))
    assert len(loader.parse(text, source="a")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "trace: t",
        "{trace: t, expectations: []}",
        "{trce: t, expectations: [{expect: x}]}",
        "{trace: ~, expectations: [{expect: x}]}",
        "{trace: t, tags: [], expectations: [{expect: x}]}",
        "{trace: t, tags: a b, expectations: [{expect: x}]}",
        "{trace: t, expectations: [{id: x}]}",
        "{trace: t, expectations: [{expect: x, id: 'a/b'}]}",
        "{trace: t, expectations: [{expect: x, checks: [{}]}]}",
        "{trace: t, expectations: [{expect: x, checks: [{outpud: {equals: x}}]}]}",
        "{trace: t, expectations: [{expect: x, checks: [{errors: none, runs: {at_most: 1}}]}]}",
        "{trace: t, expectations: [{expect: x, checks: [{errors: no}]}]}",
        "{trace: t, expectations: [{expect: x, checks: [{output: {}}]}]}",
        "{trace: t, expectations: [{expect: x, checks: [{output: {contains: []}}]}]}",
        "{trace: t, expectations: [{expect: x, checks: [{output: {equals: ~}}]}]}",
        "{trace: t, expectations: [{expect: x, checks: [{tools: {at_most: -1}}]}]}",
        "{trace: t, expectations: [{expect: x, checks: [{tools: {arguments: {}}}]}]}",
        "{trace: t, expectations: [{expect: x, checks: [{latency: {seconds: 0}}]}]}",
    ],
)
def test_a_bad_file_violates_the_schema_and_does_not_load(text: str) -> None:
    assert not SCHEMA.is_valid(yaml.safe_load(text))
    with pytest.raises(ExpectationFileError):
        loader.parse(text, source="a")


@given(FILES)
def test_what_loads_meets_the_schema(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    try:
        loader.parse(text, source="a")
    except ExpectationFileError:
        return
    document = yaml_document.read(text)
    assert document is not None
    SCHEMA.validate(document.value)


def test_contributed_checks_can_be_told_to_editors() -> None:
    file = {"trace": "t", "expectations": [{"expect": "x", "checks": [{"tone": {"polite": True}}]}]}
    assert not SCHEMA.is_valid(file)
    jsonschema.Draft202012Validator(model.json_schema(custom=["tone"])).validate(file)


def test_the_keys_of_a_place_are_those_of_its_model() -> None:
    assert model.keys_at(()) == ("trace", "project", "agent", "inputs", "prompts", "evals", "tags", "expectations")
    assert model.keys_at(("expectations", 0, "checks", 1)) == tuple(Check.model_fields)
    assert model.keys_at(("expectations", 0, "checks", 1, "latency")) == ("seconds",)


def test_an_expectation_dumps_to_plain_json_and_back() -> None:
    first = loader.parse(STORY, source="a")[0]
    dumped = first.model_dump(mode="json", exclude_defaults=True)
    assert dumped["checks"] == [{"output": {"not_contains": ["from now on"]}}]
    assert model.Expectation.model_validate(dumped) == first
