"""What each check objects to, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.expectations.checks import run_checks
from pytest_refinery.expectations.output_check import folded
from pytest_refinery.expectations.verdicts import CheckFailure, ObjectedCall
from tests.unit.expectations.made import answering, calling, decide, make_check, make_run, make_trace

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Trace

SEARCHES = calling(("search", {"q": "a"}), ("save", {"id": 1}), ("search", {"q": "b"}))


def failure(name: str, argument: object, trace: Trace) -> CheckFailure:
    found = decide(name, argument, trace).failure
    assert found is not None
    return found


def facts(name: str, argument: object, trace: Trace) -> dict[str, Any]:
    """Return what is known beside the words."""
    words = {"check", "expected", "actual"}
    return {key: value for key, value in vars(failure(name, argument, trace)).items() if value and key not in words}


def test_what_passes_is_no_failure() -> None:
    assert decide("output", {"contains": "Done"}, answering("Done.")).failure is None


@pytest.mark.parametrize(
    ("argument", "known"),
    [
        ({"contains": "later"}, {"argument": "later", "run_id": "agent"}),
        ({"matches": r"\d"}, {"argument": r"\d", "run_id": "agent"}),
        ({"not_contains": "from now on"}, {"argument": "from now on", "text": "From  Now\non", "run_id": "agent"}),
        ({"not_matches": "[Nn]ow"}, {"argument": "[Nn]ow", "text": "Now", "run_id": "agent"}),
        ({"equals": "x"}, {"argument": "x", "text": "Yes. From  Now\non it is.", "run_id": "agent"}),
    ],
)
def test_output_quotes_what_it_objects_to(argument: object, known: dict[str, Any]) -> None:
    assert facts("output", argument, answering("Yes. From  Now\non it is.")) == known


def test_output_quotes_what_only_folding_finds() -> None:
    assert (
        failure("output", {"not_contains": "die strasse"}, answering("Hier: Die Stra\u00dfe.")).text
        == "Die Stra\u00dfe"
    )


@given(st.text(max_size=30), st.text(min_size=1, max_size=6), st.text(max_size=30))
def test_the_words_objected_to_stand_in_the_answer(before: str, wanted: str, after: str) -> None:
    answer = f"{before}{wanted.upper()}{after}"
    if not wanted.strip() or folded(wanted) not in folded(answer):
        return
    said = failure("output", {"not_contains": wanted}, answering(answer)).text
    assert said is not None
    assert said in answer
    assert folded(wanted.strip()) in folded(said)


def test_an_answer_that_is_missing_is_no_text() -> None:
    failed = make_trace(make_run("agent", error="TimeoutError: 30 s"))
    assert facts("output", {"contains": "x"}, failed) == {
        "argument": "x",
        "error": "TimeoutError: 30 s",
        "run_id": "agent",
    }


@pytest.mark.parametrize(
    ("argument", "known"),
    [
        ({"called": "send"}, {"argument": "send", "tool": "send", "run_id": "agent"}),
        (
            {"not_called": "save"},
            {
                "argument": "save",
                "tool": "save",
                "calls": (ObjectedCall("call-2", "save", {"id": 1}),),
                "run_id": "call-2",
            },
        ),
        (
            {"arguments": {"save": {"id": 2}}},
            {
                "argument": {"id": 2},
                "tool": "save",
                "calls": (ObjectedCall("call-2", "save", {"id": 1}),),
                "run_id": "call-2",
            },
        ),
        (
            {"at_most": {"search": 1}},
            {
                "argument": 1,
                "tool": "search",
                "calls": (ObjectedCall("call-3", "search", {"q": "b"}),),
                "number": 2,
                "limit": 1,
                "run_id": "call-3",
            },
        ),
        (
            {"at_most": 2},
            {
                "argument": 2,
                "calls": (ObjectedCall("call-3", "search", {"q": "b"}),),
                "number": 3,
                "limit": 2,
                "run_id": "call-3",
            },
        ),
    ],
)
def test_tools_names_the_calls_it_objects_to(argument: object, known: dict[str, Any]) -> None:
    assert facts("tools", argument, SEARCHES) == known


def test_an_order_names_the_tool_that_came_too_early() -> None:
    found = failure("tools", {"in_order": ["search", "save", "save"]}, SEARCHES)
    assert (found.tool, found.argument, found.run_id) == ("save", ["search", "save", "save"], "call-2")
    assert found.calls == (ObjectedCall("call-2", "save", {"id": 1}),)


def test_errors_give_the_error_and_its_run() -> None:
    trace = make_trace(make_run("agent"), make_run("t", "tool", error="TimeoutError: 30 s", parent_id="agent"))
    known = {"error": "TimeoutError: 30 s", "number": 1, "run_id": "t"}
    assert facts("errors", "none", trace) == known | {"argument": "none"}
    assert failure("errors", {"at_most": 0}, trace).limit == 0
    assert facts("errors", {"not_matches": "Time\\w+"}, trace) == {
        "argument": "Time\\w+",
        "text": "TimeoutError",
        "error": "TimeoutError: 30 s",
        "run_id": "t",
    }


def test_limits_give_both_numbers() -> None:
    usage = {"input_tokens": 5, "output_tokens": 2}
    trace = make_trace(make_run("agent", seconds=3), make_run("m", "llm", usage=usage, parent_id="agent"))
    found = [
        failure("runs", {"at_most": 1, "kind": "llm"}, make_trace(make_run("a", "llm"), make_run("b", "llm"))),
        failure("latency", {"seconds": 2}, trace),
        failure("tokens", {"at_most": 6}, trace),
    ]
    assert [(each.check, each.number, each.limit) for each in found] == [
        ("runs.at_most", 2, 1),
        ("latency.seconds", 3, 2),
        ("tokens.at_most", 7, 6),
    ]
    assert found[0].argument == {"at_most": 1, "kind": "llm"}


def test_a_function_gives_its_own_words() -> None:
    custom = {"has_no_gap": lambda _, gap: f"a gap of {gap}"}
    check = type(make_check("errors", "none")).model_validate({"has_no_gap": 3}, context={"custom": custom})
    (verdict,) = run_checks([check], answering("x"), custom=custom)
    assert verdict.failure is not None
    assert (verdict.failure.check, verdict.failure.argument, verdict.failure.error) == ("has_no_gap", 3, "a gap of 3")


@pytest.mark.parametrize(
    ("name", "argument", "label"),
    [
        ("output", {"contains": "no"}, "output.contains 'no'"),
        ("tools", {"called": "send"}, "tools.called send"),
        ("tools", {"at_most": {"search": 1}}, "tools.at_most search 1"),
        ("tools", {"at_most": 2}, "tools.at_most 2"),
    ],
)
def test_a_failure_has_a_short_name(name: str, argument: object, label: str) -> None:
    assert failure(name, argument, SEARCHES).label == label
