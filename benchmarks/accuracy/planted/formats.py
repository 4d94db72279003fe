"""The same conversation as files of several formats, with the run of each message."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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


def otel(messages: Sequence[Message], name: str) -> tuple[str, list[str | None]]:
    """Return OpenTelemetry spans by the conventions for generative AI, as the SDK's console exporter writes them."""
    spans: list[dict[str, Any]] = []
    ids: list[str | None] = [None] * len(messages)
    first = [_parts(message) for message in messages if message["role"] == "user"][:1]
    about = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support_agent"}
    spoken = {"gen_ai.input.messages": first, "gen_ai.output.messages": [_parts(messages[_last_answer(messages)])]}
    spans.append(_span(name, 0, "invoke_agent support_agent", {**about, **_dumped(spoken)}))
    for place, message in enumerate(messages, start=1):
        if attributes := _span_attributes(message, messages[: place - 1]):
            spans.append(_span(name, place, " ".join(attributes.pop("title")), attributes))
            ids[place - 1] = spans[-1]["context"]["span_id"]
    return "\n".join(json.dumps(span, ensure_ascii=False) for span in spans), ids


def _last_answer(messages: Sequence[Message]) -> int:
    return max(place for place, message in enumerate(messages) if message["role"] == "assistant")


def _span_attributes(message: Message, before: Sequence[Message]) -> dict[str, Any]:
    if message["role"] == "assistant":
        system = [{"type": "text", "content": each["content"]} for each in before if each["role"] == "system"]
        told = [_parts(each) for each in before if each["role"] != "system"]
        spoken = {"system_instructions": system, "input.messages": told, "output.messages": [_parts(message)]}
        named = {f"gen_ai.{key}": value for key, value in spoken.items()}
        return {"title": ("chat", "small"), "gen_ai.operation.name": "chat", **_dumped(named)}
    if message["role"] == "tool":
        called = {
            "gen_ai.tool.name": message["name"],
            "gen_ai.tool.call.arguments": json.dumps(_arguments(before, message["tool_call_id"])),
            "gen_ai.tool.call.result": message["content"],
        }
        return {"title": ("execute_tool", message["name"]), "gen_ai.operation.name": "execute_tool", **called}
    return {}


def _parts(message: Message) -> dict[str, Any]:
    if message["role"] == "tool":
        response = {"type": "tool_call_response", "id": message["tool_call_id"], "response": message["content"]}
        return {"role": "tool", "parts": [response]}
    text = [{"type": "text", "content": message["content"]}] if message["content"] else []
    calls = [
        {
            "type": "tool_call",
            "id": call["id"],
            "name": call["function"]["name"],
            "arguments": json.loads(call["function"]["arguments"]),
        }
        for call in message.get("tool_calls") or ()
    ]
    return {"role": message["role"], "parts": [*text, *calls]}


def _dumped(attributes: Mapping[str, object]) -> dict[str, str]:
    return {key: json.dumps(value, ensure_ascii=False) for key, value in attributes.items()}


def _span(name: str, place: int, title: str, attributes: Mapping[str, object]) -> dict[str, Any]:
    own, root = (uuid5(NAMESPACE_URL, f"{name}/{at}").hex for at in (place, 0))
    failed = str(attributes.get("gen_ai.tool.call.result", "")).startswith("Error")
    start = _START + timedelta(seconds=place)
    return {
        "name": title,
        "context": {"trace_id": f"0x{root}", "span_id": f"0x{own[:16]}", "trace_state": "[]"},
        "kind": "SpanKind.INTERNAL",
        "parent_id": f"0x{root[:16]}" if place else None,
        "start_time": start.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "end_time": (start + timedelta(seconds=0.5)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "status": {"status_code": "ERROR" if failed else "UNSET"},
        "attributes": dict(attributes),
        "events": [],
        "links": [],
        "resource": {"attributes": {"service.name": "support"}, "schema_url": ""},
    }


FORMATS: dict[str, Callable[[Sequence[Message], str], tuple[str, list[str | None]]]] = {
    "transcript": transcript,
    "langsmith": langsmith,
    "otel": otel,
}
