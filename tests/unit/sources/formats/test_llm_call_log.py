from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.llm_call_log import ModelCalls
from pytest_refinery.traces import answer, conversation, messages

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Trace

Record = dict[str, Any]

CHAT: Record = {
    "model": "small",
    "temperature": 0.5,
    "messages": [{"role": "system", "content": "You are a desk."}, {"role": "user", "content": "How much?"}],
}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "small-2026",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "1,204.50 USD"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47},
}
RESPONSES = {"model": "small", "instructions": "You are a desk.", "input": "How much?", "temperature": 0.5}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "1,204.50 USD"}]}],
    "usage": {"input_tokens": 40, "output_tokens": 7, "total_tokens": 47},
}
ANTHROPIC = {**CHAT, "system": "You are a desk.", "messages": [{"role": "user", "content": "How much?"}]}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "1,204.50 USD"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 40, "output_tokens": 7},
}
LOGS: dict[str, Record] = {
    "chat completions": {"request": CHAT, "response": COMPLETION},
    "the Responses API": {"request": RESPONSES, "response": RESPONSE},
    "Anthropic": {"request": ANTHROPIC, "response": MESSAGE},
    "HTTP bodies as text": {
        "request": {"method": "POST", "url": "https://x", "body": json.dumps(CHAT)},
        "response": {"status": 200, "body": json.dumps(COMPLETION)},
    },
    "a request with its response in it": {**CHAT, "response": COMPLETION},
    "a logger's own text": {**CHAT, "response": "1,204.50 USD"},
    "the chunks of a stream": {
        "request": CHAT,
        "response": [
            {"choices": [{"delta": {"role": "assistant", "content": "1,204.50"}}]},
            {"choices": [{"delta": {"content": " USD"}}]},
            {"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 7}},
        ],
    },
    "bodies apart": {"request_body": CHAT, "response_body": COMPLETION},
}


def loaded(*records: object) -> Trace:
    collected = ModelCalls("calls.jsonl")
    for record in records:
        collected.add(record)
    return collected.trace()


@pytest.mark.parametrize("log", LOGS)
def test_every_log_of_a_call_is_a_model_run(log: str) -> None:
    trace = loaded(LOGS[log])
    (run,) = trace.runs
    assert (trace.format, run.kind, run.name) == ("message-log", "llm", "small")
    assert {**run.settings, **dict(run.inputs)}["temperature"] == 0.5  # type: ignore[call-overload]
    assert answer.of(trace).text == "1,204.50 USD"
    steps = conversation.read(trace)
    assert steps.system == ("You are a desk.",)
    assert [(step.role, step.text) for step in steps.steps] == [("user", "How much?"), ("assistant", "1,204.50 USD")]
    if "own text" not in log:
        assert (run.usage["input_tokens"], run.usage["output_tokens"]) == (40, 7)


def test_the_calls_of_a_log_are_runs_in_the_order_of_the_file() -> None:
    second = {"request": CHAT, "response": {**COMPLETION, "id": "chatcmpl-2"}, "timestamp": "2026-03-02T09:00:00Z"}
    trace = loaded(LOGS["chat completions"], second, second)
    assert [run.id for run in trace.runs] == ["chatcmpl-1", "chatcmpl-2", "call-3"]
    assert trace.runs[1].started_at is not None
    assert [run.parent_id for run in trace.runs] == [None, None, None]


def test_the_answer_of_a_batch_is_a_call_without_its_request() -> None:
    trace = loaded({"custom_id": "c-7", "response": {"status_code": 200, "body": COMPLETION}, "error": None})
    assert trace.root.inputs is None
    assert answer.of(trace).text == "1,204.50 USD"


def test_a_stored_completion_is_a_call() -> None:
    trace = loaded({**COMPLETION, "tool_choice": None})
    assert answer.of(trace).text == "1,204.50 USD"


@pytest.mark.parametrize(
    "record",
    [
        {"request": CHAT, "error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}},
        {"request": CHAT, "response": {"status": 429, "body": {"error": {"message": "Rate limit reached"}}}},
        {"request": CHAT, "response": None, "exception": "Rate limit reached"},
    ],
)
def test_a_call_that_failed_is_a_failed_run(record: Record) -> None:
    run = loaded(record).root
    assert run.error == "Rate limit reached"
    assert run.outputs is None


def test_what_a_run_has_no_place_for_is_counted() -> None:
    trace = loaded({**LOGS["chat completions"], "user": "u-7"}, {"hello": 1})
    assert trace.root.metadata == {"user": "u-7"}
    assert trace.notes == (
        "Fields of calls that a run has no place for, kept as its metadata: 1 of 3 (user).",
        "Records that are no calls, not read: 1 of 2 (hello).",
    )


def test_without_a_call_there_is_no_trace() -> None:
    with pytest.raises(TraceError, match=r"^calls\.jsonl: there is no call of a model in it\.$"):
        loaded({"hello": 1})


@pytest.mark.parametrize(
    "record", [{"messages": CHAT["messages"]}, CHAT, {"role": "user", "content": "Hi"}, {"response": 5}, 5, None]
)
def test_what_is_no_call_is_not_taken_for_one(record: object) -> None:
    assert not ModelCalls.recognises(record)


def test_a_tool_call_and_its_result_are_kept() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "get_cash", "arguments": "{}"}}
    calling = {**COMPLETION, "choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [call]}}]}
    told = {
        **CHAT,
        "messages": [
            *CHAT["messages"],
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "1,204.50"},
        ],
    }
    trace = loaded({"request": CHAT, "response": calling}, {"request": told, "response": COMPLETION})
    assert messages.read(trace.runs[0].outputs).messages[0].tool_calls[0].name == "get_cash"
    assert [step.role for step in conversation.read(trace).steps] == ["user", "assistant", "tool", "assistant"]
