from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.errors import CheckError
from pytest_refinery.expectations import suggestions
from pytest_refinery.expectations.checks import run_checks
from pytest_refinery.traces.model import RunKind, Trace
from tests.unit.expectations.made import answering, calling, make_check, make_run, make_trace, speaking

PROMISE = "Done. I will exclude all cash sweep redemptions from now on."


def suggested(trace: Trace, expect: str = "The agent is polite.") -> list[tuple[str, object, bool]]:
    return [(each.name, each.argument, each.holds) for each in suggestions.suggest(trace, expect=expect)]


def test_what_the_agent_said_is_offered_to_be_forbidden() -> None:
    phrase = "I will exclude all cash sweep"
    assert ("output", {"not_contains": phrase}, False) in suggested(answering(PROMISE))


def test_of_the_answer_the_sentence_nearest_to_the_expectation_is_offered() -> None:
    found = suggested(answering("I keep preferences. Anything else?"), "The agent cannot keep preferences.")
    assert ("output", {"not_contains": "I keep preferences"}, False) in found


@pytest.mark.parametrize(
    ("expect", "demand"),
    [
        ('The agent says "cannot remember".', {"contains": "cannot remember"}),
        ("The agent never says 'from now on'.", {"not_contains": "from now on"}),
        ("The agent doesn't promise “for good”.", {"not_contains": "for good"}),
    ],
)
def test_quoted_words_are_demanded_or_forbidden(expect: str, demand: dict[str, str]) -> None:
    assert next(argument for name, argument, _ in suggested(answering(PROMISE), expect) if name == "output") == demand


def test_a_word_of_the_expectation_that_the_answer_lacks_is_offered() -> None:
    found = suggested(answering(PROMISE), "The agent says that it forgets the exclusion.")
    assert ("output", {"contains": "exclusion"}, False) in found


def test_without_an_answer_one_is_demanded() -> None:
    assert suggested(make_trace(make_run("agent")))[0] == ("output", {"matches": r"\w"}, False)


def test_an_answer_in_json_keeps_its_keys() -> None:
    found = suggested(answering(json.dumps({"total": 3, "currency": "EUR"})))
    assert ("output", {"json_schema": {"type": "object", "required": ["total", "currency"]}}, True) in found


def test_tools_that_were_called_and_those_that_were_only_offered() -> None:
    trace = calling(("find_user", {}), ("cancel_order", {}), ("find_user", {}))
    offered = [{"type": "function", "function": {"name": name}} for name in ("refund_order", "find_user", "ask_human")]
    model = make_run("model", RunKind.LLM, parent_id="agent", settings={"tools": offered})
    found = suggested(
        trace.model_copy(update={"runs": (*trace.runs, model)}), "The agent asks a human before it cancels anything."
    )
    assert [each for each in found if each[0] == "tools"] == [
        ("tools", {"called": ["find_user", "cancel_order"]}, True),
        ("tools", {"in_order": ["find_user", "cancel_order"]}, True),
        ("tools", {"called": "ask_human"}, False),
        ("tools", {"called": "refund_order"}, False),
        ("tools", {"not_called": "cancel_order"}, False),
        ("tools", {"at_most": {"find_user": 1}}, False),
    ]


def test_errors_and_sizes_are_as_the_trace_has_them() -> None:
    model = make_run("model", RunKind.LLM, usage={"total_tokens": 1_234}, seconds=2.5, error="time-out")
    found = suggested(make_trace(model))
    assert ("errors", "none", False) in found
    assert found[-3:] == [
        ("runs", {"at_most": 1, "kind": "llm"}, True),
        ("latency", {"seconds": 3}, True),
        ("tokens", {"at_most": 1_300}, True),
    ]


def test_what_a_transcript_cannot_decide_is_not_suggested() -> None:
    trace = speaking({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there."})
    assert {name for name, _, _ in suggested(trace)} == {"output", "errors"}


@given(st.text(), st.text(), st.lists(st.text(max_size=20), max_size=4))
def test_whatever_is_said_each_suggestion_comes_out_as_it_says(said: str, expect: str, tools: list[str]) -> None:
    trace = calling(*((name, {}) for name in tools))
    root = trace.runs[0].model_copy(update={"outputs": {"output": said}})
    trace = trace.model_copy(update={"runs": (root, *trace.runs[1:])})
    for each in suggestions.suggest(trace, expect=expect):
        try:
            verdicts = run_checks([make_check(each.name, each.argument)], trace)
        except CheckError:  # pragma: no cover
            pytest.fail(f"{each} cannot be decided")
        assert all(verdict.passed for verdict in verdicts) is each.holds
