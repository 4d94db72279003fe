"""What LangGraph streams: states, what the steps of a graph add to them, pieces of messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from pytest_refinery.traces import messages

_MODES = frozenset({"values", "updates", "messages", "messages-tuple", "messages/partial", "messages/complete"})
_OTHER_MODES = frozenset({"custom", "debug", "tasks", "checkpoints", "metadata", "end", "messages/metadata"})
_CONFIGURATION = frozenset({"configurable", "langgraph_node", "langgraph_step", "checkpoint_ns"})


def unwrapped(value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    """Return what stands in an event of a stream, other values as they are."""
    mode = (value.get("event") or value.get("type")) if isinstance(value, Mapping) and "data" in value else None
    if isinstance(mode, str) and mode.partition("|")[0] in _MODES:
        return unwrapped(value["data"])
    if isinstance(value, list) and value and isinstance(value[-1], Mapping):
        if "langgraph_node" in value[-1]:
            return value[0]
        # With subgraphs, a mode stands behind the name of one.
        if (
            all((isinstance(item, str) and item in _MODES) or isinstance(item, list) for item in value[:-1])
            and value[:-1]
        ):
            return value[-1]
    return value


def added(value: object) -> list[Any]:
    """Return the messages that steps of a graph added: ``{"agent": {"messages": [...]}}``."""
    if not isinstance(value, Mapping) or not all(isinstance(item, Mapping | list | None) for item in value.values()):
        return []
    updates = [update for item in value.values() for update in (item if isinstance(item, list) else [item])]
    found = [update["messages"] for update in updates if isinstance(update, Mapping) and "messages" in update]
    return [message for each in found for message in (each if isinstance(each, list) else [each])]


def is_bookkeeping(value: object) -> bool:
    """Tell whether a value beside the messages says nothing of what was said: modes, configurations, places."""
    if isinstance(value, str):
        return value in _MODES | _OTHER_MODES
    if not isinstance(value, Mapping):
        return value in (None, [])
    is_session = "$set" in value or {"sessionId", "projectHash"} <= value.keys()
    is_event = str(value.get("event") or value.get("type")) in _OTHER_MODES and "data" in value
    return (
        not value or is_session or is_event or not _CONFIGURATION.isdisjoint(value) or value.keys() == {"__interrupt__"}
    )


def joined(entries: list[Any]) -> list[Any]:
    """Return entries with the pieces of streamed messages joined."""
    found: list[Any] = []
    for entry in entries:
        last = found[-1] if found else None
        if _is_chunk(entry) and _is_chunk(last) and _is_same(last, entry):
            found[-1] = _both(last, entry)
        else:
            found.append(entry)
    return found


def _is_same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    one, other = _fields(first).get("id"), _fields(second).get("id")
    return one is None or other is None or one == other


def _is_chunk(entry: object) -> TypeGuard[Mapping[str, Any]]:
    if not isinstance(entry, Mapping):
        return False
    name = entry["id"][-1] if isinstance(entry.get("id"), list) and entry["id"] else entry.get("type")
    return isinstance(name, str) and name.endswith("MessageChunk")


def _fields(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = entry.get("kwargs") or entry.get("data")
    return inner if isinstance(inner, Mapping) else entry


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _both(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    one, other = _fields(first), _fields(second)
    text = "".join(message.text for each in (first, second) for message in messages.read([each]).messages)
    pieces: dict[object, dict[str, Any]] = {}
    for piece in (*_objects(one.get("tool_call_chunks")), *_objects(other.get("tool_call_chunks"))):
        known = pieces.setdefault(
            str(piece.get("index")), {"name": "", "args": "", "id": None, "index": piece.get("index")}
        )
        known["id"] = known["id"] or piece.get("id")
        known["name"] += str(piece.get("name") or "")
        known["args"] += str(piece.get("args") or "")
    return {
        "type": "AIMessageChunk",
        "id": one.get("id") or other.get("id"),
        "content": text,
        "tool_call_chunks": [*pieces.values()],
    }
