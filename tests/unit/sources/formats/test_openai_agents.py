from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.openai_agents import AgentsSpans
from pytest_refinery.traces import messages

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Run, Trace

Record = dict[str, Any]

ABOUT: Record = {"object": "trace", "id": "trace_1", "workflow_name": "desk", "group_id": None, "metadata": None}


def span(number: int, data: Record, **fields: object) -> Record:
    return {
        "object": "trace.span",
        "id": f"span_{number}",
        "trace_id": "trace_1",
        "parent_id": "span_0" if number else None,
        "started_at": f"2026-03-02T09:00:0{number}.000000+00:00",
        "ended_at": f"2026-03-02T09:00:0{number}.500000+00:00",
        "span_data": data,
        "error": None,
        **fields,
    }


AGENT = span(0, {"type": "agent", "name": "desk", "handoffs": [], "tools": ["get_cash"], "output_type": "str"})
GENERATION = span(
    1,
    {
        "type": "generation",
        "input": [{"role": "user", "content": "How much?"}],
        "output": [{"role": "assistant", "content": "Let me see."}],
        "model": "small",
        "model_config": {"temperature": 0.5, "base_url": "https://x"},
        "usage": {"input_tokens": 40, "output_tokens": 7},
    },
)
FUNCTION = span(2, {"type": "function", "name": "get_cash", "input": '{"account": "A-1"}', "output": "1,204.50"})


def loaded(*records: Record) -> Trace:
    collected = AgentsSpans("trace.json")
    for record in records:
        collected.add(record)
    return collected.trace()


def one(data: Record, **fields: object) -> Run:
    return loaded(span(0, data, **fields)).root


def test_an_export_is_a_trace() -> None:
    trace = loaded(ABOUT, AGENT, GENERATION, FUNCTION)
    agent, model, tool = trace.runs
    assert (trace.id, trace.name, trace.format, trace.notes) == ("trace_1", "desk", "openai-agents", ())
    assert [(run.name, run.kind, run.parent_id) for run in trace.runs] == [
        ("desk", "chain", None),
        ("generation", "llm", "span_0"),
        ("get_cash", "tool", "span_0"),
    ]
    assert agent.settings == {"tools": ["get_cash"], "output_type": "str"}
    assert messages.read([model.inputs, model.outputs]).messages[0].text == "How much?"
    assert model.settings == {"model": "small", "temperature": 0.5}
    assert model.usage == {"input_tokens": 40, "output_tokens": 7}
    assert (tool.inputs, tool.outputs) == ({"account": "A-1"}, "1,204.50")


def test_a_response_with_its_input_is_a_model_call() -> None:
    response = {
        "id": "resp_1",
        "model": "small",
        "instructions": "You are a desk.",
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}],
    }
    run = one({"type": "response", "input": [{"role": "user", "content": "Hi"}], "response": response})
    assert [m.text for m in messages.read(run.inputs).messages] == ["You are a desk.", "Hi"]
    assert messages.answer_text(run.outputs) == "Hello."
    assert run.settings["model"] == "small"


def test_a_response_of_which_only_the_id_was_written_down_is_noted() -> None:
    trace = loaded(span(0, {"type": "response", "response_id": "resp_1", "usage": {"input_tokens": 3}}))
    assert trace.notes == (
        "Model calls whose messages the SDK did not write down, but for an id: 1.",
        "Fields of spans that a run has no place for, kept as its metadata: 1 of 3 (response_id).",
    )
    assert trace.root.usage == {"input_tokens": 3}


def test_a_handoff_is_a_tool_run_named_after_where_it_goes() -> None:
    run = one({"type": "handoff", "from_agent": "desk", "to_agent": "tax"})
    assert (run.kind, run.name, run.inputs, run.outputs) == ("tool", "handoff to tax", "desk", "tax")


def test_a_guardrail_says_whether_it_was_triggered() -> None:
    run = one({"type": "guardrail", "name": "polite", "triggered": False})
    assert (run.kind, run.name, run.outputs) == ("guardrail", "polite", {"triggered": False})


def test_a_custom_span_keeps_its_data() -> None:
    run = one({"type": "custom", "name": "lookup", "data": {"key": "A-1"}})
    assert (run.kind, run.name, run.inputs) == ("chain", "lookup", {"key": "A-1"})


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"message": "Tool failed", "data": {"name": "get_cash"}}, "Tool failed {'name': 'get_cash'}"),
        ({"message": "Tool failed", "data": None}, "Tool failed"),
        ("gone", "gone"),
    ],
)
def test_a_span_with_an_error_is_a_failed_run(error: object, said: str) -> None:
    assert one({"type": "function", "name": "f"}, error=error).error == said


def test_a_trace_without_spans_is_refused() -> None:
    with pytest.raises(TraceError, match=r"^trace\.json: the trace of the OpenAI Agents SDK has no spans in it"):
        loaded(ABOUT)
