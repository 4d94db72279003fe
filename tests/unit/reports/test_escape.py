from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.reports import escape


@given(st.text(st.characters()))
def test_nothing_that_steers_a_terminal_comes_through(text: str) -> None:
    shown = escape.printable(text)
    assert not any(
        unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"} for character in shown if character not in "\n\t"
    )


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert escape.printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202eevil", "\\u202eevil"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("bell\x07", "bell\\x07"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_what_steers_is_shown_by_its_number(text: str, shown: str) -> None:
    assert escape.printable(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", "\\x3a:error::x"),
        ("a\n  ::error::x", "a\n  \\x3a:error::x"),
        ("\u2003::error::x", "\u2003\\x3a:error::x"),
        ("a ##[error]x", "a \\x23#[error]x"),
        ("##vso[task.x]", "\\x23#vso[task.x]"),
        ("a.py::test_x and std::vector", "a.py::test_x and std::vector"),
        ("## a title", "## a title"),
    ],
)
def test_no_log_takes_a_text_for_a_command(text: str, shown: str) -> None:
    assert escape.printable(text) == shown


@given(st.text(st.sampled_from(list(":#[x \n\t\u2028\r")), max_size=30))
def test_no_line_of_a_text_begins_as_a_command_does(text: str) -> None:
    shown = escape.printable(text)
    assert not any(line.lstrip().startswith("::") for line in shown.split("\n"))
    assert "##[" not in shown


def test_what_xml_has_no_form_for_is_shown_by_its_number() -> None:
    assert escape.printable("a\ufffe\ufdd0\U0001ffff") == "a\\ufffe\\ufdd0\\U0001ffff"


def test_a_name_is_of_bearable_length() -> None:
    assert len(escape.name("x" * 1_000_000)) < 160


@given(st.text())
def test_a_line_is_one_line(text: str) -> None:
    assert len(escape.line(text).splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "\\<script\\>alert\\(1\\)\\</script\\>"),
        ("a | b", "a \\| b"),
        ("`code`", "\\`code\\`"),
        ("# title\n- item", "\\# title - item"),
        ("[x](javascript:y)", "\\[x\\]\\(javascript:y\\)"),
        ("see https://example.com", "see https&#58;//example.com"),
        ("@someone", "&#64;someone"),
        ("a & b", "a &amp; b"),
    ],
)
def test_markdown_shows_text_literally(text: str, shown: str) -> None:
    assert escape.markdown(text) == shown


def test_long_text_is_shortened_and_says_by_how_much() -> None:
    assert escape.shortened("abcdef", most=4) == "abcd ... (+2 characters)"
    assert escape.shortened("abcd", most=4) == "abcd"
