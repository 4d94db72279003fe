from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.llm.builtin import words


def test_forms_of_a_word_have_one_stem() -> None:
    assert words.content("cancelled cancelling cancels") == words.content("cancel") | words.content("cancelled")
    assert words.content("preferences") == words.content("preference")


def test_words_without_meaning_are_left_out() -> None:
    assert words.content("What should the agent have said about it?") == frozenset({"said"})


def test_figures_lose_signs_and_separators() -> None:
    assert words.figures("$1,250.50 of #A12, 3 in 2024.") == ["1250.50", "3", "2024"]


def test_ways_to_write_a_number_are_one_figure() -> None:
    assert words.normal("30.00") == words.normal("30") != words.normal("31")
    assert words.normal("1944967211334") != words.normal("1944967211335")


def test_a_quote_is_the_sentence_at_a_place() -> None:
    text = "First. The rate is 3.5 percent now! Last."
    assert words.quote(text, around=text.index("3.5")) == "The rate is 3.5 percent now!"


@given(st.text(max_size=800), st.integers(min_value=0, max_value=900))
def test_a_quote_stands_in_its_text_and_is_short(text: str, place: int) -> None:
    found = words.quote(text, around=min(place, len(text)))
    assert found in text
    assert len(found) <= words.LONGEST_QUOTE


@given(st.text(max_size=500), st.integers(min_value=1, max_value=200))
def test_what_is_shown_is_one_short_line(text: str, limit: int) -> None:
    found = words.shown(text, limit=limit)
    assert len(found) <= limit
    assert "\n" not in found
