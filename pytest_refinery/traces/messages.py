"""Messages out of the values of a run, in every serialisation that traces carry.

``read(value)`` walks any JSON value and separates the messages in it from the rest. It knows

- LangChain constructor objects: ``{"lc": 1, "type": "constructor", "id": [..., "AIMessage"], "kwargs": {...}}``,
  chunk classes included, at any nesting (``messages[0][0]``);
- LangChain dict form: ``{"type": "human", "content": ...}`` and ``{"type": "human", "data": {...}}``;
- OpenAI chat, its ``choices``, and the items of the Responses API;
- Anthropic: content blocks with ``tool_use`` and ``tool_result``;
- Google: ``{"role": "model", "parts": [...]}``;
- ``(role, text)`` pairs;
- generations of LLM outputs, with or without a message in them.

No run, no trace, no file: values in, values out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from pytest_refinery.traces.model import Json, Message, ToolCall

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}
# LangChain's "type" of a message in dict form; "chat" carries its role beside it.
_LANGCHAIN_TYPES = frozenset({"human", "ai", "system", "tool", "function", "chat", "developer"})
_BLOCK_TEXT_KEYS = ("text", "thinking", "refusal", "summary_text")


@dataclass(frozen=True, slots=True)
class Reading:
    """The messages of a value in their order, and what remains of the value without them.

    ``rest`` is ``None`` where messages were all there was.
    """

    messages: tuple[Message, ...]
    rest: Json


def read(value: object) -> Reading:
    """Separate the messages in ``value`` from the rest of it."""
    found: list[Message] = []
    rest = _walk(value, found)
    return Reading(tuple(found), cast("Json", rest))


def answer_text(value: object) -> str | None:
    """Return the answer in a run's outputs, however it is wrapped, or ``None`` where there is none.

    The last assistant message with a text; else the one text that there is (under
    ``output``, ``answer``, ``response``, ``result``, ``text`` or ``content`` where there
    are several); else the outputs as JSON.
    """
    reading = read(value)
    for message in reversed(reading.messages):
        if message.role not in {"user", "system", "tool"} and message.text.strip():
            return message.text
    named = _named_text(reading.rest)
    if named is not None:
        return named
    if reading.rest is not None:
        return json.dumps(reading.rest, ensure_ascii=False)
    return next((m.text for m in reversed(reading.messages) if m.text.strip()), None)


def role_of(word: str) -> str:
    """Return the role that ``word`` stands for in any vendor's vocabulary, or ``word`` itself."""
    return _ROLES.get(word.lower(), word)


_ANSWER_KEYS = ("output", "answer", "response", "result", "text", "content", "final_output", "return_value")


def _named_text(rest: object) -> str | None:
    if isinstance(rest, str):
        return rest
    if not isinstance(rest, Mapping):
        return None
    for key in _ANSWER_KEYS:
        if key in rest and rest[key] is not None:
            return _named_text(rest[key]) or json.dumps(rest[key], ensure_ascii=False)
    texts = [item for item in rest.values() if isinstance(item, str)]
    return texts[0] if len(rest) == 1 and texts else None


def _walk(value: object, found: list[Message]) -> object:
    """Append the messages in ``value`` to ``found``; return the rest, ``None`` where nothing remains."""
    if isinstance(value, Mapping):
        return _walk_mapping(value, found)
    if isinstance(value, list | tuple):
        if _is_pair(value):
            found.append(Message(role=role_of(value[0]), text=_text(value[1])))
            return None
        rests = [_walk(item, found) for item in value]
        kept = [rest for rest in rests if rest is not None]
        # A list of plain values keeps its nulls: they are positions there.
        return (list(rests) if len(kept) == len(rests) else kept) or (None if value else [])
    return value


def _walk_mapping(value: Mapping[str, Any], found: list[Message]) -> object:
    messages = parse(value)
    if messages is not None:
        found.extend(messages)
        return None
    if _is_generation(value):
        return _walk_generation(value, found)
    if value.get("lc") == 1 and isinstance(value.get("kwargs"), Mapping):
        return _walk(value["kwargs"], found)
    before = len(found)
    rest = {}
    for key, item in value.items():
        remaining = _walk(item, found)
        if remaining is not None:
            rest[key] = remaining
    return rest or (None if value and (len(found) > before or _is_null(value)) else {} if not value else None)


def _is_null(value: Mapping[str, Any]) -> bool:
    return all(item is None for item in value.values())


def _is_generation(value: Mapping[str, Any]) -> bool:
    return "generation_info" in value or (isinstance(value.get("text"), str) and isinstance(value.get("message"), Mapping))


def _walk_generation(value: Mapping[str, Any], found: list[Message]) -> object:
    if isinstance(value.get("message"), Mapping):
        rest = {key: item for key, item in value.items() if key not in {"text", "type", "message"} and item is not None}
        remaining = _walk(value["message"], found)
        return _walk(rest, found) if rest else remaining
    found.append(Message(role="assistant", text=_text(value.get("text"))))
    info = value.get("generation_info")
    return {"generation_info": info} if info else None


def _is_pair(value: Sequence[object]) -> bool:
    return (
        len(value) == 2  # noqa: PLR2004  (a pair)
        and isinstance(value[0], str)
        and value[0].lower() in _ROLES
        and isinstance(value[1], str | list)
    )


def parse(value: Mapping[str, Any]) -> list[Message] | None:
    """Return the messages that one object stands for, or ``None`` where it is no message.

    One object may be several: an Anthropic user turn carries tool results beside its text.
    """
    kind = value.get("type")
    if value.get("lc") == 1 and kind == "constructor":
        return _from_constructor(value)
    role = value.get("role")
    if isinstance(role, str) and _has_body(value):
        return _from_role(role, value)
    if isinstance(kind, str):
        return _from_type(kind, value)
    return None


def _has_body(value: Mapping[str, Any]) -> bool:
    return any(key in value for key in ("content", "parts", "tool_calls", "function_call", "refusal"))


def _from_constructor(value: Mapping[str, Any]) -> list[Message] | None:
    name = value["id"][-1] if isinstance(value.get("id"), list) and value["id"] else ""
    kwargs = value.get("kwargs")
    if not isinstance(name, str) or not isinstance(kwargs, Mapping):
        return None
    bare = name.removesuffix("Chunk")
    if not bare.endswith("Message") or "content" not in kwargs:
        return None
    role = kwargs.get("role") or bare.removesuffix("Message").lower()
    return _from_role(str(role), kwargs)


def _from_type(kind: str, value: Mapping[str, Any]) -> list[Message] | None:
    bare = kind.removesuffix("MessageChunk").removesuffix("Message").lower()
    if bare in _LANGCHAIN_TYPES:
        data = value.get("data")
        if isinstance(data, Mapping) and "content" in data:
            value = data
        if "content" not in value:
            return None
        return _from_role(str(value.get("role") or bare), value)
    if kind == "function_call" and "name" in value and "arguments" in value:
        return [Message(role="assistant", text="", tool_calls=(_tool_call(value),))]
    if kind == "function_call_output":
        return [Message(role="tool", text=_text(value.get("output")), tool_call_id=_optional(value.get("call_id")))]
    return None


def _from_role(role: str, value: Mapping[str, Any]) -> list[Message]:
    blocks = value.get("content", value.get("parts"))
    text, calls, results = _content(blocks)
    if not text and isinstance(value.get("refusal"), str):
        text = value["refusal"]
    message = Message(
        role=role_of(role),
        text=text,
        name=_optional(value.get("name")),
        tool_calls=(*calls, *_tool_calls(value, known=calls)),
        tool_call_id=_optional(value.get("tool_call_id")),
        is_error=value.get("status") == "error",
    )
    is_carrier = results and not text and not message.tool_calls
    return results if is_carrier else [*results, message]


def _content(blocks: object) -> tuple[str, list[ToolCall], list[Message]]:
    """Return text, tool calls and tool results of a message's content."""
    if not isinstance(blocks, list | tuple):
        return _text(blocks), [], []
    texts: list[str] = []
    calls: list[ToolCall] = []
    results: list[Message] = []
    for block in blocks:
        if not isinstance(block, Mapping):
            texts.append(_text(block))
        elif block.get("type") in {"tool_use", "tool_call", "function_call"} or "functionCall" in block or "function_call" in block:
            calls.append(_tool_call(block))
        elif block.get("type") == "tool_result" or "functionResponse" in block or "function_response" in block:
            results.append(_tool_result(block))
        elif text := _block_text(block):
            texts.append(text)
    return "\n".join(texts), calls, results


def _block_text(block: Mapping[str, Any]) -> str:
    for key in _BLOCK_TEXT_KEYS:
        if isinstance(block.get(key), str):
            return str(block[key])
    if isinstance(block.get("text"), Mapping):
        return _text(block["text"].get("value"))
    if block.get("type") in {"input_json_delta", "redacted_thinking"}:
        return ""
    if any(word in str(block.get("type", "")) for word in ("image", "audio", "file", "document", "media", "video")):
        return f"[{block['type']}]"
    return _text(dict(block))


def _tool_calls(value: Mapping[str, Any], *, known: Sequence[ToolCall]) -> list[ToolCall]:
    extra = value.get("additional_kwargs")
    sources = [value.get("tool_calls"), value.get("invalid_tool_calls"), value.get("tool_call_chunks")]
    if isinstance(extra, Mapping):
        sources.append(extra.get("tool_calls"))
        sources.append([extra["function_call"]] if isinstance(extra.get("function_call"), Mapping) else None)
    if isinstance(value.get("function_call"), Mapping):
        sources.append([value["function_call"]])
    found: list[ToolCall] = []
    seen = {_identity(call) for call in known}
    for source in sources:
        for item in source if isinstance(source, list) else ():
            call = _tool_call(item) if isinstance(item, Mapping) else None
            if call is None or _identity(call) in seen or (call.id is None and found and source is not sources[0]):
                continue
            seen.add(_identity(call))
            found.append(call)
    return found


def _identity(call: ToolCall) -> str:
    return call.id or f"{call.name}({json.dumps(call.arguments, sort_keys=True, default=str)})"


def _tool_call(item: Mapping[str, Any]) -> ToolCall:
    for wrapper in ("function", "functionCall", "function_call"):
        if isinstance(item.get(wrapper), Mapping):
            inner = item[wrapper]
            return replace(_tool_call(inner), id=_optional(item.get("id")) or _optional(inner.get("id")))
    arguments = next((item[key] for key in ("args", "arguments", "input") if item.get(key) is not None), {})
    return ToolCall(
        name=str(item.get("name") or ""),
        arguments=_arguments(arguments),
        id=_optional(item.get("call_id") or item.get("id")),
    )


def _arguments(value: object) -> Mapping[str, Json] | str:
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError:
            return value
        return parsed if isinstance(parsed, dict) else value
    return cast("Mapping[str, Json]", value) if isinstance(value, Mapping) else _text(value)


def _tool_result(block: Mapping[str, Any]) -> Message:
    inner = next((block[key] for key in ("functionResponse", "function_response") if isinstance(block.get(key), Mapping)), None)
    if inner is not None:
        return Message(role="tool", text=_text(inner.get("response")), name=_optional(inner.get("name")), tool_call_id=_optional(inner.get("id")))
    text, _, _ = _content(block.get("content"))
    return Message(role="tool", text=text, tool_call_id=_optional(block.get("tool_use_id")), is_error=block.get("is_error") is True)


def _optional(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


