from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.expectations.verdicts import Decision, Verdict, counted, of_assertion, quoted, verdict
from tests.unit.expectations.made import make_run


def test_a_message_says_what_was_expected_what_was_there_and_in_which_run() -> None:
    decision = Decision(passed=False, expected="the answer 'yes'", actual="'no'")
    found = verdict("output.equals", make_run("r1", name="agent"), decision)
    assert found.message == "expected the answer 'yes', was 'no' (in run 'agent', id r1)"


def test_a_message_without_a_run_names_none() -> None:
    assert Verdict("errors.none", passed=True, expected="no failed run", actual="none").message == (
        "expected no failed run, was none"
    )


def test_control_and_direction_characters_are_shown_as_escapes() -> None:
    assert quoted("a\x1b[31m\nb\u202ec\x00") == "'a\\x1b[31m\\nb\\u202ec\\x00'"


def test_a_long_text_is_cut_around_the_place() -> None:
    shown = quoted("a" * 1000 + "HERE" + "b" * 1000, at=1000)
    assert shown == "'… " + "a" * 150 + "HERE" + "b" * 146 + " …'"


def test_a_long_text_is_cut_at_its_end_only_when_its_beginning_is_meant() -> None:
    assert quoted("x" * 301) == "'" + "x" * 300 + " …'"


@given(st.text(max_size=2000), st.integers(0, 2000))
def test_a_quote_is_one_printable_line_of_bounded_length(text: str, at: int) -> None:
    shown = quoted(text, at=at)
    assert shown.isprintable()
    assert len(shown) <= 300 * len("\\U0010ffff") + len("'… …'") + 2


def test_numbers_are_counted_in_words() -> None:
    assert (counted(1, "run"), counted(12000, "run")) == ("1 run", "12,000 runs")


@pytest.mark.parametrize(
    ("said", "argument", "text"),
    [
        ("AssertionError: assert 'sold out' not in 'It is sold out.'", "sold out", "sold out"),
        ("assert \"it's\" in 'Nothing here'", "it's", None),
        ("my note\nassert 'a\\nb' not in 'x a\\nb'", "a\nb", "a\nb"),
        ("assert 'a very ... long text' in 'x'", None, None),
        ("assert 3 == 4", None, None),
        ("He says: assertive 'x' not in 'y'", None, None),
    ],
)
def test_an_assertion_about_words_says_which_as_data(said: str, argument: str | None, text: str | None) -> None:
    failure = of_assertion("The shop is open.", said)
    assert (failure.check, failure.argument, failure.text) == ("assertion", argument, text)
