"""The patterns of others take a bounded time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery import timed_regex
from pytest_refinery.errors import CheckError
from pytest_refinery.expectations import answer_schema, fields
from pytest_refinery.scrubbing.scrubber import Scrubber
from pytest_refinery.timed_regex import PatternTimeoutError

ENDLESS = r"(\w+\s?)+$"
TEXT = "word " * 5_000 + "!"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed_regex, "SECONDS", 0.2)


def test_a_search_without_end_is_given_up() -> None:
    begin = time.process_time()
    with pytest.raises(PatternTimeoutError, match=r"needs more than 0.2 s on this text"):
        timed_regex.search(ENDLESS, TEXT)
    assert time.process_time() - begin < 5


def test_it_is_undecided_and_named() -> None:
    with pytest.raises(CheckError, match="could not be decided: the pattern"):
        fields.search(ENDLESS, TEXT)


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": ENDLESS},
        {"properties": {"a": {"items": {"pattern": ENDLESS}}}},
        {"patternProperties": {ENDLESS: False}},
        {"patternProperties": {ENDLESS: True}, "additionalProperties": False},
    ],
)
def test_a_schema_is_undecided_too(schema: dict[str, object]) -> None:
    value = TEXT if "pattern" in schema else {TEXT: 1, "a": [TEXT]}
    with pytest.raises(CheckError, match="could not be decided"):
        answer_schema.violation(value, schema)


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"pattern": "^a"}, "ba", "'ba' does not match '^a'"),
        ({"pattern": "^a"}, "ab", None),
        ({"pattern": "^a"}, 7, None),
        ({"patternProperties": {"^n": {"type": "integer"}}}, {"n1": "x", "m": "x"}, "'x' is not of type 'integer'"),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"a": 1, "b": 2}, "('b' was unexpected)"),
        ({"patternProperties": {"^b": {}}, "additionalProperties": False}, {"b": 2}, None),
        ({"additionalProperties": {"type": "string"}}, {"b": 2}, "2 is not of type 'string'"),
    ],
)
def test_schemas_mean_what_they_did(schema: dict[str, object], value: object, said: str | None) -> None:
    found = answer_schema.violation(value, schema)
    assert found is None if said is None else said in str(found)


def test_what_a_user_wants_removed_takes_a_bounded_time_too() -> None:
    from pytest_refinery.errors import CassetteError

    with pytest.raises(CassetteError, match="Of refinery_scrub, the pattern"):
        Scrubber(patterns=(ENDLESS,)).text(TEXT)


_PATTERNS = [
    "a+b",
    r"\d{2,4}",
    "(?i)hello",
    r"^\s*$",
    "(?P<x>a)(?P=x)",
    r"[^\W_]+",
    "a|b|",
    r"(?<!\w)x(?=y)",
    r"\bthe\b",
    "(?m)^b",
    ".",
]


@given(st.sampled_from(_PATTERNS), st.text("ab xy1\n theHELLO", max_size=30))
def test_it_finds_what_the_engine_of_python_finds(pattern: str, text: str) -> None:
    expected = re.search(pattern, text)
    assert timed_regex.search(pattern, text) == (expected.span() if expected else None)
