"""The messages of a span: the input of a model, and what it said, out of attributes and events.

OpenInference numbers its messages in names of attributes, the GenAI conventions write them as JSON, earlier
ones as events, frameworks as they like; all become lists of messages that ``traces.messages`` reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pytest_refinery.sources.formats.values import decoded
from pytest_refinery.traces import messages
from pytest_refinery.traces.json_values import items, objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_refinery.sources.formats.otel.attributes import Attributes
    from pytest_refinery.sources.formats.otel.records import Event
    from pytest_refinery.traces.model import Json

    # What a model was told, and what it said.
    Sides = tuple[list[Json], list[Json]]

_EVENT_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE = "gen_ai.choice"
_EVENT_FIELDS = ("name", "tool_calls", "finish_reason")
# Lists that hold a whole conversation, or the events of one.
_WHOLE = ("events", "all_messages_events", "pydantic_ai.all_messages")


def is_message(event: Event) -> bool:
    """Tell whether an event is a message, as earlier conventions have it."""
    return event.name in _EVENT_ROLES or event.name == _CHOICE


def input_and_output(attributes: Attributes, events: Iterable[Event] = ()) -> Sides:
    """Take the messages; of several renderings of the same, the most complete."""
    told = _first(_told(attributes))
    said = _first(_said(attributes))
    # Taken one by one, so that every rendering counts as taken.
    others = [_divided(attributes.value(name), attributes) for name in _WHOLE]
    others += [_google(attributes), _of_events(events)]
    return (
        told or _first(side for side, _ in others),
        said or _first(side for _, side in others),
    )


def _first(sides: Iterable[list[Json]]) -> list[Json]:
    return next((side for side in list(sides) if side), [])


def _told(attributes: Attributes) -> Iterator[list[Json]]:
    instructions = _instructions(attributes.value("gen_ai.system_instructions"))
    written = items(attributes.value("gen_ai.input.messages"))
    is_led = bool(written) and _role(written[0]) == "system"
    yield written if is_led else [*instructions, *written]
    yield _numbered(attributes, "llm.input_messages")
    yield [decoded_content(item) for item in items(attributes.family("gen_ai.prompt"))]
    yield _spoken(attributes.value("gen_ai.prompt"), "user")
    yield items(attributes.value("ai.prompt.messages"))
    yield [message for text in items(attributes.value("llm.prompts")) for message in _spoken(text, "user")]


def _said(attributes: Attributes) -> Iterator[list[Json]]:
    yield items(attributes.value("gen_ai.output.messages"))
    yield _pieces_joined(attributes) or _numbered(attributes, "llm.output_messages")
    yield [decoded_content(item) for item in items(attributes.family("gen_ai.completion"))]
    yield _spoken(attributes.value("gen_ai.completion"), "assistant")
    yield _vercel(attributes)
    yield _any_agent(attributes)
    yield _bee(attributes)


def _instructions(parts: Json) -> list[Json]:
    return [{"role": "system", "parts": parts}] if isinstance(parts, list) and parts else _spoken(parts, "system")


def _role(message: Json) -> str:
    return str(message.get("role")) if isinstance(message, dict) else ""


def _spoken(value: Json, role: str) -> list[Json]:
    """Return messages as they are, a bare text as one message of ``role``."""
    if isinstance(value, str) and value:
        return [{"role": role, "content": value}]
    if isinstance(value, dict):
        return [value]
    return items(value)


def decoded_content(message: Json) -> Json:
    """Return a message whose content is written as a text of JSON blocks with the blocks instead."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        return message
    content = decoded(message["content"])
    is_blocks = isinstance(content, list) and content and all(isinstance(block, dict) for block in content)
    return {**message, "content": content} if is_blocks else message


def _numbered(attributes: Attributes, name: str) -> list[Json]:
    """Take OpenInference's messages (``llm.input_messages.0.message.role``) as messages of a chat."""
    found = attributes.family(name) or attributes.value(name)
    return [_chat_message(item.get("message", item)) if isinstance(item, dict) else item for item in items(found)]


def _chat_message(fields: Json) -> Json:
    if not isinstance(fields, dict):
        return fields
    message = {name: value for name, value in fields.items() if name not in {"contents", "tool_calls"}}
    blocks = [_block(item.get("message_content", item)) for item in objects(fields.get("contents"))]
    if blocks and not message.get("content"):
        message["content"] = blocks
    calls = [item.get("tool_call", item) for item in objects(fields.get("tool_calls"))]
    if calls:
        message["tool_calls"] = calls
    message.setdefault("content", "")
    return message


def _block(fields: Json) -> Json:
    return fields if isinstance(fields, dict) else {"type": "text", "text": str(fields)}


def _pieces_joined(attributes: Attributes) -> list[Json]:
    """Take one message where the end of a stream was recorded as one message for each piece (BeeAI does)."""
    names = [name for name in attributes.left if name.startswith("llm.output_messages.")]
    is_end_of_stream = bool(names) and "llm.output_messages.0" not in {
        name.rpartition(".message.")[0] for name in names
    }
    if not is_end_of_stream:
        return []
    pieces = objects(_numbered(attributes, "llm.output_messages"))
    return [{"role": "assistant", "content": "".join(str(piece.get("content", "")) for piece in pieces)}]


def _vercel(attributes: Attributes) -> list[Json]:
    text, calls = attributes.text("ai.response.text"), attributes.value("ai.response.toolCalls")
    if text is None and not calls:
        return []
    asked = [
        {"id": call.get("toolCallId"), "name": call.get("toolName"), "arguments": call.get("args", call.get("input"))}
        for call in objects(calls)
    ]
    return [cast("Json", {"role": "assistant", "content": text or "", "tool_calls": asked})]


def _any_agent(attributes: Attributes) -> list[Json]:
    """Take the calls that any-agent writes as an output: ``[{"tool.name": ..., "tool.args": ...}]``."""
    found = decoded(attributes.left.get("gen_ai.output"))
    calls = [item for item in objects(found) if "tool.name" in item]
    if not calls:
        return []
    attributes.take("gen_ai.output")
    asked = [{"name": call["tool.name"], "arguments": call.get("tool.args")} for call in calls]
    return [cast("Json", {"role": "assistant", "content": "", "tool_calls": asked})]


def _bee(attributes: Attributes) -> list[Json]:
    """Take the thought that BeeAI notes of an agent, and the tool that it thinks of."""
    thought = attributes.text("thought")
    if thought is None:
        return []
    name, arguments = attributes.text("tool.name"), attributes.value("tool.parameters")
    blocks: list[Json] = [{"type": "thinking", "thinking": thought}]
    if name is not None and isinstance(arguments, dict):
        blocks.append({"type": "tool_use", "name": name, "input": arguments})
    return [{"role": "assistant", "content": blocks}]


def _google(attributes: Attributes) -> Sides:
    """Take what Google's ADK records of a model call: its request and its response."""
    request = attributes.value("gcp.vertex.agent.llm_request")
    response = attributes.value("gcp.vertex.agent.llm_response")
    return _asked_of_google(request), [response] if response else []


def _asked_of_google(request: Json) -> list[Json]:
    asked = request if isinstance(request, dict) else {}
    config = asked.get("config")
    instruction = config.get("system_instruction") if isinstance(config, dict) else None
    return [*_spoken(instruction, "system"), *items(asked.get("contents"))]


def _divided(whole: Json, attributes: Attributes) -> Sides:
    """Return a whole conversation as the agent's input and what it said then."""
    spoken = items(whole)
    start = attributes.value("pydantic_ai.new_message_index")
    if not isinstance(start, int):
        start = next((index for index, item in enumerate(spoken) if _is_said(item)), len(spoken))
    return [_chosen(item) for item in spoken[:start]], [_chosen(item) for item in spoken[start:]]


def _chosen(item: Json) -> Json:
    """Return the message in the event of a choice."""
    inner = item.get("message") if isinstance(item, dict) and item.get("event.name") == _CHOICE else None
    return inner if isinstance(inner, dict) else item


def _is_said(item: Json) -> bool:
    is_choice = isinstance(item, dict) and item.get("event.name") == _CHOICE
    return is_choice or any(message.role == "assistant" for message in messages.read(item).messages)


def _of_events(events: Iterable[Event]) -> Sides:
    told: list[Json] = []
    said: list[Json] = []
    for event in events:
        if event.name == _CHOICE:
            said.append(_of_event(event, "assistant"))
        elif event.name in _EVENT_ROLES:
            told.append(_of_event(event, _EVENT_ROLES[event.name]))
    return told, said


def _of_event(event: Event, role: str) -> Json:
    fields: dict[str, Json] = {name: decoded(value) for name, value in event.attributes.items()}
    whole = fields.get("gen_ai.event.content")
    fields.update(whole if isinstance(whole, dict) else {})
    inner = fields.get("message")
    if isinstance(inner, dict):
        return {"role": role, "content": "", **inner}
    said = {key: fields[key] for key in _EVENT_FIELDS if key in fields}
    answered = {"tool_call_id": fields["id"]} if role == "tool" and "id" in fields else {}
    return {"role": role, **said, **answered, "content": fields.get("content", "") if inner is None else inner}
