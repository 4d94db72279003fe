from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.codex import CodexLines
from pytest_refinery.traces import answer, messages

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Trace

Record = dict[str, Any]

CALL = {"type": "function_call", "name": "shell", "arguments": json.dumps({"command": "ls"}), "call_id": "call_1"}
RESULT = {
    "type": "function_call_output",
    "call_id": "call_1",
    "output": json.dumps({"output": "a.txt", "metadata": {"exit_code": 0}}),
}
ASKED = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is here?"}]}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "One file."}]}
THOUGHT = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "List it."}], "encrypted_content": "x"}


def line(second: int, kind: str, payload: Record) -> Record:
    return {"timestamp": f"2026-03-02T09:00:{second:02}.000Z", "type": kind, "payload": payload}


ROLLOUT = [
    line(0, "session_meta", {"id": "thread-1", "base_instructions": {"text": "You are a coder."}}),
    line(0, "turn_context", {"model": "small"}),
    line(1, "response_item", ASKED),
    line(1, "event_msg", {"type": "user_message", "message": "What is here?"}),
    line(2, "response_item", THOUGHT),
    line(3, "response_item", CALL),
    line(4, "response_item", RESULT),
    line(5, "response_item", SAID),
    line(
        5, "event_msg", {"type": "token_count", "info": {"last_token_usage": {"input_tokens": 40, "output_tokens": 7}}}
    ),
    line(6, "event_msg", {"type": "mcp_startup_complete"}),
]
COMMAND = {
    "id": "item_1",
    "type": "command_execution",
    "command": "ls",
    "aggregated_output": "",
    "exit_code": None,
    "status": "in_progress",
}
EVENTS = [
    {"type": "thread.started", "thread_id": "thread-1"},
    {"type": "turn.started"},
    {"type": "item.completed", "item": {"id": "item_0", "type": "reasoning", "text": "List it."}},
    {"type": "item.started", "item": COMMAND},
    {
        "type": "item.completed",
        "item": {**COMMAND, "aggregated_output": "a.txt", "exit_code": 0, "status": "completed"},
    },
    {"type": "item.completed", "item": {"id": "item_2", "type": "agent_message", "text": "One file."}},
    {"type": "turn.completed", "usage": {"input_tokens": 40, "output_tokens": 7}},
]


def loaded(*records: object) -> Trace:
    collected = CodexLines("rollout.jsonl")
    for record in records:
        collected.add(record)
    return collected.trace()


def test_a_rollout_is_a_trace() -> None:
    trace = loaded(*ROLLOUT)
    root, first, tool, second = trace.runs
    assert (trace.id, trace.name, trace.format) == ("thread-1", "Codex session", "codex")
    assert trace.notes == ("Lines that are no messages, not read: 1 of 10 (mcp_startup_complete).",)
    assert [(run.kind, run.name, run.seconds, run.parent_id) for run in (first, tool, second)] == [
        ("llm", "small", 2, root.id),
        ("tool", "shell", 1, root.id),
        ("llm", "small", 1, root.id),
    ]
    assert [(m.role, m.text) for m in messages.read(first.inputs).messages] == [
        ("system", "You are a coder."),
        ("user", "What is here?"),
    ]
    assert messages.read(first.outputs).messages[0].thinking == "List it."
    assert tool.inputs == {"command": "ls"}
    assert messages.read(tool.outputs).messages[0].text == "a.txt"
    assert (second.usage, second.settings) == ({"input_tokens": 40, "output_tokens": 7}, {"model": "small"})
    assert answer.of(trace).text == "One file."


def test_bare_items_are_a_session_too() -> None:
    trace = loaded(CALL, RESULT, SAID)
    assert [run.kind for run in trace.runs] == ["chain", "llm", "tool", "llm"]


def test_an_older_rollout_begins_with_its_instructions() -> None:
    head = {"id": "thread-1", "timestamp": "2026-03-02T09:00:00Z", "instructions": "You are a coder."}
    assert CodexLines.recognises(head)
    trace = loaded(head, ASKED, SAID)
    assert messages.read(trace.runs[1].inputs).messages[0].text == "You are a coder."


def test_printed_events_are_a_trace() -> None:
    trace = loaded(*EVENTS)
    root, first, tool, second = trace.runs
    assert trace.notes == ()
    assert trace.id == "thread-1"
    assert messages.read(first.outputs).messages[0].thinking == "List it."
    assert (tool.id, tool.name, tool.inputs) == ("item_1", "command_execution", {"command": "ls"})
    assert messages.read(tool.outputs).messages[0].text == "a.txt"
    assert messages.answer_text(second.outputs) == "One file."
    assert root.usage == {"input_tokens": 40, "output_tokens": 7}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"exit_code": 2, "status": "failed"}, "The command ended with exit code 2."),
        ({"exit_code": None, "status": "failed"}, "The action has failed."),
        ({"error": {"message": "no such server"}}, "no such server"),
    ],
)
def test_an_action_that_failed_is_a_failed_run(fields: Record, error: str) -> None:
    trace = loaded({"type": "item.completed", "item": {**COMMAND, **fields}})
    assert trace.by_id["item_1"].error == error


def test_an_action_that_never_ended_is_pending() -> None:
    assert loaded({"type": "item.started", "item": COMMAND}).by_id["item_1"].is_pending


def test_a_call_of_a_server_has_the_name_of_its_tool() -> None:
    item = {
        "id": "item_1",
        "type": "mcp_tool_call",
        "server": "github",
        "tool": "search",
        "arguments": {"q": "x"},
        "result": {"content": [{"type": "text", "text": "2 issues"}]},
        "status": "completed",
    }
    tool = loaded({"type": "item.completed", "item": item}).by_id["item_1"]
    assert (tool.name, tool.inputs) == ("search", {"q": "x"})
    assert messages.read(tool.outputs).messages[0].text == "2 issues"


@pytest.mark.parametrize(
    "failure",
    [
        {"type": "turn.failed", "error": {"message": "stream error"}},
        {"type": "error", "message": "stream error"},
        line(9, "event_msg", {"type": "error", "message": "stream error"}),
        {"type": "item.completed", "item": {"id": "i", "type": "error", "message": "stream error"}},
    ],
)
def test_a_session_that_failed_is_a_failed_root(failure: Record) -> None:
    assert loaded(*EVENTS, failure).root.error == "stream error"


def test_lists_of_things_to_do_are_counted() -> None:
    todo = {"type": "item.completed", "item": {"id": "i", "type": "todo_list", "items": []}}
    assert loaded(*EVENTS, todo).notes == ("Lines that are no messages, not read: 1 of 8 (todo_list).",)


def test_a_session_in_which_nothing_happens_is_refused() -> None:
    with pytest.raises(TraceError, match=r"^rollout\.jsonl: no one says or does anything in this Codex session\.$"):
        loaded(EVENTS[0])
