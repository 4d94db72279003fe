from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis.records import ExpectationRecord, ItemRecord, Outcome
from pytest_refinery.analysis.schemas import SuggestedFix
from pytest_refinery.reports import workflow_commands
from tests.unit.analysis.test_records import make_diagnosis


def make_item(expect: str = "It says so.", **known: object) -> ItemRecord:
    expectation = ExpectationRecord(id="x", expect=expect, file="a.refinery.yaml", line=3)
    return ItemRecord(nodeid="a::x", outcome=Outcome.FAILED, expectation=expectation).model_copy(update=known)


def annotated(*items: ItemRecord) -> list[str]:
    return workflow_commands.annotations_of(items, path=lambda file: f"suite/{file}")


def unescaped(text: str) -> str:
    """Return the text as GitHub reads it."""
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


def test_a_failure_is_annotated_with_its_cause_and_its_fix() -> None:
    fix = SuggestedFix(component="prompt", file="p.md", before="Be kind.", after="Be kind.\nSay so.")
    found = make_diagnosis().model_copy(update={"suggested_fix": fix})
    (command,) = annotated(make_item(diagnosis=found))
    assert command == (
        "::error file=suite/a.refinery.yaml,line=3,title=x::"
        "Not met: It says so.%0ARoot cause: The prompt is silent.%0AFix: p.md: Say so."
    )


def test_what_could_not_be_decided_says_why() -> None:
    (command,) = annotated(make_item(outcome=Outcome.UNDECIDED, error="no such file"))
    assert command.endswith("::no such file")


@pytest.mark.parametrize("count", [0, 1, 10, 11, 30])
def test_there_are_no_more_than_github_shows(count: int) -> None:
    commands = annotated(*[make_item()] * count)
    assert len(commands) == min(count, 10)
    if count > 10:
        assert commands[-1].startswith(f"::error title=pytest-refinery::{count - 9} more expectations")


@given(st.text(), st.text())
def test_any_text_is_one_command(expect: str, file: str) -> None:
    (command,) = workflow_commands.annotations_of([make_item(expect)], path=lambda _: file)
    assert len(command.splitlines()) == 1
    _, properties, data = command.split("::", 2)
    assert properties.count(",") == 2
    assert unescaped(data).startswith("Not met:")


def test_a_long_text_is_shortened() -> None:
    (command,) = annotated(make_item("x" * 1_000_000))
    assert len(command) < 1_200
