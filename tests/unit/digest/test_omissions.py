from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_refinery.digest.omissions import Omission, Omissions
from pytest_refinery.traces.model import Run


def _noted(**fields: object) -> str:
    omissions = Omissions()
    omissions.note(Run.model_validate({"id": "1", "name": "run", "kind": "llm", **fields}))
    return str(omissions)


@pytest.mark.parametrize(
    ("inputs", "omission"),
    [
        ({"a": {"b": None}}, Omission.NULLS),
        ([{"role": "tool", "content": "x", "tool_call_id": "call_1"}], Omission.IDS),
        ([{"type": "ai", "content": "x", "id": "run-1"}], Omission.IDS),
        ({"kwargs": {"response_metadata": {"finish_reason": "stop"}}}, Omission.RESPONSE_METADATA),
        ([{"type": "image_url", "image_url": {"url": "data:"}}], Omission.MEDIA),
        ([{"role": "user", "content": "x", "score": 5}], Omission.MESSAGE_FIELDS),
    ],
)
def test_what_is_left_out_of_values_is_noted(inputs: object, omission: Omission) -> None:
    assert _noted(inputs=inputs) == omission


@pytest.mark.parametrize(
    ("fields", "omission"),
    [
        ({"started_at": datetime(2026, 1, 1, tzinfo=UTC)}, Omission.TIMES),
        ({"tags": ("a",)}, Omission.TAGS),
        ({"metadata": {"a": 1}}, Omission.TAGS),
        ({"usage": {"total_tokens": 1}}, Omission.USAGE),
        ({"template": {"lc": 1}}, Omission.TEMPLATES),
    ],
)
def test_what_is_left_out_of_runs_is_noted(fields: dict[str, object], omission: Omission) -> None:
    assert _noted(**fields) == omission


def test_nothing_is_noted_that_was_not_there() -> None:
    message = {"role": "user", "content": "x", "name": "Ann"}
    assert _noted(inputs=[message, {"response_metadata": {}}], outputs={"id": 7, "content": ["x"]}) == ""
