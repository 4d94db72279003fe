from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.digest import tokens


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("", 0),
        ("The quick brown fox jumps over the lazy dog.", 10),
        ('{"order_id": "#W4082615", "items": [{"price": 54.11}]}', 22),
        ("Ich möchte meine Bestellung ändern, bitte.", 8),
        ("#7 llm ScriptedChatModel ^6 1ms c1 in m2,m1 out m3\n", 24),
    ],
)
def test_estimate_is_near_what_o200k_counts(text: str, counted: int) -> None:
    assert counted * 0.9 <= tokens.estimate(text) <= counted * 1.5


@given(st.text(max_size=60), st.text(max_size=60))
def test_joined_lines_never_cost_more_than_their_sum(first: str, second: str) -> None:
    assert tokens.estimate(f"{first}\n{second}") <= tokens.estimate(first) + 1 + tokens.estimate(second)


@given(st.text(alphabet="ab c1.é\n", max_size=200), st.integers(1, 20))
def test_cut_loses_nothing_and_keeps_the_limit(text: str, most: int) -> None:
    pieces = list(tokens.cut(text, most=most))
    assert "".join(pieces) == text
    assert all(tokens.estimate(piece) <= most for piece in pieces)


def test_cut_prefers_line_ends_then_spaces() -> None:
    assert list(tokens.cut("one two\nthree four five", most=4)) == ["one two\n", "three four five"]
    assert list(tokens.cut("one two three four five", most=4)) == ["one two three four ", "five"]


def test_a_line_of_a_megabyte_is_cut_in_one_pass() -> None:
    pieces = list(tokens.cut("x" * 1_000_000, most=1000))
    assert len(pieces) == 125
