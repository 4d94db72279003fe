from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis import fixes
from pytest_refinery.analysis.fixes import Edit
from pytest_refinery.analysis.ports import PromptFile
from pytest_refinery.analysis.schemas import SuggestedFix

SYSTEM = PromptFile("prompts/system.md", "You are a broker.\nBe helpful.\nBe brief.\n")
OTHER = PromptFile("prompts/other.md", "Be kind.\n")


def fix(before: str, after: str, *, file: str | None = None) -> SuggestedFix:
    return SuggestedFix(component="system prompt", file=file, before=before, after=after)


def located(suggested: SuggestedFix) -> SuggestedFix:
    return fixes.located(suggested, (OTHER, SYSTEM))


def test_a_fix_is_a_diff_of_the_file_that_holds_its_text() -> None:
    found = located(fix("Be helpful.", "Be helpful.\nYou cannot remember anything."))
    assert found.file == "prompts/system.md"
    assert found.diff.splitlines() == [
        "--- a/prompts/system.md",
        "+++ b/prompts/system.md",
        "@@ -1,3 +1,4 @@",
        " You are a broker.",
        " Be helpful.",
        "+You cannot remember anything.",
        " Be brief.",
    ]


def test_a_fix_without_a_passage_adds_to_the_end_of_the_file_it_names() -> None:
    assert located(fix("", "Say so.", file="prompts/other.md")).diff.endswith(" Be kind.\n+Say so.\n")
    assert located(fix("", "Say so.")).diff == ""


@pytest.mark.parametrize("name", ["prompts/system.md", "system.md", "/elsewhere/system.md"])
def test_a_file_is_known_by_its_path_or_the_last_part_of_it(name: str) -> None:
    assert located(fix("Be brief.", "Be very brief.", file=name)).file == "prompts/system.md"


@pytest.mark.parametrize("name", ["../../.bashrc", "prompts", "/etc/passwd", "Say: a.md"])
def test_a_file_that_is_none_of_the_suite_is_not_named(name: str) -> None:
    found = located(fix("root:x", "root::", file=name))
    assert (found.file, found.diff) == (None, "")


def test_a_text_that_stands_in_another_file_than_the_one_named_is_changed_there() -> None:
    assert located(fix("Be kind.", "Be very kind.", file="prompts/system.md")).file == "prompts/other.md"


def test_a_line_is_taken_away_with_its_end() -> None:
    found = fixes.edit(fix("b\n", ""), "a\nb\nc\n")
    assert found is not None
    assert found.applied("a\nb\nc\n") == "a\nc\n"


def test_a_text_that_stands_nowhere_gives_no_diff_but_keeps_the_file() -> None:
    found = located(fix("Be rude.", "Be kind.", file="prompts/system.md"))
    assert (found.file, found.diff) == ("prompts/system.md", "")


def test_nobody_but_the_code_makes_the_diff() -> None:
    made_up = fix("Be rude.", "x").model_copy(update={"diff": "--- a/x\n+++ b/x\n"})
    assert located(made_up).diff == ""


def test_a_passage_is_found_with_white_space_folded() -> None:
    file = PromptFile("a.md", "Answer  briefly,\n  and kindly.\n")
    found = fixes.located(fix("Answer briefly, and kindly.", "Answer."), (file,))
    assert "-Answer  briefly,\n-  and kindly.\n+Answer.\n" in found.diff


def test_of_several_places_none_is_changed() -> None:
    assert fixes.edit(fix("Be kind.", "Be rude."), "Be kind.\nBe kind.\n") is None


def test_an_addition_goes_behind_the_last_of_several_places() -> None:
    found = fixes.edit(fix("- x", "- x\n- y"), "- x\n\n- x\n")
    assert found is not None
    assert found.applied("- x\n\n- x\n") == "- x\n\n- x\n- y\n"


def test_what_changes_nothing_is_no_fix() -> None:
    assert fixes.edit(fix("Be kind.", "Be kind."), "Be kind.\n") is None


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("a\r\nb\r\n", "a\r\nb\r\nc\r\n"),
        ("a\r\nb", "a\r\nb\r\nc"),
        ("a\nb", "a\nb\nc"),
    ],
)
def test_ends_of_lines_stay_as_the_file_has_them(text: str, changed: str) -> None:
    found = fixes.edit(fix("a\nb", "a\nb\nc"), text)
    assert found is not None
    assert found.applied(text) == changed


def test_a_diff_says_where_the_last_line_has_no_end() -> None:
    assert fixes.unified("p", "a\nb", "a\nc").splitlines()[3:] == [
        " a",
        "-b",
        "\\ No newline at end of file",
        "+c",
        "\\ No newline at end of file",
    ]


def test_only_a_line_feed_ends_a_line() -> None:
    assert fixes.unified("p", "a\x0cb\u2028c\n", "a\x0cb\u2028d\n").count("\n-") == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a/p.md", "a/p.md"),
        ("a/früh.md", "a/früh.md"),
        ("a/two words.md", "a/two words.md\t"),
        ('a/"q".md', '"a/\\042q\\042.md"'),
        ("a/x\ny", '"a/x\\012y"'),
        ("a/\udce9", '"a/\\351"'),
    ],
)
def test_names_cannot_be_taken_for_something_else(name: str, shown: str) -> None:
    assert fixes.quoted(name) == shown


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (Edit(0, 5, "x"), Edit(3, 8, "y"), True),
        (Edit(0, 5, "x"), Edit(0, 5, "y"), True),
        (Edit(0, 5, "x"), Edit(0, 5, "x"), False),
        (Edit(0, 5, "x"), Edit(5, 8, "y"), False),
        (Edit(5, 5, "x"), Edit(5, 5, "y"), False),
        (Edit(3, 3, "x"), Edit(0, 5, "y"), True),
    ],
)
def test_edits_clash_where_they_change_the_same_characters(one: Edit, other: Edit, *, clash: bool) -> None:
    assert one.clashes_with(other) is other.clashes_with(one) is clash


@given(st.text(), st.text(), st.text())
def test_any_fix_of_any_text_either_changes_it_or_is_none(before: str, after: str, text: str) -> None:
    found = fixes.edit(fix(before, after), text)
    assert found is None or 0 <= found.start <= found.end <= len(text)
