"""One small sample of each format, made by hand, and what files do to it."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_refinery.analysts.rules.analyst import RulesAnalyst
from pytest_refinery.digest.grouping import group
from pytest_refinery.digest.render import digest
from pytest_refinery.errors import TraceError
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import messages
from tests.unit.analysts.rules import scenes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_refinery.traces.model import Trace

Record = dict[str, Any]

CHAT = [{"role": "user", "content": "How much cash do I hold?"}]
REPLY = {"role": "assistant", "content": "1,204.50 USD"}
SPAN: Record = {
    "traceId": "t1",
    "spanId": "a1",
    "name": "chat",
    "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.input.messages", "value": {"stringValue": json.dumps(CHAT)}},
        {"key": "gen_ai.output.messages", "value": {"stringValue": json.dumps([REPLY])}},
    ],
}
OBSERVATION: Record = {
    "id": "o1",
    "traceId": "t1",
    "type": "GENERATION",
    "name": "chat",
    "startTime": "2026-03-02T09:00:00Z",
    "input": json.dumps(CHAT),
    "output": json.dumps(REPLY),
}
GENERATION: Record = {
    "object": "trace.span",
    "id": "span_1",
    "trace_id": "trace_1",
    "span_data": {"type": "generation", "input": CHAT, "output": [REPLY]},
}
CALL: Record = {"request": {"model": "small", "messages": CHAT}, "response": {"choices": [{"message": REPLY}]}}
LINES: list[Record] = [
    {"type": "user", "sessionId": "s", "uuid": "u1", "message": CHAT[0]},
    {"type": "assistant", "sessionId": "s", "uuid": "u2", "message": REPLY},
]
ROLLOUT: list[Record] = [
    {"type": "session_meta", "payload": {"id": "thread"}},
    {"type": "response_item", "payload": CHAT[0]},
    {"type": "response_item", "payload": REPLY},
]
RUN: Record = {"id": "r1", "run_type": "llm", "inputs": {"messages": CHAT}, "outputs": REPLY}


def lines(*records: Record) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in records)


SAMPLES: dict[str, tuple[str, Callable[[], object]]] = {
    "an OTLP export": ("opentelemetry", lambda: {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}),
    "OTLP, one export a line": (
        "opentelemetry",
        lambda: lines({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}),
    ),
    "a list of spans": ("opentelemetry", lambda: [SPAN]),
    "spans, one a line": ("opentelemetry", lambda: lines(SPAN)),
    "spans under a key": ("opentelemetry", lambda: {"spans": [SPAN], "final_output": "1,204.50 USD"}),
    "a Langfuse export": ("langfuse", lambda: {"trace": {"id": "t1"}, "observations": [OBSERVATION]}),
    "a trace from Langfuse's API": ("langfuse", lambda: {"id": "t1", "name": "desk", "observations": [OBSERVATION]}),
    "observations from Langfuse's API": ("langfuse", lambda: {"data": [OBSERVATION], "meta": {"page": 1}}),
    "a list of observations": ("langfuse", lambda: [OBSERVATION]),
    "observations as Langfuse writes them to files": (
        "langfuse",
        lambda: lines(
            {
                "trace_id" if key == "traceId" else "start_time" if key == "startTime" else key: item
                for key, item in OBSERVATION.items()
            }
        ),
    ),
    "a batch of the Agents SDK": (
        "openai-agents",
        lambda: {"data": [{"object": "trace", "id": "trace_1", "workflow_name": "desk"}, GENERATION]},
    ),
    "spans of the Agents SDK, one a line": ("openai-agents", lambda: lines(GENERATION)),
    "a list of calls": ("message-log", lambda: [CALL]),
    "calls, one a line": ("message-log", lambda: lines(CALL)),
    "flat calls, one a line": ("message-log", lambda: lines({**CALL["request"], "response": CALL["response"]})),
    "a Claude Code session": ("claude-code", lambda: lines({"type": "summary", "leafUuid": "x"}, *LINES)),
    "a Codex rollout": ("codex", lambda: lines(*ROLLOUT)),
    "a LangSmith run": ("langsmith", lambda: [RUN]),
    "a transcript": ("transcript", lambda: [*CHAT, REPLY]),
}


def load(folder: Path, content: object) -> Trace:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "trace.json").write_bytes(data)
    return JsonFiles().load("trace.json", base=folder)


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_file_is_what_its_content_says(tmp_path: Path, sample: str, zipped: bool) -> None:  # noqa: FBT001
    expected, make = SAMPLES[sample]
    content = make()
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    trace = load(tmp_path, gzip.compress(data) if zipped else data)
    assert trace.format == expected
    read = [message for run in trace.runs for message in messages.read([run.inputs, run.outputs]).messages]
    assert [(message.role, message.text) for message in read] == [
        ("user", "How much cash do I hold?"),
        ("assistant", "1,204.50 USD"),
    ]


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_format_is_digested_grouped_and_analysed(tmp_path: Path, sample: str) -> None:
    trace = load(tmp_path, SAMPLES[sample][1]())
    digested = digest(trace)
    assert "How much cash do I hold?" in digested.text
    assert [run_id for each in group(digested, group_tokens=3000) for run_id in each.run_ids]
    case, analyst = scenes.case(trace, expect="The agent says how much cash there is."), RulesAnalyst()
    findings = analyst.analyse_group(case, scenes.group(*trace.by_id)).findings
    found = analyst.conclude(case, findings, analyst.find_gaps(case, findings))
    assert {candidate.run_id for candidate in found.candidates} <= {*trace.by_id}
    assert found.candidates


def test_what_stands_around_the_records_is_counted(tmp_path: Path) -> None:
    trace = load(tmp_path, {"data": [OBSERVATION], "meta": {"page": 1}})
    assert "Records that are no observations, not read: 1 of 2 (meta)." in trace.notes


def test_the_answer_that_any_agent_writes_beside_the_spans_is_the_roots(tmp_path: Path) -> None:
    span = {**SPAN, "attributes": []}
    assert load(tmp_path, {"spans": [span], "final_output": {"cash": 3}}).root.outputs == {"cash": 3}


def test_a_format_may_show_only_after_some_lines(tmp_path: Path) -> None:
    first = [{"type": "file-history-snapshot", "snapshot": {}}] * 20
    trace = load(tmp_path, lines(*first, *LINES))
    assert (trace.format, trace.notes) == (
        "claude-code",
        ("Lines that are no messages, not read: 20 of 22 (file-history-snapshot).",),
    )


def test_a_list_of_runs_stays_one_whatever_stands_in_the_runs(tmp_path: Path) -> None:
    inner = {**RUN, "outputs": {"spans": [SPAN], "observations": [OBSERVATION], "data": [CALL]}}
    assert load(tmp_path, {"runs": [inner]}).format == "langsmith"
    assert load(tmp_path, lines(inner)).format == "langsmith"


def test_records_of_two_formats_are_those_of_the_first_and_the_others_are_counted(tmp_path: Path) -> None:
    trace = load(tmp_path, [SPAN, OBSERVATION])
    assert trace.format == "opentelemetry"
    assert trace.notes == ("Records that are no spans, not read: 1 of 2 (GENERATION).",)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NOT_SO_ODD = [SPAN, OBSERVATION, GENERATION, CALL, *LINES, *ROLLOUT, *CALL.values(), {"trace": {}, "observations": []}]
# Words that mean something to some format, in places where they are not expected.
WORDS = sorted(
    {key for record in NOT_SO_ODD for key in record} | set(GENERATION["span_data"]) | {"item", "usage", "error"}
)
ODD = st.builds(
    lambda record, fields: {**record, **fields},
    st.sampled_from(NOT_SO_ODD),
    st.dictionaries(
        st.sampled_from(WORDS),
        ANYTHING
        | ANYTHING.map(json.dumps)
        | st.sampled_from(NOT_SO_ODD)
        | st.dictionaries(st.sampled_from(WORDS), ANYTHING),
        max_size=4,
    ),
)


@given(records=st.lists(ODD, min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_odd_records_of_any_format_load_or_are_refused_in_a_sentence(tmp_path: Path, records: list[Record]) -> None:
    try:
        trace = load(tmp_path, records)
    except TraceError as error:
        assert str(error).startswith(str(tmp_path))  # noqa: PT017  (loading may also succeed)
        assert str(error).endswith(".")  # noqa: PT017
    else:
        assert digest(trace).entries
