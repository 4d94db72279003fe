from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.otel import trace_of_spans
from pytest_refinery.traces import messages

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Run, Trace

Record = dict[str, Any]

TRACE_ID = "97847cb33dff13e46483685930f4e236"
QUESTION = {"role": "user", "parts": [{"type": "text", "content": "How much cash do I hold?"}]}
CALL = {
    "role": "assistant",
    "parts": [{"type": "tool_call", "id": "call-1", "name": "get_cash", "arguments": {"account": "A-1"}}],
}
ANSWER = {"role": "assistant", "parts": [{"type": "text", "content": "1,204.50 USD"}], "finish_reason": "stop"}
AGENT: Record = {
    "name": "invoke_agent desk",
    "span_id": "a000000000000001",
    "start": 0,
    "end": 9,
    "attributes": {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "desk"},
}
MODEL: Record = {
    "name": "chat small",
    "span_id": "a000000000000002",
    "parent": "a000000000000001",
    "start": 1,
    "end": 3,
    "attributes": {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "small",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.usage.input_tokens": 40,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "You are a desk."}]),
        "gen_ai.input.messages": json.dumps([QUESTION]),
        "gen_ai.output.messages": json.dumps([CALL]),
        "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "get_cash"}]),
    },
}
TOOL: Record = {
    "name": "execute_tool get_cash",
    "span_id": "a000000000000003",
    "parent": "a000000000000001",
    "start": 4,
    "end": 5,
    "attributes": {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "get_cash",
        "gen_ai.tool.call.id": "call-1",
        "gen_ai.tool.call.arguments": json.dumps({"account": "A-1"}),
        "gen_ai.tool.call.result": "1,204.50",
    },
}
SPANS = [AGENT, MODEL, TOOL]
START = 1_772_442_000_000_000_000


def dumped(span: Record) -> Record:
    """The form of frameworks' dumps, times in nanoseconds."""
    return {
        "trace_id": TRACE_ID,
        "span_id": span["span_id"],
        "parent_span_id": span.get("parent"),
        "name": span["name"],
        "start_time": START + span["start"] * 10**9,
        "end_time": START + span["end"] * 10**9,
        "attributes": span["attributes"],
        "status": {"code": span.get("code", "UNSET"), "message": span.get("status", "")},
        "span_events": span.get("events", []),
    }


def exported(span: Record) -> Record:
    """The form of ``ReadableSpan.to_json()``."""
    return {
        "name": span["name"],
        "context": {"trace_id": TRACE_ID, "span_id": span["span_id"], "trace_state": "[]"},
        "kind": "SpanKind.INTERNAL",
        "parent_id": span.get("parent"),
        "start_time": f"2026-03-02T09:00:{span['start']:02}.000000Z",
        "end_time": f"2026-03-02T09:00:{span['end']:02}.000000Z",
        "status": {"status_code": span.get("code", "UNSET"), "description": span.get("status", "")},
        "attributes": span["attributes"],
        "events": span.get("events", []),
        "links": [],
        "resource": {"attributes": {"service.name": "desk"}, "schema_url": ""},
    }


def typed(value: object) -> Record:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [typed(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": pairs(value)}}
    return {"stringValue": value}


def pairs(attributes: Record) -> list[Record]:
    return [{"key": key, "value": typed(value)} for key, value in attributes.items()]


def wired(span: Record) -> Record:
    """The form of OTLP."""
    return {
        "traceId": TRACE_ID,
        "spanId": span["span_id"],
        "parentSpanId": span.get("parent", ""),
        "name": span["name"],
        "startTimeUnixNano": str(START + span["start"] * 10**9),
        "endTimeUnixNano": str(START + span["end"] * 10**9),
        "attributes": pairs(span["attributes"]),
        "status": {"code": {"ERROR": 2, "OK": 1}.get(span.get("code", ""), 0), "message": span.get("status", "")},
        "events": [{**event, "attributes": pairs(event["attributes"])} for event in span.get("events", [])],
    }


def export(spans: list[Record], *, scopes: str = "scopeSpans") -> Record:
    scope = {"scope": {"name": "desk"}, "spans": [wired(span) for span in spans]}
    return {"resourceSpans": [{"resource": {"attributes": []}, scopes: [scope]}]}


def loaded(*records: Record) -> Trace:
    return trace_of_spans(records, source="spans.json")


def one(attributes: Record, **fields: object) -> Run:
    span = {"name": "step", "span_id": "b000000000000001", "start": 0, "end": 1, "attributes": attributes, **fields}
    return loaded(dumped(span)).root


def spoken(value: object) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in messages.read(value).messages]


FORMS = {
    "dumps": lambda: [dumped(span) for span in SPANS],
    "the SDK's JSON": lambda: [exported(span) for span in SPANS],
    "OTLP spans": lambda: [wired(span) for span in SPANS],
    "an OTLP export": lambda: [export(SPANS)],
    "OTLP exports, one a span": lambda: [export([span]) for span in SPANS],
    "an older OTLP export": lambda: [export(SPANS, scopes="instrumentationLibrarySpans")],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_spans_gives_the_same_runs(form: str) -> None:
    trace = loaded(*FORMS[form]())
    agent, model, tool = trace.runs
    assert (trace.id, trace.name, trace.format) == (TRACE_ID, "invoke_agent desk", "opentelemetry")
    assert [(run.id[-1], run.kind, run.seconds) for run in trace.runs] == [
        ("1", "chain", 9),
        ("2", "llm", 2),
        ("3", "tool", 1),
    ]
    assert (agent.parent_id, model.parent_id, tool.parent_id) == (None, agent.id, agent.id)
    assert spoken(model.inputs) == [("system", "You are a desk."), ("user", "How much cash do I hold?")]
    assert messages.read(model.outputs).messages[0].tool_calls[0].arguments == {"account": "A-1"}
    assert model.settings == {
        "model": "small",
        "temperature": 0.5,
        "tools": [{"type": "function", "name": "get_cash"}],
    }
    assert model.usage == {"input_tokens": 40, "output_tokens": 7}
    assert (tool.name, tool.inputs) == ("get_cash", {"account": "A-1"})
    assert messages.read(tool.outputs).messages[0].tool_call_id == "call-1"
    assert spoken(tool.outputs) == [("tool", "1,204.50")]


def test_what_a_run_has_no_place_for_is_kept_and_counted() -> None:
    trace = loaded(*map(dumped, SPANS))
    assert trace.runs[0].metadata == {"gen_ai.agent.name": "desk"}
    said = "Attributes that a run has no place for, kept as its metadata: 1 of 16 (gen_ai.agent.name)."
    assert trace.notes == (said,)


def test_records_that_are_no_spans_are_counted() -> None:
    trace = loaded(dumped(AGENT), {"hello": 1}, {"resourceSpans": []})
    assert "Records that are no spans, not read: 1 of 2 (hello)." in trace.notes


def test_without_a_span_there_is_no_trace() -> None:
    with pytest.raises(TraceError, match=r"^spans\.json: there is no finished span in it\.$"):
        loaded({"resourceSpans": []})


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, None),
        ({"code": "OK"}, None),
        ({"code": "ERROR"}, "The span is marked as failed, without a message."),
        ({"code": "STATUS_CODE_ERROR", "status": "no such account"}, "no such account"),
        ({"code": "ERROR", "attributes": {"error.type": "TimeoutError"}}, "TimeoutError"),
        ({"attributes": {"error.type": "TimeoutError"}}, "TimeoutError"),
        ({"code": "OK", "attributes": {"error.type": "TimeoutError"}}, None),
    ],
)
def test_a_failed_span_is_a_failed_run(fields: Record, error: str | None) -> None:
    attributes = fields.pop("attributes", {}) if "attributes" in fields else {}
    assert one(attributes, **fields).error == error


@pytest.mark.parametrize("code", ["UNSET", "ERROR"])
def test_the_exception_that_a_span_noted_is_its_error(code: str) -> None:
    noted = {"exception.type": "KeyError", "exception.message": "'cash'", "exception.stacktrace": "Traceback ..."}
    run = one({}, code=code, status="failed", events=[{"name": "exception", "attributes": noted}])
    assert run.error == "KeyError: 'cash'"


def test_a_span_that_went_well_in_spite_of_an_exception_has_not_failed() -> None:
    noted = {"exception.type": "KeyError"}
    assert one({}, code="OK", events=[{"name": "exception", "attributes": noted}]).error is None


def test_events_without_a_place_are_kept_and_counted() -> None:
    span = {**AGENT, "events": [{"name": "cache.miss", "attributes": {"key": "k"}}]}
    trace = loaded(dumped(span))
    assert trace.root.metadata["events"] == [{"name": "cache.miss", "attributes": {"key": "k"}}]
    assert "Events of spans that a run has no place for, kept as its metadata: 1 of 1 (cache.miss)." in trace.notes


def test_spans_without_their_parent_stand_as_roots_and_a_note_says_so() -> None:
    trace = loaded(dumped(MODEL), dumped(TOOL))
    assert len(trace.roots) == 2
    assert "Runs that stand as roots because their parent is not in the file: 2." in trace.notes


def test_a_span_that_was_sent_twice_is_one_run_and_a_note_says_so() -> None:
    trace = loaded(dumped(AGENT), dumped(AGENT))
    assert len(trace.runs) == 1
    assert "Spans that the file holds more than once: 1." in trace.notes


def test_two_spans_of_one_id_are_refused() -> None:
    with pytest.raises(TraceError, match=r"two spans have the id a000000000000001 and differ; ids must differ"):
        loaded(dumped(AGENT), {**dumped(AGENT), "name": "other"})


def test_several_traces_are_read_as_one_and_a_note_says_so() -> None:
    trace = loaded(dumped(AGENT), {**dumped(AGENT), "trace_id": "other", "span_id": "c000000000000001"})
    assert "The file holds 2 traces; they are read as one, in the order of their times." in trace.notes


def test_links_are_counted() -> None:
    trace = loaded({**wired(AGENT), "links": [{"traceId": "x", "spanId": "y"}]})
    assert "Links between spans, which a tree of runs has no place for: 1." in trace.notes


def test_messages_of_log_records_belong_to_their_span() -> None:
    record = {
        "spanId": AGENT["span_id"],
        "eventName": "gen_ai.user.message",
        "body": typed({"content": "How much cash do I hold?"}),
        "attributes": [],
    }
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    assert spoken(loaded(export([AGENT]), logs).root.inputs) == [("user", "How much cash do I hold?")]


def test_log_records_of_spans_that_are_elsewhere_are_counted() -> None:
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"spanId": "gone", "body": typed("hello")}]}]}]}
    assert "Log records of spans that are not in the file, not read: 1." in loaded(export([AGENT]), logs).notes


def test_an_answer_beside_the_spans_is_kept_where_the_root_has_one_of_its_own() -> None:
    assert loaded(dumped(AGENT), {"final_output": "12"}).root.outputs == "12"
    root = loaded(dumped({**AGENT, "attributes": {"output.value": "11"}}), {"final_output": "12"}).root
    assert (root.outputs, root.metadata) == ("11", {"final_output": "12"})


def test_a_span_that_has_not_ended_is_pending() -> None:
    record = dumped(AGENT)
    del record["end_time"]
    assert loaded(record).root.is_pending


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NAMES = (
    "gen_ai.operation.name gen_ai.input.messages gen_ai.output.messages gen_ai.system_instructions gen_ai.output "
    "gen_ai.tool.definitions gen_ai.request.model gen_ai.usage.input_tokens gen_ai.response.finish_reasons "
    "llm.input_messages llm.input_messages.0.message.role llm.input_messages.0.message.contents.0.message_content "
    "llm.output_messages.0.message.tool_calls.0.tool_call llm.output_messages.0.message.content llm.tools.0.tool "
    "llm.invocation_parameters openinference.span.kind input.value output.value tool.name tool.parameters tool.id "
    "gen_ai.prompt.0.content gen_ai.prompt gen_ai.completion.0.tool_calls.0.name ai.response.toolCalls events "
    "gcp.vertex.agent.llm_request gcp.vertex.agent.llm_response pydantic_ai.all_messages model_request_parameters "
    "pydantic_ai.new_message_index retrieval.documents.0.document error.type exception.message"
).split()
ODD_ATTRIBUTES = st.dictionaries(st.sampled_from(NAMES), ANYTHING | ANYTHING.map(json.dumps), max_size=6)
FIELDS = (
    "trace_id traceId span_id parent_span_id parentSpanId parent parent_id context name start_time startTimeUnixNano "
    "end_time status status_code events span_events links scope resource"
).split()
ODD_SPANS = st.builds(
    lambda fields, attributes: {"span_id": "x", "attributes": attributes, **fields},
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=5),
    ODD_ATTRIBUTES | ANYTHING | ODD_ATTRIBUTES.map(pairs),
)


@given(records=st.lists(ODD_SPANS, min_size=1, max_size=3))
def test_odd_spans_load_or_are_refused_in_a_sentence(records: list[Record]) -> None:
    try:
        trace = loaded(*records)
    except TraceError as error:
        assert str(error).startswith("spans.json: ")  # noqa: PT017  (loading may also succeed)
    else:
        assert all(messages.read([run.inputs, run.outputs]) for run in trace.runs)
