from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.langfuse import Observations
from pytest_refinery.traces import messages

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Run, Trace

Record = dict[str, Any]

ASKED = [{"role": "user", "content": "How much cash do I hold?"}]
ABOUT: Record = {
    "id": "t1",
    "projectId": "p1",
    "name": "desk",
    "input": json.dumps(json.dumps({"question": "How much cash do I hold?"})),
    "output": json.dumps("1,204.50 USD"),
    "tags": ["retail"],
}


def observation(number: int, **fields: object) -> Record:
    return {
        "id": f"o{number}",
        "traceId": "t1",
        "projectId": "p1",
        "type": "SPAN",
        "name": f"step {number}",
        "startTime": f"2026-03-02T09:00:0{number}.000Z",
        "endTime": f"2026-03-02T09:00:0{number}.500Z",
        "parentObservationId": "o0" if number else None,
        "level": "DEFAULT",
        **fields,
    }


MODEL = observation(
    1,
    type="GENERATION",
    input=json.dumps(ASKED),
    output=json.dumps({"role": "assistant", "content": "Let me see."}),
    model="small",
    modelParameters={"temperature": "0.5", "top_p": "null", "stop": None},
    usageDetails={"input": 40, "output": 7, "total": 47},
)
TOOL = observation(
    2,
    type="TOOL",
    input={"account": "A-1"},
    output="1,204.50",
    metadata=json.dumps({"attributes": {"gen_ai.tool.name": "get_cash", "gen_ai.tool.call.id": "call-1"}, "desk": 4}),
)


def loaded(*records: Record) -> Trace:
    collected = Observations("trace.json")
    for record in records:
        collected.add(record)
    return collected.trace()


def one(**fields: object) -> Run:
    return loaded(observation(0, **fields)).root


def test_an_export_is_a_trace() -> None:
    trace = loaded(observation(0), MODEL, TOOL, {"trace": ABOUT, "observations": []})
    root, model, tool = trace.runs
    assert (trace.id, trace.name, trace.format) == ("t1", "desk", "langfuse")
    assert [(run.kind, run.parent_id, run.seconds) for run in trace.runs] == [
        ("chain", None, 0.5),
        ("llm", "o0", 0.5),
        ("tool", "o0", 0.5),
    ]
    assert (root.inputs, root.outputs) == ({"question": "How much cash do I hold?"}, "1,204.50 USD")
    assert root.tags == ("retail",)
    assert messages.read(model.inputs).messages[0].text == "How much cash do I hold?"
    assert model.settings == {"model": "small", "temperature": 0.5}
    assert model.usage == {"input_tokens": 40, "output_tokens": 7, "total_tokens": 47}
    assert (tool.name, tool.inputs) == ("get_cash", {"account": "A-1"})
    assert messages.read(tool.outputs).messages[0].tool_call_id == "call-1"
    assert tool.metadata == {"desk": 4}


def test_a_trace_holds_its_observations_in_any_place_and_each_once() -> None:
    records = [observation(0), MODEL, TOOL]
    expected = loaded(*records, {"trace": ABOUT, "observations": []})
    assert loaded({"trace": ABOUT, "observations": records}) == expected
    assert loaded({**ABOUT, "observations": records}) == expected
    bare = [{**record, "metadata": None} for record in records]
    assert loaded(*records, {"trace": {**ABOUT, "observations": bare}, "observations": []}) == expected


def test_what_a_run_has_no_place_for_is_counted_and_bookkeeping_is_not() -> None:
    trace = loaded(
        observation(0, promptName="desk-3", environment="default"),
        {"trace": {**ABOUT, "userId": "u"}, "observations": []},
    )
    assert trace.notes == (
        "Fields and attributes that a run has no place for, kept as its metadata: 1 of 8 (promptName).",
        "Fields of the trace that are not read: 1 of 6 (userId).",
    )
    assert trace.root.metadata == {"promptName": "desk-3"}


def test_records_that_are_no_observations_are_counted() -> None:
    assert loaded(observation(0), {"type": "score"}).notes == (
        "Records that are no observations, not read: 1 of 2 (score).",
    )


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"level": "ERROR", "statusMessage": "no such account"}, "no such account"),
        ({"level": "ERROR"}, "The observation is marked as failed, without a message."),
        ({"level": "WARNING", "statusMessage": "slow"}, None),
    ],
)
def test_an_observation_of_the_level_error_is_a_failed_run(fields: Record, error: str | None) -> None:
    assert one(**fields).error == error


def test_attributes_say_what_input_and_output_do_not() -> None:
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": "You are a desk.",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "Hello.",
    }
    run = one(input=json.dumps(ASKED), output=None, metadata={"attributes": json.dumps(attributes)})
    assert run.kind == "llm"
    assert [m.text for m in messages.read(run.inputs).messages] == ["You are a desk."]
    assert messages.answer_text(run.outputs) == "Hello."


@pytest.mark.parametrize(
    ("fields", "usage"),
    [
        ({"usage": {"input": 3, "output": 4, "total": 7}}, {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}),
        ({"inputUsage": 3, "totalUsage": 3}, {"input_tokens": 3, "total_tokens": 3}),
        ({"promptTokens": 3, "completionTokens": 4}, {"input_tokens": 3, "output_tokens": 4}),
        ({"input": "12", "output": "30", "usageDetails": {}}, {}),
        ({"inputUsage": 0, "outputUsage": 0}, {}),
    ],
)
def test_token_counts_are_read_in_any_age_of_the_api(fields: Record, usage: dict[str, int]) -> None:
    assert one(type="GENERATION", **fields).usage == usage


def test_what_a_langchain_tool_gave_tells_a_tool() -> None:
    given = {
        "lc": 1,
        "type": "constructor",
        "id": ["ToolMessage"],
        "kwargs": {"content": "12 rows", "name": "get_cash"},
    }
    assert one(name="get_cash", output=json.dumps(given)).kind == "tool"
    assert one(name="tools", output=json.dumps(given)).kind == "chain"


def test_a_tools_name_in_place_of_its_role_is_understood() -> None:
    called = {"role": "assistant", "tool_calls": [{"id": "c", "name": "get_cash", "args": {}}]}
    run = one(type="GENERATION", input=[*ASKED, called, {"role": "get_cash", "content": "12 rows"}])
    assert [(m.role, m.name) for m in messages.read(run.inputs).messages][-1] == ("tool", "get_cash")


def test_an_observation_without_an_end_is_pending_an_event_is_not() -> None:
    assert one(endTime=None).is_pending
    assert not one(type="EVENT", endTime=None).is_pending


def test_a_trace_without_observations_is_refused() -> None:
    with pytest.raises(TraceError, match=r"^trace\.json: the Langfuse trace has no observations in it; export it with"):
        loaded({"trace": ABOUT, "observations": []})
