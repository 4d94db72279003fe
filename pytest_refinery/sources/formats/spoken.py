"""Messages of any framework as messages of a chat, which ``traces.messages`` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_refinery.sources.formats.message_shapes import says, shape_of
from pytest_refinery.sources.formats.paths import at, each
from pytest_refinery.sources.formats.values import decoded, timestamp
from pytest_refinery.traces import messages

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_refinery.sources.formats.message_shapes import Parts, Shape


@dataclass(slots=True)
class Spoken:
    """One message of a conversation: as recorded, or as a message of a chat."""

    message: Any
    at: datetime | None = None
    error: str | None = None


def format_of(entry: object) -> str | None:
    """Return what the format of an entry is called, ``transcript`` for messages of a chat, ``None`` for no message."""
    shape = shape_of(entry) if isinstance(entry, Mapping) else None
    if shape is not None:
        return shape.format
    return "transcript" if _is_chat_message(entry) else None


def read(entry: object) -> list[Spoken] | None:
    """Return what an entry says: nothing where it is known to, ``None`` where no role or no content is found in it."""
    shape = shape_of(entry) if isinstance(entry, Mapping) else None
    if shape is None or not isinstance(entry, Mapping):
        return [Spoken(entry)] if _is_chat_message(entry) else None
    if _is_skipped(entry, shape):
        return []
    parts = [_spoken(part, shape) for part in _parts(entry, shape)]
    if any(part is None for part in parts):
        return None
    told = at(entry, shape.instructions) if shape.instructions else None
    led = [Spoken({"role": "system", "content": told})] if told else []
    return [*led, *_merged([spoken for part in parts for spoken in part or ()])]


def _is_chat_message(entry: object) -> bool:
    return messages.is_pair(entry) or (isinstance(entry, Mapping) and messages.parse(entry) is not None)


def _parts(entry: Mapping[str, Any], shape: Shape) -> list[Mapping[str, Any]]:
    parts = at(entry, shape.parts) if shape.parts else None
    if not isinstance(parts, list) or not parts:
        return [{**entry, "entry": entry}]
    return [{**(part if isinstance(part, Mapping) else {"text": part}), "entry": entry} for part in parts]


def _is_skipped(record: Mapping[str, Any], shape: Shape) -> bool:
    return any(says(record, words) for words in shape.skip)


def _spoken(record: Mapping[str, Any], shape: Shape) -> list[Spoken] | None:
    role = _role(at(record, shape.role), shape)
    if any(parts.is_broken(record, shape.text) for parts in (*shape.calls, *shape.results)):
        return None
    if role is None or _is_skipped(record, shape):
        return None if role is None else []
    calls = [_call(item, parts) for parts in shape.calls for item in parts.items(record)]
    answers = [call for call in calls if call["name"] in shape.answers]
    answered = {call["id"] for call in answers if call["id"]}
    asked = [call for call in calls if call not in answers]
    results = [_result(item, parts) for parts in shape.results for item in parts.items(record)]
    said = _said(record, shape, role=role, asked=asked, has_results=bool(results))
    if not said and not results and not answers:
        return None
    given = [
        result
        for result in results
        if result["tool_call_id"] not in answered and result.get("name") not in shape.answers
    ]
    ending = [call["arguments"] for call in answers] or (
        [at(record, shape.answer)] if _has_ended(record, shape) else []
    )
    last = [{"role": "assistant", "content": _answer(answer)} for answer in ending]
    return _dated([*_in_order(said, given, shape), *last], record, shape)


def _has_ended(record: Mapping[str, Any], shape: Shape) -> bool:
    return bool(shape.answer) and at(record, shape.answer) is not None and record.get("is_final_answer") is not False


def _role(word: object, shape: Shape) -> str | None:
    if not isinstance(word, str | int):
        return None
    return shape.roles.get(str(word)) or shape.roles.get(str(word).lower()) or shape.roles.get("*")


def _call(item: Mapping[str, Any], parts: Parts) -> dict[str, Any]:
    name = at(item, parts.name)
    called = name.removeprefix("tool-") if isinstance(name, str) else ""
    return {"id": _id(item, parts), "name": called, "arguments": decoded(at(item, parts.arguments))}


def _result(item: Mapping[str, Any], parts: Parts) -> dict[str, Any]:
    has_failed = (parts.error and at(item, parts.error)) or (parts.fails and says(item, parts.fails))
    name, given = at(item, parts.name), at(item, parts.content)
    return {
        "role": "tool",
        "tool_call_id": _id(item, parts),
        # A tool may return a number; as the content of a message it would be none.
        "content": json.dumps(given) if isinstance(given, bool | int | float) else given,
        **({"name": str(name).removeprefix("tool-")} if name else {}),
        **({"status": "error"} if has_failed else {}),
    }


def _error(record: Mapping[str, Any], shape: Shape) -> object:
    found = (at(record, path) for path in shape.error.split("|")) if shape.error else ()
    return next(filter(None, found), None)


def _id(item: Mapping[str, Any], parts: Parts) -> str | None:
    found = at(item, parts.id)
    return str(found) if found is not None else None


def _said(
    record: Mapping[str, Any], shape: Shape, *, role: str, asked: list[dict[str, Any]], has_results: bool
) -> list[dict[str, Any]]:
    """Return the message of an entry, none where its results are all that it holds."""
    text = at(record, shape.text) if shape.text else None
    if isinstance(text, list) and (asked or has_results) and not any(_is_block(block) for block in text):
        text = None
    thoughts = [item for item in each(record, shape.thinking) if isinstance(item, str)] if shape.thinking else []
    if shape.thinks and says(record, shape.thinks) and isinstance(text, str):
        thoughts, text = [text], None
    error = _error(record, shape)
    is_only_result = has_results and not asked and not thoughts and (text in (None, "") or role == "tool")
    is_only_thought = bool(thoughts) and not asked and not has_results and text in (None, "")
    if is_only_thought and shape.text and not shape.thinks:
        # What else the agent said or did then is not understood.
        return []
    if is_only_result or (text is None and not asked and not thoughts and not error):
        return []
    return [
        {
            "role": role,
            "content": text if text is not None else "",
            **_named(record, shape, role),
            **({"tool_calls": asked} if asked else {}),
            **({"reasoning_content": "\n".join(thoughts)} if thoughts else {}),
        }
    ]


def _named(record: Mapping[str, Any], shape: Shape, role: str) -> dict[str, str]:
    """Return the speaker's name where it is another than its role: with names, users are a group that talks."""
    name = at(record, shape.name) if shape.name else None
    return {"name": str(name)} if name and messages.role_of(str(name)) != role and role != "user" else {}


def _is_block(block: object) -> bool:
    return isinstance(block, str) or (isinstance(block, Mapping) and ("type" in block or "text" in block))


def _in_order(said: list[dict[str, Any]], given: list[dict[str, Any]], shape: Shape) -> list[dict[str, Any]]:
    if not shape.is_text_last or not given or not said:
        return [*said, *given]
    (message,) = said
    asking = {key: item for key, item in message.items() if key != "content"}
    return [{**asking, "content": ""}, *given, {"role": message["role"], "content": message["content"]}]


def _answer(arguments: object) -> object:
    """Return what the arguments of the call that ends a conversation say."""
    if isinstance(arguments, Mapping) and len(arguments) == 1:
        return _answer(next(iter(arguments.values())))
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, default=str)


def _dated(found: list[dict[str, Any]], record: Mapping[str, Any], shape: Shape) -> list[Spoken]:
    moment = timestamp(at(record, shape.time)) if shape.time else None
    error = _error(record, shape)
    spoken = [Spoken(message, moment) for message in found]
    if spoken and error and not any(message.get("status") == "error" for message in found):
        spoken[0].error = str(error)
    return spoken


def _merged(spoken: list[Spoken]) -> list[Spoken]:
    """Join the parts of one message."""
    merged: list[Spoken] = []
    for each_spoken in spoken:
        last = merged[-1].message if merged else None
        message = each_spoken.message
        if (
            last is None
            or last["role"] != message["role"]
            or message["role"] == "tool"
            or last.get("name") != message.get("name")
        ):
            merged.append(each_spoken)
            continue
        last["content"] = _joined(last["content"], message["content"])
        for key in ("tool_calls", "reasoning_content"):
            if key in message:
                last[key] = _joined(last.get(key, type(message[key])()), message[key])
    return merged


def _joined(first: Any, second: Any) -> Any:  # noqa: ANN401  (texts or lists of blocks)
    if isinstance(first, str) and isinstance(second, str):
        return "\n".join(text for text in (first, second) if text)
    return [*_blocks(first), *_blocks(second)]


def _blocks(content: object) -> list[object]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []
