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


def test_figures_that_were_made_up_are_forbidden_and_those_of_the_tools_demanded() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "lookup", "arguments": json.dumps({"order": "1042"})}}
    trace = speaking(
        {"role": "user", "content": "How long may I return order 1042?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "order 1042: 14 days"},
        {"role": "assistant", "content": "You may return order 1042 within 30 days."},
    )
    found = suggested(trace, "The agent says what the tool returned.")
    assert ("output", {"not_contains": "30"}, False) in found
    assert ("output", {"contains": "14"}, False) in found
    assert ("tools", {"arguments": {"lookup": {"order": "1042"}}}, True) in found


def looked_up(arguments: dict[str, object], said: str) -> Trace:
    def called(key: str, name: str, arguments: dict[str, object]) -> dict[str, object]:
        function = {"name": name, "arguments": json.dumps(arguments)}
        return {"role": "assistant", "content": None, "tool_calls": [{"id": key, "function": function}]}

    policy = {"excess": 300, "limit": 5000, "terms": "reported within 14 days"}
    return speaking(
        {"role": "user", "content": "What do I get for claim W-2201?"},
        called("a", "lookup_policy", {"policy": "HH-4410"}),
        {"role": "tool", "tool_call_id": "a", "content": json.dumps(policy)},
        called("b", "estimate_payout", arguments),
        {"role": "tool", "tool_call_id": "b", "content": json.dumps({"estimate": 4200.0})},
        {"role": "assistant", "content": said},
    )


def test_an_argument_that_the_records_contradict_is_demanded_as_they_have_it() -> None:
    trace = looked_up({"damage": 4200, "excess": 0}, "You receive 4,200 EUR by Friday. Is there anything else?")
    found = suggested(trace, "The excess of the policy (300 EUR) is deducted.")
    assert ("tools", {"arguments": {"estimate_payout": {"excess": 300}}}, False) in found
    assert ("tools", {"arguments": {"estimate_payout": {"damage": 4200}}}, True) in found
    assert [argument for name, argument, _ in found if name == "output"] == [
        {"not_contains": "You receive 4,200 EUR by Friday"},
        {"not_contains": "Friday"},
        {"contains": "300"},
    ]
    assert not any("not_called" in str(argument) for _, argument, _ in found)


@pytest.mark.parametrize(
    ("expect", "demanded"),
    [
        ("The agent looks for 15 May, to which the user corrected it.", {"date": "2026-05-15"}),
        ("It asks for the night of June 3.", {"date": "2026-06-03"}),
        ("It looks for a room with 3 beds.", {"beds": 3}),
    ],
)
def test_an_argument_that_is_not_what_the_sentence_names_is_demanded_so(
    expect: str, demanded: dict[str, object]
) -> None:
    trace = calling(("find_room", {"date": "2026-05-14", "beds": 2, "quiet": True}))
    assert ("tools", {"arguments": {"find_room": demanded}}, False) in suggested(trace, expect)


def test_what_may_not_be_told_is_forbidden_where_tools_gave_it_too() -> None:
    trace = looked_up({"damage": 4200}, "The claim was paid with 4,200 EUR.")
    found = suggested(trace, "The agent does not give details of the claims of others.")
    assert ("output", {"not_contains": "4,200"}, False) in found
    assert not any(isinstance(argument, dict) and "contains" in argument for _, argument, _ in found)


def test_neither_words_of_the_sentence_nor_the_size_of_a_bad_run_are_demanded() -> None:
    found = suggested(answering(PROMISE), "The agent says that it forgets the exclusion.")
    assert not any(isinstance(argument, dict) and "contains" in argument for _, argument, _ in found)
    model = make_run("model", RunKind.LLM, usage={"total_tokens": 1_234}, seconds=2.5, error="time-out")
    assert [name for name, _, _ in suggested(make_trace(model))] == ["output", "errors"]


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
