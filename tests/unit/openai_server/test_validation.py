from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.openai_server import validation
from tests.openai_server.messages import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

STRICT = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def refused(rule: Callable[[dict[str, Any]], None], body: dict[str, Any]) -> tuple[str, str]:
    """Return the parameter and the code of a refusal."""
    with pytest.raises(ServiceError) as error:
        rule(body)
    assert error.value.answer.status == 400
    found = error.value.answer.body["error"]
    assert found["type"] == "invalid_request_error"
    return found["param"], found["code"]


def formatted(**options: object) -> dict[str, Any]:
    return {"model": "gpt-4o", "text": {"format": {"type": "json_schema", **options}}}


def searching(**options: object) -> dict[str, Any]:
    return {"model": "gpt-4o", "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"], **options}]}


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "model", "missing_required_parameter"),
        ({"max_output_tokens": 15}, "max_output_tokens", "integer_below_min_value"),
        ({"max_output_tokens": "many"}, "max_output_tokens", "invalid_type"),
        ({"temperature": -1}, "temperature", "decimal_below_min_value"),
        ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"temperature": 0.2, "model": "o3"}, "temperature", "unsupported_parameter"),
        ({"temperature": 0.2, "model": "gpt-5-mini"}, "temperature", "unsupported_parameter"),
        ({"temperature": 0.2, "model": "gpt-5.6-luna"}, "temperature", "unsupported_parameter"),
        (
            {"temperature": 0.2, "model": "gpt-5.1", "reasoning": {"effort": "low"}},
            "temperature",
            "unsupported_parameter",
        ),
        ({"reasoning": {"effort": "low"}}, "reasoning.effort", "unsupported_parameter"),
        ({"include": ["everything"]}, "include[0]", "invalid_value"),
        ({"stream": True}, "stream", "unsupported_parameter"),
        ({"metadata": {"key": "v" * 513}}, "metadata.key", "string_above_max_length"),
        ({"metadata": {"key": 1}}, "metadata.key", "invalid_type"),
        (formatted(json_schema={"name": "x", "schema": STRICT}), "text.format.name", "missing_required_parameter"),
        (formatted(name="x"), "text.format.schema", "missing_required_parameter"),
        (formatted(name="x y", schema=STRICT), "text.format.name", "invalid_value"),
        (formatted(name="x", schema=STRICT, nested=True), "text.format.nested", "unknown_parameter"),
        (formatted(name="x", schema={"type": "object"}, strict=True), "text.format.schema", "invalid_json_schema"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
        (searching(max_num_results=0), "tools[0].max_num_results", "integer_below_min_value"),
        (searching(max_num_results=51), "tools[0].max_num_results", "integer_above_max_value"),
        (searching(vector_store_ids=None), "tools[0].vector_store_ids", "missing_required_parameter"),
        (searching(limit=3), "tools[0].limit", "unknown_parameter"),
        (searching(filters={"type": "is"}), "tools[0].filters.type", "invalid_value"),
        (searching(filters={"type": "eq", "key": "group"}), "tools[0].filters.value", "missing_required_parameter"),
        (searching(filters={"type": "in", "key": "group", "value": "g01"}), "tools[0].filters.value", "invalid_type"),
        (
            searching(filters={"type": "and", "filters": [{"type": "eq", "value": 1}]}),
            "tools[0].filters.filters[0].key",
            "missing_required_parameter",
        ),
    ],
)
def test_a_wrong_request_for_a_response_is_refused(body: dict[str, Any], param: str, code: str) -> None:
    assert refused(validation.response, {"model": "gpt-4o"} | body if body else {}) == (param, code)


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 0.2},
        {"temperature": 0.2, "model": "gpt-5.1"},
        {"temperature": 0.2, "model": "gpt-5.1", "reasoning": {"effort": "none"}},
        {"temperature": 0.2, "model": "gpt-5-chat-latest"},
        {"reasoning": {"effort": "low"}, "model": "o4-mini"},
        {"max_output_tokens": 16, "include": ["file_search_call.results"]},
        formatted(name="answer_1", schema=STRICT, strict=True),
        formatted(name="free", schema={"type": "object"}),
        searching(max_num_results=50, filters={"type": "nin", "key": "group", "value": ["g01"]}),
    ],
)
def test_a_right_request_for_a_response_is_let_through(body: dict[str, Any]) -> None:
    validation.response({"model": "gpt-4o"} | body)


@pytest.mark.parametrize(
    ("static", "param"),
    [
        ({"max_chunk_size_tokens": 99, "chunk_overlap_tokens": 0}, "max_chunk_size_tokens"),
        ({"max_chunk_size_tokens": 4_097, "chunk_overlap_tokens": 0}, "max_chunk_size_tokens"),
        ({"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 401}, "chunk_overlap_tokens"),
        ({"max_chunk_size_tokens": 800}, "chunk_overlap_tokens"),
    ],
)
def test_chunks_have_limits(static: dict[str, int], param: str) -> None:
    body = {"file_id": "file-1", "chunking_strategy": {"type": "static", "static": static}}
    assert refused(validation.attached_file, body)[0] == f"chunking_strategy.static.{param}"


@pytest.mark.parametrize(
    ("attributes", "param", "code"),
    [
        ({f"key{n}": n for n in range(17)}, "attributes", "object_above_max_properties"),
        ({"k" * 65: 1}, "attributes", "string_above_max_length"),
        ({"key": "v" * 513}, "attributes.key", "string_above_max_length"),
        ({"key": ["v"]}, "attributes.key", "invalid_type"),
    ],
)
def test_attributes_have_limits(attributes: dict[str, Any], param: str, code: str) -> None:
    assert refused(validation.attached_file, {"file_id": "file-1", "attributes": attributes}) == (param, code)
    assert refused(validation.attributes, {"attributes": attributes}) == (param, code)
    body = {"files": [{"file_id": "file-1"}, {"file_id": "file-2", "attributes": attributes}]}
    assert refused(validation.batch, body) == (f"files[1].{param}", code)


def test_the_largest_attributes_and_chunks_are_accepted() -> None:
    attributes = {f"{n:064}": "v" * 512 for n in range(14)} | {"number": 1.5, "flag": True}
    chunking = {"type": "static", "static": {"max_chunk_size_tokens": 4_096, "chunk_overlap_tokens": 2_048}}
    validation.batch({"file_ids": ["file-1"] * 2_000, "attributes": attributes, "chunking_strategy": chunking})


@pytest.mark.parametrize(
    ("body", "param"),
    [({}, "file_ids"), ({"file_ids": ["file-1"] * 2_001}, "file_ids"), ({"files": [{}]}, "files[0].file_id")],
)
def test_a_batch_needs_files_and_not_too_many(body: dict[str, Any], param: str) -> None:
    assert refused(validation.batch, body)[0] == param


@pytest.mark.parametrize(
    ("rule", "expiry", "param"),
    [
        (validation.vector_store, {"anchor": "last_active_at", "days": 0}, "expires_after.days"),
        (validation.vector_store, {"anchor": "last_active_at", "days": 366}, "expires_after.days"),
        (validation.vector_store, {"anchor": "created_at", "days": 1}, "expires_after.anchor"),
        (validation.file, {"anchor": "created_at", "seconds": 3_599}, "expires_after.seconds"),
        (validation.file, {"anchor": "created_at", "seconds": 2_592_001}, "expires_after.seconds"),
        (validation.file, {"anchor": "last_active_at", "seconds": 3_600}, "expires_after.anchor"),
    ],
)
def test_expiry_has_limits(rule: Callable[[dict[str, Any]], None], expiry: dict[str, Any], param: str) -> None:
    assert refused(rule, {"purpose": "assistants", "expires_after": expiry})[0] == param


def test_an_upload_says_what_it_is_for() -> None:
    assert refused(validation.file, {}) == ("purpose", "missing_required_parameter")
    assert refused(validation.file, {"purpose": "fun"}) == ("purpose", "invalid_value")


def test_a_parameter_that_does_not_exist_is_named() -> None:
    with pytest.raises(ServiceError, match=r"Unknown parameter: 'tools\[0\]\.limit'\."):
        validation.known_parameters({"limit": 1}, {"type"}, "tools[0].")
