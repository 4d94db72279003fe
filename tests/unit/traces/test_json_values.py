from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.traces import json_values


@given(text=st.text(alphabet=st.characters(exclude_categories=())))
def test_whatever_a_text_escapes_the_value_can_be_written(text: str) -> None:
    value = json_values.parsed(json.dumps({"text": text}))
    assert str(value).encode()
    assert isinstance(value, dict)
    assert len(str(value["text"])) <= len(text)


@given(text=st.text())
def test_whole_characters_stay_what_they_are(text: str) -> None:
    assert json_values.parsed(json.dumps([text])) == [text]


@pytest.mark.parametrize("text", ["", "{", "nil", "[" * 100_000, "9" * 10_000, "[" * 200 + "]" * 200])
def test_what_cannot_be_worked_with_is_none(text: str) -> None:
    assert json_values.parsed(text) is None


@pytest.mark.parametrize("depth", [1, 149, 150, 151, 152])
def test_depth_counts_lists_and_objects(depth: int) -> None:
    value: object = 1
    for level in range(depth):
        value = [value] if level % 2 else {"x": value}
    assert json_values.is_too_deep(value) is (depth > json_values.DEEPEST)  # type: ignore[arg-type]
