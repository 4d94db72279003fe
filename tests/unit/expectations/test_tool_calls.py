from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.expectations import tool_calls
from tests.unit.expectations.made import calling, decide, make_run, make_trace, speaking

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Trace


def asking(*calls: tuple[str, str | None]) -> dict[str, Any]:
    """Return an assistant message that asks for tools, each with a call id."""
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": '{"a": 1}'}}
            for name, call_id in calls
        ],
    }


def called(trace: Trace) -> list[tuple[str, str]]:
    return [(call.name, call.run.id) for call in tool_calls.of(trace)]


def test_the_runs_of_a_tool_are_its_calls_though_the_model_asked_for_them_too() -> None:
    trace = make_trace(
        make_run("agent"),
        make_run("llm", "llm", parent_id="agent", outputs=asking(("search", "c1"), ("search", "c2"))),
        make_run("tool", "tool", name="search", parent_id="agent"),
    )
    assert called(trace) == [("search", "tool")]


def test_a_call_that_no_tool_run_answers_counts_where_it_was_asked_for() -> None:
    trace = make_trace(
        make_run("agent"),
        make_run("llm", "llm", parent_id="agent", outputs=asking(("hand_over", "c1"))),
        make_run("tool", "tool", name="search", parent_id="agent"),
    )
    assert called(trace) == [("hand_over", "llm"), ("search", "tool")]


def test_the_calls_of_a_transcript_are_those_in_its_messages() -> None:
    trace = speaking(
        {"role": "user", "content": "Hi"},
        asking(("search", "c1"), ("search", "c2")),
        {"role": "tool", "content": "[]", "tool_call_id": "c1"},
        asking(("read", "c3")),
    )
    assert called(trace) == [("search", "1"), ("search", "1"), ("read", "3")]


def test_a_message_that_is_recorded_twice_calls_once() -> None:
    trace = make_trace(make_run("a", outputs=asking(("search", "c1"))), make_run("b", outputs=asking(("search", "c1"))))
    assert called(trace) == [("search", "a")]


def test_calls_without_an_id_are_all_calls() -> None:
    asked = {"role": "assistant", "content": "", "tool_calls": [{"name": "search", "args": {}}]}
    assert called(speaking(asked, asked)) == [("search", "0"), ("search", "1")]


def test_a_tool_recorded_in_two_layers_was_called_once() -> None:
    trace = make_trace(
        make_run("outer", "tool", name="search"),
        make_run("inner", "tool", name="search", parent_id="outer"),
        make_run("other", "tool", name="fetch", parent_id="outer"),
    )
    assert called(trace) == [("search", "outer"), ("fetch", "other")]


@pytest.mark.parametrize(
    "inputs",
    [
        {"city": "Ulm"},
        {"input": "{'city': 'Ulm'}"},
        {"input": '{"city": "Ulm"}'},
        {"input": {"city": "Ulm"}},
        {"args": {"city": "Ulm"}, "id": "c1", "name": "weather", "type": "tool_call"},
        {"kwargs": {"city": "Ulm"}, "args": []},
        '{"city": "Ulm"}',
    ],
)
def test_arguments_are_found_however_a_tracer_wraps_them(inputs: object) -> None:
    trace = calling(("weather", inputs))
    assert decide("tools", {"arguments": {"weather": {"city": "Ulm"}}}, trace).passed
    assert not decide("tools", {"arguments": {"weather": {"city": "Bonn"}}}, trace).passed


def test_a_tool_with_an_argument_called_input_is_read_as_it_is() -> None:
    assert decide("tools", {"arguments": {"ask": {"input": "{x"}}}, calling(("ask", {"input": "{x"}))).passed


@given(st.one_of(st.text(), st.text().map(lambda text: "{" + text), st.dictionaries(st.text(), st.integers())))
def test_any_inputs_can_be_read(inputs: object) -> None:
    (call,) = tool_calls.of(calling(("tool", inputs)))
    assert call.readings


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.text() | st.lists(st.integers())))
def test_arguments_match_themselves_in_json_and_in_python_writing(arguments: dict[str, Any]) -> None:
    for inputs in (arguments, {"input": json.dumps(arguments)}, {"input": str(arguments)}):
        assert decide("tools", {"arguments": {"tool": arguments}}, calling(("tool", inputs))).passed
