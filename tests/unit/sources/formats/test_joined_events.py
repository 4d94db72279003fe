from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.sources.formats.llm_call_log import joined_events
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import Message, ToolCall

CALL = ToolCall("get_cash", {"account": "A-1"}, "call-1")


def chunk(delta: dict[str, Any], **fields: object) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, **fields}]}


def piece(**fields: object) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, **fields}]}


CHUNKS: list[Any] = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Let me "}),
    chunk({"content": "see."}),
    chunk(piece(id="call-1", function={"name": "get_cash", "arguments": ""})),
    chunk(piece(function={"arguments": '{"account":'})),
    chunk(piece(function={"arguments": ' "A-1"}'})),
    chunk({}, finish_reason="tool_calls"),
    {"choices": [], "usage": {"prompt_tokens": 40}},
]
BLOCKS: list[Any] = [
    {"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Let me "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "see."}},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "call-1", "name": "get_cash", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"account":'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ' "A-1"}'}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
]


def test_the_chunks_of_a_chat_are_its_message() -> None:
    whole: Any = joined_events(CHUNKS)
    assert messages.read(whole).messages == (Message("assistant", "Let me see.", tool_calls=(CALL,)),)
    assert whole["usage"] == {"prompt_tokens": 40}
    assert whole["choices"][0]["finish_reason"] == "tool_calls"


def test_the_blocks_of_anthropic_are_its_message() -> None:
    whole: Any = joined_events(BLOCKS)
    assert messages.read(whole).messages == (Message("assistant", "Let me see.", tool_calls=(CALL,)),)
    assert whole["usage"] == {"output_tokens": 7}


def test_the_last_event_of_a_response_holds_it_whole() -> None:
    events: list[Any] = [
        {"type": "response.created", "response": {}},
        {"type": "response.completed", "response": {"id": "r"}},
    ]
    assert joined_events(events) == {"id": "r"}


def test_other_lists_stay_what_they_are() -> None:
    assert joined_events([{"role": "assistant", "content": "Hi"}, 5]) == [{"role": "assistant", "content": "Hi"}, 5]


@given(st.lists(st.sampled_from([*CHUNKS, *BLOCKS, 5, None, {"choices": 5}, {"type": "message_start", "message": {}}])))
def test_any_events_are_joined(events: list[Any]) -> None:
    assert json.dumps(joined_events(events)) is not None
