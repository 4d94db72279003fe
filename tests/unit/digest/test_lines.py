from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.digest import lines

_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def test_control_characters_become_symbols() -> None:
    assert lines.visible("a\x00b\x1b[31mc\x7f\ud800") == "a␀b␛[31mc␡\ufffd"


def test_white_space_stays_as_it_is() -> None:
    assert lines.visible(f"a\tb{_LINE_ENDS}") == f"a\tb{_LINE_ENDS}"


@given(st.text())
def test_visible_text_can_be_written_and_printed(text: str) -> None:
    shown = lines.visible(text)
    shown.encode()
    assert not any(ord(char) < 0x20 and not char.isspace() for char in shown)
    assert lines.visible(shown) == shown


@given(st.text(alphabet=st.sampled_from("#m1 :" + _LINE_ENDS)))
def test_no_line_of_a_text_stands_in_the_first_column(text: str) -> None:
    assert all(line[:1] in {"", " "} for line in map(lines.indented, lines.split(text)))


@given(st.text())
def test_one_line_has_no_line_end(text: str) -> None:
    assert len(lines.one_line(text).splitlines()) <= 1


def test_fold_ignores_how_white_space_is_laid_out() -> None:
    assert lines.fold("  a \n\n b\tc ") == "a b c"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("get_order-details", "get_order-details"),
        ("my chain ^3", '"my chain ^3"'),
        ("user: m1", '"user: m1"'),
        ("a\n#1 llm", '"a\\n#1 llm"'),
        ("a\u2028b", '"a\\nb"'),
        ("", '""'),
    ],
)
def test_names_are_one_word_or_quoted(text: str, written: str) -> None:
    assert lines.name(text) == written


def test_long_names_are_cut() -> None:
    assert lines.name("x" * 300) == f'"{"x" * 200}"'
    assert lines.is_cut("x" * 300)
    assert not lines.is_cut("x" * 200)
