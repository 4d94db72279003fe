"""Messages out of the values of a run, in every serialisation that traces carry.

``read(value)`` walks any JSON value and separates the messages in it from the rest. It knows

- LangChain constructor objects: ``{"lc": 1, "type": "constructor", "id": [..., "AIMessage"], "kwargs": {...}}``,
  chunk classes included, at any nesting (``messages[0][0]``);
- LangChain dict form: ``{"type": "human", "content": ...}`` and ``{"type": "human", "data": {...}}``;
- OpenAI chat, its ``choices``, and the items of the Responses API;
- Anthropic: content blocks with ``tool_use`` and ``tool_result``;
- Google: ``{"role": "model", "parts": [...]}``, and OpenTelemetry's ``parts`` with a ``type`` and ``content`` each;
- ``{"role": ..., "text": ...}``, as BeeAI has it;
- Amazon Bedrock: content blocks ``{"toolUse": ...}`` and ``{"toolResult": ...}``;
- the Vercel AI SDK's content blocks (``tool-call``, ``tool-result``);
- ``(role, text)`` pairs;
- generations of LLM outputs, with or without a message in them.

Response metadata and other fields beside a message's content go with the message. No run, no trace, no file:
values in, values out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from pytest_refinery.traces import json_values
from pytest_refinery.traces.model import Message, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_refinery.traces.model import Json

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
    **dict.fromkeys(
        ("tool_result", "tool-result", "tool_response", "tool-response", "tool_output", "tool_return"), "tool"
    ),
    **dict.fromkeys(("tool_call_result", "function_result", "function_response", "observation", "ipython"), "tool"),
}
# Roles of messages that are calls: ``tool_call``, ``tool-call``, ``function_call``.
_CALLING = re.compile(r"(?:tool|function)[-_ ]?(?:call|use|request|invocation)s?", re.IGNORECASE)
# LangChain's "type" of a message in dict form; "chat" carries its role beside it.
_LANGCHAIN_TYPES = frozenset({"human", "ai", "system", "tool", "function", "chat", "developer"})
_BODY_KEYS = frozenset({"content", "parts", "blocks", "tool_calls", "function_call", "refusal"})
_CALL_WRAPPERS = ("function", "functionCall", "function_call", "custom", "toolUse")
_RESULT_WRAPPERS = ("functionResponse", "function_response", "toolResult")
_CALL_ID_KEYS = ("call_id", "tool_call_id", "tool_use_id", "toolCallId", "toolUseId", "id")
_NAME_KEYS = ("name", "toolName", "tool_name")
_ARGUMENT_KEYS = ("args", "arguments", "input", "tool_kwargs", "parameters")
_TEXT_KEYS = ("text", "refusal", "summary_text")
_THINKING_KEYS = ("thinking", "reasoning", "reasoning_content")
_RESULT_KINDS = ("tool_result", "tool_call_response")
_RESULT_KEYS = ("response", "content", "result", "output")
# The Vercel AI SDK's output of a tool: {"type": "error-text", "value": ...}.
_TYPED_RESULT = frozenset({"type", "value", "providerOptions", "reason"})
_ITEM_CALLS = frozenset(
    {"custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call", "mcp_call", "web_search_call"}
    | {"file_search_call", "code_interpreter_call", "computer_call", "image_generation_call", "tool_search_call"}
)
_ITEM_OUTPUTS = frozenset(
    {"function_call_output", "custom_tool_call_output", "local_shell_call_output", "shell_call_output"}
    | {"apply_patch_call_output", "computer_call_output", "tool_search_output"}
)
_ITEM_ARGUMENTS = ("arguments", "input", "action", "queries", "code", "operation")
_ITEM_RESULTS = ("output", "outputs", "results")
_TEXT_BLOCKS = frozenset({"text", "input_text", "output_text", "refusal", "summary_text", "plain_text", "json"})
# Blocks that say nothing: where a step begins, what may be cached, pieces that stand elsewhere whole.
_SILENT_BLOCKS = frozenset(
    {"step_start", "input_json_delta", "cache_point", "citation", "search_result", "grounding", "compaction"}
    | {"web_search_tool_result_error", "container_upload"}
)
# Google's and Amazon's blocks have a key instead of a type.
_UNTYPED_BLOCKS = frozenset(
    {"thoughtSignature", "thought_signature", "executableCode", "executable_code", "codeExecutionResult"}
    | {"code_execution_result", "cachePoint", "guardContent", "reasoningContent", "citationsContent"}
)
_DATA_KEYS = frozenset({"inlinedata", "inline_data", "filedata", "file_data", "image", "document", "video", "audio"})
_ATTACHED = ("image", "audio", "file", "document", "media", "video")
_ANSWER_KEYS = ("output", "answer", "response", "result", "text", "content", "final_output", "return_value")


@dataclass(frozen=True, slots=True)
class Reading:
    """The messages of a value in their order, and what remains of the value without them.

    ``rest`` is without null fields, and ``None`` where messages were all there was.
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

    What stands under ``output``, ``answer``, ``response``, ``result``, ``text`` or ``content`` where that
    is text or messages; else the last assistant message with a text; else the one text that
    there is; else the outputs as JSON.
    """
    if isinstance(value, str):
        return value
    if _is_empty_result(value):
        return None
    named = _named_answers(value)
    speaking = next((item for item in named if _speaks(item)), None)
    if speaking is not None:
        return answer_text(speaking)
    reading = read(value)
    said = [message for message in reading.messages if message.text.strip()]
    replies = [message for message in said if message.role not in {"user", "system", "tool"}]
    if replies:
        return replies[-1].text
    if named:
        return answer_text(named[0])
    return _rest_text(reading.rest) or (said[-1].text if said else None)


def _is_empty_result(value: object) -> bool:
    """Tell whether a value is the result of an LLM that generated nothing."""
    results = [value[key] for key in ("generations", "choices") if key in value] if isinstance(value, Mapping) else []
    return bool(results) and not any(
        item for result in results for item in (result if isinstance(result, list) else [1])
    )


def role_of(word: str) -> str:
    """Return the role that ``word`` stands for in any vendor's vocabulary, or ``word`` itself."""
    return _ROLES.get(word.lower(), word)


def is_pair(value: object) -> TypeGuard[Sequence[Any]]:
    """Tell whether a value is a message written as ``(role, text)``."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2  # noqa: PLR2004  (a pair)
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
    if isinstance(role, str) and not _BODY_KEYS.isdisjoint(value):
        return _from_role(role, value)
    if isinstance(role, str) and role.lower() in _ROLES and isinstance(value.get("text"), str):
        return _from_role(role, {**value, "content": value["text"]})
    return _from_type(kind, value) if isinstance(kind, str) else None


def _named_answers(value: object) -> list[object]:
    if not isinstance(value, Mapping) or parse(value) is not None:
        return []
    return [value[key] for key in _ANSWER_KEYS if value.get(key) not in (None, "")]


def _speaks(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else bool(read(value).messages)


def _rest_text(rest: object) -> str | None:
    items = list(rest.values()) if isinstance(rest, Mapping) else rest
    if not items or not isinstance(items, list):
        return None if items is None or items == [] else _text(items)
    if len(items) == 1 and isinstance(items[0], str):
        return items[0]
    if items is rest and all(isinstance(item, Mapping) and isinstance(item.get("text"), str) for item in items):
        return _content(items).text
    return _text(rest)


def _walk(value: object, found: list[Message]) -> object:
    """Append the messages in ``value`` to ``found``; return the rest, ``None`` where nothing remains."""
    if isinstance(value, Mapping):
        return _walk_mapping(value, found)
    return _walk_list(value, found) if isinstance(value, list | tuple) else value


def _walk_list(values: Sequence[object], found: list[Message]) -> object:
    before = len(found)
    # Two words in a list are a message only among messages: ["user", "admin"] may be anything.
    among_messages = all(is_pair(item) or isinstance(item, Mapping) for item in values)
    rests = [_walk_pair(item, found) if among_messages and is_pair(item) else _walk(item, found) for item in values]
    if len(found) == before:
        return rests
    return [rest for rest in rests if rest is not None] or None


def _walk_mapping(value: Mapping[str, Any], found: list[Message]) -> object:
    messages = parse(value)
    if messages is not None:
        found.extend(messages)
        return None
    if _is_generation(value):
        return _walk_generation(value, found)
    is_other_object = value.get("lc") == 1 and isinstance(value.get("kwargs"), Mapping)
    return _walk_fields(value["kwargs"] if is_other_object else value, found)


def _walk_fields(value: Mapping[str, Any], found: list[Message]) -> object:
    rest = {key: remains for key, item in value.items() if (remains := _walk_field(key, item, found)) is not None}
    return rest if rest or not value else None


def _walk_field(key: str, item: object, found: list[Message]) -> object:
    is_lone_pair = key in {"messages", "message"} and is_pair(item)
    return _walk_pair(cast("Sequence[Any]", item), found) if is_lone_pair else _walk(item, found)


def _walk_pair(pair: Sequence[Any], found: list[Message]) -> object:
    found.extend(_from_role(pair[0], {"content": pair[1]}))
    return None


def _is_generation(value: Mapping[str, Any]) -> bool:
    has_both = isinstance(value.get("text"), str) and isinstance(value.get("message"), Mapping)
    return has_both or "generation_info" in value


def _walk_generation(value: Mapping[str, Any], found: list[Message]) -> object:
    message = value.get("message")
    if not isinstance(message, Mapping) or parse(message) is None:
        found.append(Message(role="assistant", text=_text(value.get("text"))))
    fields = {key: item for key, item in value.items() if key not in {"text", "type"} and item}
    return _walk_fields(fields, found) or None


def _from_constructor(value: Mapping[str, Any]) -> list[Message] | None:
    name = value["id"][-1] if isinstance(value.get("id"), list) and value["id"] else None
    kwargs = value.get("kwargs")
    if not isinstance(name, str) or not isinstance(kwargs, Mapping):
        return None
    bare = name.removesuffix("Chunk")
    if not bare.endswith("Message") or "content" not in kwargs:
        return None
    role = kwargs.get("role") or bare.removesuffix("Message").lower()
    return _from_role(str(role), kwargs)


def _from_type(kind: str, value: Mapping[str, Any]) -> list[Message] | None:
    if kind == "function_call" and "name" in value and "arguments" in value:
        return [Message(role="assistant", text="", tool_calls=(_tool_call(value),))]
    if kind in _ITEM_OUTPUTS:
        return [_item_output(value)]
    if kind in _ITEM_CALLS and not {"id", "call_id"}.isdisjoint(value):
        return _item_call(kind, value)
    bare = kind.removesuffix("Chunk").removesuffix("Message").lower()
    data = value.get("data")
    fields = data if isinstance(data, Mapping) else value
    if bare not in _LANGCHAIN_TYPES or "content" not in fields:
        return None
    return _from_role(str(fields.get("role") or bare), fields)


def _item_call(kind: str, value: Mapping[str, Any]) -> list[Message]:
    """Return the call that an item of the Responses API is, and its result where it stands in the item too."""
    given: object = next((value[key] for key in _ITEM_ARGUMENTS if value.get(key) is not None), {})
    call_id = _optional(value.get("call_id")) or _optional(value.get("id"))
    call = ToolCall(str(value.get("name") or kind.removesuffix("_call")), _arguments(given), call_id)
    asked = Message(role="assistant", text="", tool_calls=(call,))
    result = next((value[key] for key in _ITEM_RESULTS if value.get(key) is not None), value.get("error"))
    if result is None:
        return [asked]
    return [asked, Message("tool", _text(result), call.name, tool_call_id=call_id, is_error=bool(value.get("error")))]


def _item_output(value: Mapping[str, Any]) -> Message:
    return Message(
        role="tool",
        text=_content(value.get("output")).text,
        tool_call_id=_optional(value.get("call_id")),
        is_error=value.get("status") == "incomplete",
    )


def _from_role(role: str, value: Mapping[str, Any]) -> list[Message]:
    if _CALLING.fullmatch(role):
        return [_from_calling_role(value)]
    if isinstance(each := value.get("tool_responses"), list) and each:
        # AG2 joins the results of several calls in the text, too.
        return [message for item in each if isinstance(item, Mapping) for message in _from_role("tool", item)]
    content = _content(value.get("content", value.get("parts", value.get("blocks"))))
    text = content.text or _optional(value.get("refusal")) or _error_text(value.get("error")) or ""
    calls = _tool_calls(value, content.calls)
    message = Message(
        role=role_of(role),
        text=text,
        thinking=content.thinking or _reasoning(value),
        name=_optional(value.get("name")) or _optional(value.get("tool_name")),
        tool_calls=calls,
        tool_call_id=_answered_call(value),
        is_error=value.get("status") == "error"
        or True in (value.get("error"), value.get("is_error"), value.get("tool_call_error"))
        or (role_of(role) == "tool" and bool(value.get("error"))),
        attached=tuple(content.attached),
        unknown=(*content.unknown, *_unread_calls(value, calls), *_unread_parts(value)),
    )
    if message.is_error:
        content.results = [replace(result, is_error=True) for result in content.results]
    if content.results and calls:
        # Of a call that the service itself answered in the same message.
        after = [Message(message.role, text, message.name)] if text else []
        return [replace(message, text=""), *content.results, *after]
    only_carries = content.results and not text
    return content.results if only_carries else [*content.results, message]


def _error_text(error: object) -> str | None:
    return _optional(error.get("message") if isinstance(error, Mapping) else error)


def _from_calling_role(value: Mapping[str, Any]) -> Message:
    """Return the message of a role that says that it is a call; a call in words is none that is understood."""
    written = value.get("content")
    calls = _calls_in([value] if "arguments" in value else _list(written))
    is_read = bool(calls) and all(call.name for call in calls)
    return Message("assistant", "", tool_calls=tuple(calls), unknown=() if is_read else ("a call of a tool in words",))


def _answered_call(value: Mapping[str, Any]) -> str | None:
    extra = value.get("additional_kwargs")
    beside = extra.get("tool_call_id") if isinstance(extra, Mapping) else None
    found = (value.get("tool_call_id"), value.get("toolCallId"), beside, "requestor" in value and value.get("id"))
    return next(filter(None, map(_optional, found)), None)


def _unread_parts(value: Mapping[str, Any]) -> Iterator[str]:
    yield from (key for key in ("parts", "blocks") if value.get(key) and not isinstance(value[key], list | tuple))


def _unread_calls(value: Mapping[str, Any], calls: Sequence[ToolCall]) -> Iterator[str]:
    """Yield the fields for calls whose content is not understood, perhaps the text of a Python object."""
    for key in ("tool_calls", "toolCalls", "function_call"):
        items = value.get(key)
        if items and (not calls or (isinstance(items, list) and not all(isinstance(item, Mapping) for item in items))):
            yield key


def _reasoning(value: Mapping[str, Any]) -> str:
    extra = value.get("additional_kwargs")
    beside = extra.get("reasoning_content") if isinstance(extra, Mapping) else None
    return _optional(value.get("reasoning_content")) or _optional(beside) or ""


@dataclass(slots=True)
class _Content:
    """What the blocks of one message's content hold."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    results: list[Message] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    @property
    def thinking(self) -> str:
        return "\n".join(self.thoughts)

    def add(self, block: Mapping[str, Any]) -> None:
        kind = _kind_of(block)
        if kind.endswith(("tool_use", "tool_call")) or kind == "function_call" or _wrapped(block, _CALL_WRAPPERS):
            self.calls.append(_tool_call(block))
        elif kind.endswith(_RESULT_KINDS) or _wrapped(block, _RESULT_WRAPPERS):
            self.results.append(_tool_result(block))
        elif (thought := _thought(block)) is not None:
            self.thoughts.extend([thought] if thought else [])
        else:
            text = _block_text(block, kind)
            self.texts.extend([text] if text else [])
            self._take_note(block, kind)

    def _take_note(self, block: Mapping[str, Any], kind: str) -> None:
        attached = _attachment(block, kind)
        if attached and _attached_text(block) is None:
            self.attached.append(attached)
        elif not attached and not _is_known(block, kind):
            self.unknown.append(kind or "no type")


def _kind_of(block: Mapping[str, Any]) -> str:
    words = (block.get(key) for key in ("type", "kind", "$type", "block_type"))
    return str(next(filter(None, words), "")).replace("-", "_")


def _is_text(block: Mapping[str, Any], kind: str) -> bool:
    return kind in _TEXT_BLOCKS or any(isinstance(block.get(key), str | Mapping) for key in _TEXT_KEYS)


def _is_known(block: Mapping[str, Any], kind: str) -> bool:
    return _is_text(block, kind) or kind in _SILENT_BLOCKS or (not kind and not _UNTYPED_BLOCKS.isdisjoint(block))


def _attachment(block: Mapping[str, Any], kind: str) -> str:
    """Return the kind of an image, a file and the like, empty for other blocks."""
    found = kind or next((key for key, item in block.items() if key.lower() in _DATA_KEYS and item is not None), "")
    return found if any(word in found.lower() for word in (*_ATTACHED, "data")) else ""


def _content(blocks: object) -> _Content:
    content = _Content()
    if not isinstance(blocks, list | tuple):
        content.texts.append(_text(blocks))
        content.unknown.extend(["a number"] if isinstance(blocks, int | float) else [])
        return content
    for block in blocks:
        if isinstance(block, Mapping):
            content.add(block)
        else:
            content.texts.append(_text(block))
    return content


def _thought(block: Mapping[str, Any]) -> str | None:
    """Return what a block of reasoning says, ``None`` where it is no such block."""
    if block.get("thought") is True:
        return _text(block.get("text"))
    if block.get("type") == "redacted_thinking":
        return ""
    if block.get("type") == "reasoning" and isinstance(block.get("summary"), list):
        return _content(block["summary"]).text
    if block.get("type") in _THINKING_KEYS and isinstance(block.get("content"), str):
        return str(block["content"])
    return next((str(block[key]) for key in _THINKING_KEYS if isinstance(block.get(key), str)), None)


def _block_text(block: Mapping[str, Any], kind: str) -> str:
    for key in _TEXT_KEYS:
        if isinstance(block.get(key), str):
            return str(block[key])
    if kind == "text" and "content" in block:
        return _text(block["content"])
    if isinstance(block.get("text"), Mapping):
        return _text(block["text"].get("value"))
    if attached := _attachment(block, kind):
        return _attached_text(block) or f"[{attached}]"
    return "" if kind in _SILENT_BLOCKS else _text(dict(block))


def _attached_text(block: Mapping[str, Any]) -> str | None:
    source = block.get("source")
    is_text = isinstance(source, Mapping) and source.get("type") == "text"
    return _text(source.get("data")) if is_text and isinstance(source, Mapping) else None


def _tool_calls(value: Mapping[str, Any], in_content: list[ToolCall]) -> tuple[ToolCall, ...]:
    """Return the calls of a message, each once, however often the serialisation repeats them."""
    stated = next((calls for calls in map(_calls_in, _call_lists(value)) if calls), [])
    known = {_identity(call) for call in stated}
    return (*stated, *(call for call in in_content if _identity(call) not in known))


def _call_lists(value: Mapping[str, Any]) -> Iterator[list[object]]:
    """Yield the places where calls may stand, the fullest first."""
    stated = ("tool_calls", "invalid_tool_calls", "toolCalls", "tool_call")
    yield [call for key in stated for call in _list(value.get(key))]
    extra = value.get("additional_kwargs")
    for fields in (value, extra if isinstance(extra, Mapping) else {}):
        yield _list(fields.get("tool_calls"))
        yield _list(fields.get("function_call"))
    yield _list(value.get("tool_call_chunks"))


def _calls_in(items: list[object]) -> list[ToolCall]:
    # What has neither a name nor arguments calls nothing: a description of the shape, for one.
    found = [_tool_call(item) for item in items if isinstance(item, Mapping)]
    return [call for call in found if call.name or call.arguments]


def _identity(call: ToolCall) -> str:
    return call.id or f"{call.name}({json.dumps(call.arguments, sort_keys=True, default=str)})"


def _tool_call(item: Mapping[str, Any]) -> ToolCall:
    inner = _wrapped(item, _CALL_WRAPPERS)
    if inner is not None:
        call = _tool_call(inner)
        return replace(call, id=_optional(item.get("id")) or call.id)
    function = item.get("function")
    return ToolCall(
        name=next(
            (str(item[key]) for key in _NAME_KEYS if item.get(key)), function if isinstance(function, str) else ""
        ),
        arguments=_arguments(next((item[key] for key in _ARGUMENT_KEYS if item.get(key) is not None), {})),
        id=next((item[key] for key in _CALL_ID_KEYS if _optional(item.get(key))), None),
    )


def _arguments(value: object) -> Mapping[str, Json] | str:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Json]", value)
    parsed = json_values.parsed(value) if isinstance(value, str) else None
    return parsed if isinstance(parsed, dict) else _text(value)


def _tool_result(block: Mapping[str, Any]) -> Message:
    fields = _wrapped(block, _RESULT_WRAPPERS) or block
    given = next((fields[key] for key in _RESULT_KEYS if fields.get(key) is not None), None)
    kind = given.get("type") if isinstance(given, Mapping) and given.keys() <= _TYPED_RESULT else None
    if kind is not None:
        given = given["value"] if isinstance(given, Mapping) and "value" in given else given
    return Message(
        role="tool",
        text=_content(given).text,
        name=_optional(fields.get("toolName")) or _optional(fields.get("name")),
        tool_call_id=next((fields[key] for key in _CALL_ID_KEYS if _optional(fields.get(key))), None),
        is_error=fields.get("is_error") is True
        or "error" in (fields.get("status"), str(kind).partition("-")[0])
        or _has_failed(given),
    )


def _has_failed(given: object) -> bool:
    """Tell whether a function's response is what Google's API has for errors: nothing but ``error``."""
    return isinstance(given, Mapping) and bool(given.get("error")) and given.keys() <= {"error", "status", "output"}


def _wrapped(block: Mapping[str, Any], wrappers: tuple[str, ...]) -> Mapping[str, Any] | None:
    return next((block[key] for key in wrappers if isinstance(block.get(key), Mapping)), None)


def _list(value: object) -> list[object]:
    """Return a list, also where it is a text of JSON; one object stands for a list of it."""
    found = json_values.parsed(value) if isinstance(value, str) else value
    return found if isinstance(found, list) else [found] if isinstance(found, Mapping) else []


def _optional(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
