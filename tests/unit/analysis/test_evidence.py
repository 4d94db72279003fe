from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis.evidence import Verifier
from pytest_refinery.analysis.schemas import Evidence
from pytest_refinery.digest.lines import fold
from pytest_refinery.traces.model import Run, Trace
from tests.fakes import make_trace


def check(trace: Trace, quote: str, run_id: str = "r1", shown: str = "") -> Evidence:
    (found,) = Verifier(trace, shown={"r1": shown}).verified([Evidence(run_id=run_id, quote=quote)])
    return found


def test_a_quote_that_stands_in_its_run_is_verified() -> None:
    assert check(make_trace("I will do so from now on."), "from now on").verified


def test_a_quote_that_stands_nowhere_is_not() -> None:
    assert not check(make_trace("I will do so."), "from now on").verified


def test_an_analyst_cannot_verify_itself() -> None:
    (found,) = Verifier(make_trace("a b c"), shown={}).verified([Evidence(run_id="r1", quote="x y z", verified=True)])
    assert not found.verified


def test_white_space_is_folded_on_both_sides() -> None:
    assert check(make_trace("from\n  now\t on"), "from now\non").verified


def test_a_quote_from_another_run_is_led_to_that_run() -> None:
    assert check(make_trace("nothing", "from now on"), "from now on").run_id == "r2"


@pytest.mark.parametrize("quote", ["", "  ", "a", " o "])
def test_a_quote_too_short_to_mean_anything_is_not_evidence(quote: str) -> None:
    assert not check(make_trace("a o a o"), quote).verified


def test_a_quote_from_what_the_analyst_was_shown_counts() -> None:
    assert check(make_trace("x"), 'get_order(id="7")', shown='1 tool get_order(id="7")').verified


def test_a_quote_of_recorded_json_counts() -> None:
    trace = Trace(id="t", name="t", runs=(Run(id="r1", name="n", kind="tool", inputs={"product": {"id": 7}}),))
    assert check(trace, '"product": {"id": 7}').verified


def test_the_same_quote_is_given_once() -> None:
    twice = [Evidence(run_id="r1", quote="from now on"), Evidence(run_id="r1", quote="from  now on", why="again")]
    assert len(Verifier(make_trace("from now on"), shown={}).verified(twice)) == 1


@given(st.text(min_size=3), st.integers(0, 50), st.integers(3, 60))
def test_any_part_of_a_text_is_found_again(text: str, start: int, length: int) -> None:
    quote = text[start : start + length]
    assert check(make_trace(text), quote).verified == (len(fold(quote)) >= 3)


def test_a_quote_that_shows_control_characters_as_the_digest_does_is_found() -> None:
    assert check(make_trace("red \x1b[31m alert"), "red ␛[31m alert").verified
