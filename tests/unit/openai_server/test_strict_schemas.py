from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel

from tests.openai_server.messages import ServiceError
from tests.openai_server.strict_schemas import completed, refuse_unsupported_schema, smallest

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def strict(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def larger(schemas: SearchStrategy[dict[str, Any]]) -> SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.builds(strict, st.dictionaries(st.text(min_size=1, max_size=5), schemas, max_size=3)),
        st.builds(lambda item, least: {"type": "array", "items": item, "minItems": least}, schemas, st.integers(0, 2)),
        st.builds(lambda option: {"anyOf": [option, {"type": "null"}]}, schemas),
    )


PLAIN: SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "enum": ["high", "low"]},
        {"type": "integer", "minimum": 3},
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "boolean"},
        {"type": ["string", "null"]},
        {"const": "trace"},
    ]
)


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.recursive(PLAIN, larger, max_leaves=6), max_size=4))
def test_the_smallest_answer_fits_its_schema(properties: dict[str, Any]) -> None:
    schema = strict(properties)
    refuse_unsupported_schema(schema, "answer")
    Draft202012Validator(schema).validate(smallest(schema))


class Quote(BaseModel):
    run: int
    text: str | None


class Answer(BaseModel):
    kind: Literal["tool", "prompt"]
    quotes: list[Quote]
    best: Quote


def test_the_schemas_that_the_sdk_makes_are_accepted_and_answered() -> None:
    schema = to_strict_json_schema(Answer)
    refuse_unsupported_schema(schema, "Answer")
    assert Answer.model_validate(smallest(schema)) == Answer(kind="tool", quotes=[], best=Quote(run=0, text=None))


def test_what_an_answer_lacks_is_completed_at_every_depth() -> None:
    schema = to_strict_json_schema(Answer)
    found = completed(schema, {"kind": "prompt", "quotes": [{"run": 3}]})
    assert found == {"kind": "prompt", "quotes": [{"run": 3, "text": None}], "best": {"run": 0, "text": None}}


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "array", "items": {}}, "schema must be a JSON Schema of 'type: \"object\"'"),
        ({"type": "object", "properties": {}}, "'additionalProperties' is required"),
        (strict({"a": {"type": "object"}}), r"In context=\('properties', 'a'\), 'additionalProperties' is required"),
        (strict({"a": {"type": "string"}}) | {"required": []}, "Missing 'a'"),
        (strict({"a": {"type": "string", "default": ""}}), "'default' is not permitted"),
        (strict({"a": {"oneOf": [{"type": "string"}]}}), "'oneOf' is not permitted"),
        (strict({"a": {"type": "array", "items": {"allOf": []}}}), "'allOf' is not permitted"),
        (strict({"a": {"$ref": "#/$defs/A", "description": "it"}}), r"\$ref cannot have keywords {'description'}"),
        (strict({}) | {"$defs": {"A": {"type": "object"}}}, r"In context=\('\$defs', 'A'\)"),
    ],
)
def test_what_strict_output_does_not_accept_is_refused(schema: dict[str, Any], problem: str) -> None:
    with pytest.raises(ServiceError, match=problem) as refused:
        refuse_unsupported_schema(schema, "answer")
    assert refused.value.answer.body["error"]["param"] == "text.format.schema"


def test_a_schema_nested_too_deeply_is_refused() -> None:
    schema = strict({})
    for _ in range(11):
        schema = strict({"a": schema})
    with pytest.raises(ServiceError, match="nested more than 10 levels deep"):
        refuse_unsupported_schema(schema, "answer")
