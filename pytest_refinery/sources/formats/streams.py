"""The events of a streamed answer, joined into what the service would have given in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_refinery.traces.model import Json

    _Events = list[dict[str, Any]]

_ENDED = frozenset({"response.completed", "response.incomplete", "response.failed"})
# Where an Anthropic block grows, by the type of the delta.
_GROWING = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def joined(events: Sequence[Json]) -> Json:
    """Return the answer that the events of OpenAI's or Anthropic's streams make; anything else as it is."""
    records = [event for event in events if isinstance(event, dict)]
    answers = (make(records) for make in (_of_responses, _of_chunks, _of_blocks))
    return next((answer for answer in answers if answer is not None), list(events))


def _of_responses(events: _Events) -> Json:
    return next((event.get("response") for event in reversed(events) if str(event.get("type")) in _ENDED), None)


def _of_chunks(events: _Events) -> Json:
    choices = [choice for event in events for choice in _dicts(event.get("choices"))]
    deltas = [delta for choice in choices if isinstance(delta := choice.get("delta"), dict)]
    if not deltas:
        return None
    calls: dict[str, dict[str, Any]] = {}
    for piece in (piece for delta in deltas for piece in _dicts(delta.get("tool_calls"))):
        _grow(calls.setdefault(str(piece.get("index")), {"name": "", "arguments": ""}), piece)
    message: Json = {"role": "assistant", "content": _text(deltas, "content"), "tool_calls": list(calls.values())}
    ending = next((choice["finish_reason"] for choice in reversed(choices) if choice.get("finish_reason")), None)
    return {**_last(events, "model", "usage", "id"), "choices": [{"message": message, "finish_reason": ending}]}


def _grow(call: dict[str, Any], piece: dict[str, Any]) -> None:
    function = piece.get("function")
    said = function if isinstance(function, dict) else {}
    call["id"] = call.get("id") or piece.get("id")
    for key in ("name", "arguments"):
        call[key] += str(said.get(key) or "")


def _of_blocks(events: _Events) -> Json:
    start = next((event.get("message") for event in events if event.get("type") == "message_start"), None)
    if not isinstance(start, dict):
        return None
    blocks: dict[str, dict[str, Any]] = {}
    for event in events:
        block, delta = event.get("content_block"), event.get("delta")
        if isinstance(block, dict):
            blocks[str(event.get("index"))] = {**block, "partial_json": ""}
        elif isinstance(delta, dict) and (key := _GROWING.get(str(delta.get("type")))):
            known = blocks.setdefault(str(event.get("index")), {"type": "text"})
            known[key] = str(known.get(key) or "") + str(delta.get(key) or "")
    return {**start, **_last(events, "usage"), "content": [_whole(block) for block in blocks.values()]}


def _whole(block: dict[str, Any]) -> dict[str, Json]:
    written = block.pop("partial_json", "")
    return {**block, "input": written} if written else block


def _last(events: _Events, *keys: str) -> dict[str, Json]:
    return {key: next((event[key] for event in reversed(events) if event.get(key)), None) for key in keys}


def _text(deltas: _Events, key: str) -> str:
    return "".join(delta[key] for delta in deltas if isinstance(delta.get(key), str))


def _dicts(value: Json) -> Iterator[dict[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
