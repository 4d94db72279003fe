from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

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


class Order(BaseModel):
    number: int
    key: SecretStr = SecretStr("hidden")


@dataclasses.dataclass
class Answer:
    text: str
    order: Order


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


def itself() -> list[object]:
    found: list[object] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, None),
        (2.5, 2.5),
        ("text", "text"),
        ("half \ud800", "half ?"),
        ({"half": ["\ud800"]}, {"half": ["?"]}),
        ({"when": datetime(2026, 1, 2, tzinfo=UTC), 7: {1}}, {"when": "2026-01-02T00:00:00Z", "7": [1]}),
        (Answer("yes", Order(number=7)), {"text": "yes", "order": {"number": 7, "key": "**********"}}),
        (b"\xff", "_w=="),
        (itself(), "[[...]]"),
        ({"error": ValueError("no")}, {"error": "ValueError('no')"}),
    ],
)
def test_a_python_value_is_plain_or_described(value: object, found: object) -> None:
    assert json_values.plain(value) == found


def test_what_is_nested_without_end_is_described() -> None:
    value: object = 1
    for _ in range(200):
        value = [value]
    assert json_values.plain(value) == "[" * 200 + "1" + "]" * 200


def test_what_cannot_be_described_is_named() -> None:
    assert str(json_values.plain(Broken())).startswith("<")


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())) | st.binary(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.frozensets(st.integers())
        ),
    )
)
def test_any_value_can_be_written_as_json(value: object) -> None:
    json.dumps(json_values.plain(value)).encode()
