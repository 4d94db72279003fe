from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.claude_code import ClaudeCodeLines
from pytest_refinery.traces import answer, conversation, messages

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Trace

Record = dict[str, Any]


def line(number: int, kind: str, content: object, **fields: object) -> Record:
    message: Record = {"role": kind, "content": content}
    if kind == "assistant":
        message |= {
            "id": fields.pop("message_id", f"msg_{number}"),
            "model": "opus",
            "usage": {"input_tokens": 40, "output_tokens": number},
        }
    return {
        "type": kind,
        "uuid": f"u{number}",
        "parentUuid": f"u{number - 1}" if number else None,
        "sessionId": "s-1",
        "isSidechain": False,
        "timestamp": f"2026-03-02T09:00:{number:02}.000Z",
        "message": message,
        **fields,
    }


def call(number: int, name: str, **arguments: object) -> Record:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": arguments}


def result(number: int, content: object, **fields: object) -> Record:
    return {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content, **fields}


SESSION = [
    {"type": "file-history-snapshot", "messageId": "x", "snapshot": {}},
    line(0, "user", "Run the tests."),
    line(1, "assistant", [{"type": "thinking", "thinking": "Use make."}], message_id="msg_a"),
    line(2, "assistant", [{"type": "text", "text": "I run them."}], message_id="msg_a"),
    line(3, "assistant", [call(1, "Bash", command="make test")], message_id="msg_a"),
    line(4, "user", [result(1, "1 failed")], toolUseResult={"stdout": "1 failed"}),
    line(5, "assistant", [{"type": "text", "text": "One test fails."}]),
]


def loaded(*records: object) -> Trace:
    collected = ClaudeCodeLines("session.jsonl")
    for record in records:
        collected.add(record)
    return collected.trace()


def test_a_session_is_a_trace() -> None:
    trace = loaded(*SESSION)
    root, first, tool, second = trace.runs
    assert (trace.id, trace.name, trace.format) == ("s-1", "Claude Code session", "claude-code")
    assert trace.notes == ("Lines that are no messages, not read: 1 of 7 (file-history-snapshot).",)
    assert [(run.id, run.kind, run.parent_id) for run in (first, tool, second)] == [
        ("msg_a", "llm", root.id),
        ("toolu_1", "tool", root.id),
        ("msg_5", "llm", root.id),
    ]
    assert (first.seconds, tool.seconds, second.seconds, root.seconds) == (3, 1, 1, 5)
    assert first.settings == {"model": "opus"}
    assert first.usage == {"input_tokens": 40, "output_tokens": 3}
    assert (tool.name, tool.inputs) == ("Bash", {"command": "make test"})
    assert messages.read(tool.outputs).messages[0].text == "1 failed"
    assert answer.of(trace).text == "One test fails."


def test_a_session_reads_as_the_conversation_it_was() -> None:
    steps = conversation.read(loaded(*SESSION)).steps
    assert [(step.role, step.text) for step in steps] == [
        ("user", "Run the tests."),
        ("assistant", ""),
        ("assistant", "I run them."),
        ("assistant", ""),
        ("tool", "1 failed"),
        ("assistant", "One test fails."),
    ]


def test_a_tool_that_failed_is_a_failed_run() -> None:
    trace = loaded(*SESSION[:5], line(4, "user", [result(1, "No such file", is_error=True)]))
    assert trace.by_id["toolu_1"].error == "No such file"


def test_a_call_without_a_result_is_pending() -> None:
    assert loaded(*SESSION[:5]).by_id["toolu_1"].is_pending


def test_messages_of_their_own_ids_are_runs_of_their_own() -> None:
    trace = loaded(SESSION[1], line(1, "assistant", "One moment."), line(2, "assistant", "Here it is."))
    assert [run.id for run in trace.runs if run.kind == "llm"] == ["msg_1", "msg_2"]


def test_what_nobody_answered_is_what_the_model_was_to_be_called_with() -> None:
    trace = loaded(*SESSION, line(6, "user", "Why?"))
    last = trace.runs[-1]
    assert (last.kind, last.is_pending) == ("llm", True)
    assert messages.read(last.inputs).messages[0].text == "Why?"
    assert not any(run.kind == "llm" and run.is_pending for run in loaded(*SESSION[:6]).runs)


def test_an_id_that_is_taken_is_taken_once() -> None:
    taken = line(1, "assistant", [{**call(1, "Bash"), "id": "run-0"}, {**call(2, "Bash"), "id": "run-3"}])
    trace = loaded(SESSION[1], taken, line(2, "assistant", [{**call(3, "Bash"), "id": "msg_1"}], message_id="run-0"))
    assert len({run.id for run in trace.runs}) == len(trace.runs) == 6


def test_an_error_of_the_api_is_a_failed_model_run() -> None:
    trace = loaded(
        SESSION[1], line(1, "assistant", [{"type": "text", "text": "API Error: 529"}], isApiErrorMessage=True)
    )
    assert trace.runs[1].error == "API Error: 529"


def test_what_the_user_adds_beside_a_result_is_kept() -> None:
    trace = loaded(
        *SESSION[:5], line(4, "user", [result(1, "1 failed"), {"type": "text", "text": "Stop."}]), SESSION[6]
    )
    told = [(m.role, m.text) for m in messages.read(trace.by_id["msg_5"].inputs).messages]
    assert told == [("tool", "1 failed"), ("user", "Stop.")]


SUB = [
    line(10, "user", "Find it.", isSidechain=True, parentUuid=None),
    line(11, "assistant", [{"type": "text", "text": "Found."}], isSidechain=True),
]


@pytest.mark.parametrize(
    "sub",
    [
        SUB,
        [{**each, "agentId": "a-7"} for each in SUB],
        [{**each, "isSidechain": False, "parent_tool_use_id": "toolu_9"} for each in SUB],
    ],
    ids=["linked", "by agent", "printed"],
)
def test_a_sub_agent_works_below_the_call_with_its_prompt(sub: list[Record]) -> None:
    asking = line(1, "assistant", [call(9, "Task", prompt="Find it.")])
    trace = loaded(SESSION[1], asking, *sub, line(12, "user", [result(9, "Found.")]))
    assert trace.by_id["msg_11"].parent_id == "toolu_9"
    assert messages.read(trace.by_id["msg_11"].inputs).messages[0].text == "Find it."


def test_the_printed_result_is_the_answer() -> None:
    ended = {"type": "result", "subtype": "success", "session_id": "s-1", "result": "Done.", "is_error": False}
    trace = loaded({"type": "system", "subtype": "init", "session_id": "s-1"}, *SESSION[1:], ended)
    assert answer.of(trace).text == "Done."
    failed = {**ended, "is_error": True, "result": "Credit balance is too low"}
    assert loaded(*SESSION[1:], failed).root.error == "Credit balance is too low"


def test_a_session_without_messages_is_refused() -> None:
    with pytest.raises(TraceError, match=r"^session\.jsonl: no one says anything in this Claude Code session\.$"):
        loaded(SESSION[0])
