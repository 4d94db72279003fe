"""The same conversation as files of several formats, with the run of each message."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.accuracy.planted.talks import Message

_START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def transcript(messages: Sequence[Message], _: str) -> tuple[str, list[str | None]]:
    """Return a chat transcript: each message is a run, its id the place."""
    text = json.dumps({"messages": list(messages)}, ensure_ascii=False)
    return text, [str(place) for place in range(len(messages))]


def langsmith(messages: Sequence[Message], name: str) -> tuple[str, list[str | None]]:
    """Return an export of a LangSmith tree: one chain, in it a model call for each answer and a run for each tool."""
    ids: list[str | None] = []
    root = _run(name, 0, "support_agent", "chain", None)
    root |= {"inputs": {"messages": _told(messages)}, "outputs": {"messages": list(messages)}}
    runs = [root]
    for place, message in enumerate(messages, start=1):
        run = _run_of(name, place, message, messages[: place - 1], root["id"])
        runs += [run] if run else []
        ids.append(run["id"] if run else None)
    return json.dumps(runs, ensure_ascii=False), ids


def _told(messages: Sequence[Message]) -> list[Message]:
    return [message for message in messages[:2] if message["role"] in {"system", "user"}]


def _run_of(name: str, place: int, message: Message, before: Sequence[Message], parent: str) -> dict[str, Any] | None:
    if message["role"] == "assistant":
        run = _run(name, place, "ChatOpenAI", "llm", parent)
        return run | {"inputs": {"messages": list(before)}, "outputs": {"choices": [{"message": message}]}}
    if message["role"] == "tool":
        run = _run(name, place, message["name"], "tool", parent)
        failed = message["content"].startswith("Error")
        return run | {
            "inputs": _arguments(before, message["tool_call_id"]),
            "outputs": None if failed else {"output": message["content"]},
            "error": message["content"] if failed else None,
            "status": "error" if failed else "success",
        }
    return None


def _arguments(before: Sequence[Message], call_id: str) -> dict[str, Any]:
    for message in reversed(before):
        for call in message.get("tool_calls") or ():
            if call["id"] == call_id:
                arguments: dict[str, Any] = json.loads(call["function"]["arguments"])
                return arguments
    return {}


def _run(name: str, place: int, title: str, kind: str, parent: str | None) -> dict[str, Any]:
    own, root = (str(uuid5(NAMESPACE_URL, f"{name}/{at}")) for at in (place, 0))
    start = _START + timedelta(seconds=place)
    stamp = start.strftime("%Y%m%dT%H%M%S%fZ")
    first = _START.strftime("%Y%m%dT%H%M%S%fZ")
    return {
        "id": own,
        "trace_id": root,
        "parent_run_id": parent,
        "dotted_order": f"{first}{root}" if parent is None else f"{first}{root}.{stamp}{own}",
        "name": title,
        "run_type": kind,
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(seconds=0.5)).isoformat(),
        "status": "success",
        "error": None,
        "inputs": {},
        "outputs": {},
    }


FORMATS: dict[str, Callable[[Sequence[Message], str], tuple[str, list[str | None]]]] = {
    "transcript": transcript,
    "langsmith": langsmith,
}
