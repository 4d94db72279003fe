"""Conversations in a file: lists of messages, whatever they stand in, as traces of one run a message.

A file may hold one conversation several times, each time with more of it (a stream of states, the history of a
thread): the fullest is read. Of several that differ, the reference has to name one.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats import langgraph, paths, refusals, spoken
from pytest_refinery.sources.formats.message_shapes import FIELDS_OF_CALLS
from pytest_refinery.sources.formats.paths import at
from pytest_refinery.sources.formats.tally import described, failure_notes
from pytest_refinery.traces import json_values, messages
from pytest_refinery.traces.model import EARLIEST, Run, RunKind, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_refinery.sources.formats.json_stream import Piece
    from pytest_refinery.sources.formats.spoken import Spoken

# Where a conversation stands in what holds it, and what may stand around that.
_LISTS = (
    *("messages", "history", "events", "steps", "chat_messages", "chat_history", "traj", "trajectory", "items", "data"),
    *("conversation", "input", "output", "llm_messages", "contents", "message_history", "user_input"),
)
_AROUND = ("values", "channel_values", "checkpoint", "state", "thread", "session", "result", "llm_context")
_SEVERAL = ("simulations", "samples", "conversations", "sessions", "threads", "results", "rows", "agent_states")
_IDS = "id|uuid|conversation_id|session_id|sessionId|thread_id|task_id|sample_id"
# What a request has beside its messages.
_PROMPTS = (
    "systemInstruction.parts|system_instruction.parts|systemInstruction|system_instruction|system|instructions"
    "|system_prompt|systemPrompt|preamble"
)
# Calls that stand beside a conversation are none of its entries.
_CALLS_BESIDE = re.compile(
    r"tool_?(?:calls?|results?|s_?used)|(?:intermediate_)?steps|trajectory|events|function_calls", re.IGNORECASE
)
_CALLS = re.compile(r"tool|call|invocation|function", re.IGNORECASE)
_FIELDS = frozenset(
    {"content", "parts", "tool_calls", "function_call", "additional_kwargs", "response_metadata", "metadata", "usage"}
    | {"usage_metadata", "annotations", "audio", "invalid_tool_calls", "tool_call_chunks", "error", "output", "action"}
    | {"summary", "reasoning", "reasoning_details", "thinking_blocks", "provider_specific_fields", "status", "data"}
    | {
        "blocks",
        "tool_call",
        "toolCalls",
        "tool_responses",
        "tool_args",
        "tool_call_ids",
        "metrics",
        "meta",
        "extra",
        "raw_data",
        "attachments",
        "images",
        "files",
        "model_extra",
        "logprobs",
        "info",
    }
)
_HALVES = (("history", "messages"), ("input", "output"))
_WITHOUT_CALLS = {
    "openai-assistants": "the messages of a thread do not hold the calls of tools; they are steps of its runs",
    "claude-ai": "the export holds no call of a tool, and older exports of Claude.ai leave them out",
    "chatgpt": "the export holds no call of a tool, and exports of ChatGPT may leave them out",
}
_SHOWN = 8


@dataclass
class _Conversation:
    """Entries in their order, under the names that the file has for them."""

    entries: list[Any] = field(default_factory=list)
    id: str = ""
    place: str = ""
    around: Mapping[str, Any] = field(default_factory=dict)

    def calls_beside(self) -> list[str]:
        """Return the fields around the conversation that look like calls of tools."""
        filled = [key for key, item in self.around.items() if item and isinstance(item, list | dict | str)]
        beside = [key for key in filled if key != self.place]
        return [key for key in beside if _CALLS_BESIDE.fullmatch(key) or (key in _LISTS and self._has_more_calls(key))]

    def _has_more_calls(self, key: str) -> bool:
        """Tell whether another list of messages has calls that the conversation has not."""
        known = [call for message in messages.read(self.entries).messages for call in message.tool_calls]
        found = [call for message in messages.read(self.around[key]).messages for call in message.tool_calls]
        return any(call not in known for call in found)


class Conversations:
    """Collects the conversations of a file.

    Args:
        path: The file.
        wanted: Which of several is wanted: a number from 1, or an id.
    """

    def __init__(self, path: Path, wanted: str | None = None) -> None:
        self._path = path
        self._wanted = wanted
        self._whole: list[_Conversation] = []
        self._bare = _Conversation()
        self._added: list[Any] = []
        self._beside: list[Any] = []
        self._is_empty = True

    def add(self, piece: Piece) -> None:
        """Take the next value of the file."""
        self._is_empty = False
        value = langgraph.unwrapped(piece.value)
        if spoken.format_of(value) is not None:
            self._bare.place = self._bare.place or piece.key or ""
            self._bare.entries.append(value)
        elif whole := [*_conversations(value)]:
            self._whole += whole
        elif added := langgraph.added(value):
            self._added += added
        elif not langgraph.is_bookkeeping(value):
            self._beside.append(value)

    def trace(self) -> Trace:
        """Return the trace of the one conversation.

        Raises:
            TraceError: There is none, or several; or there are entries of it that cannot be read.
        """
        if self._is_empty:
            msg = f"{self._path}: there is nothing in it; export the trace again."
            raise TraceError(msg)
        if self._bare.entries:
            self._divide()
            return self._trace(self._chosen(_without_parts([self._bare, *self._whole])))
        if self._whole:
            return self._trace(self._chosen(_without_parts(self._whole)))
        if self._added:
            return self._trace(_Conversation(self._added))
        raise TraceError(refusals.unknown(self._path, self._beside))

    def _divide(self) -> None:
        """Tell what stands around the messages of the file from what stands between them."""
        around = [value for value in self._beside if isinstance(value, dict) and value.get(self._bare.place) == []]
        self._bare.around = around[0] if around else {}
        self._bare.id = str(at(self._bare.around, _IDS) or "")
        strays = [value for value in self._beside if value not in around]
        if strays:
            total = len(self._bare.entries) + len(strays)
            raise TraceError(refusals.unread(self._path, strays, total, place=self._bare.place))

    def _chosen(self, found: list[_Conversation]) -> _Conversation:
        if self._wanted is None and len(found) == 1:
            return found[0]
        for number, each in enumerate(found, start=1):
            if self._wanted is not None and self._wanted in (str(number), each.id):
                return each
        names = (f"#{number}{f' ({each.id})' if each.id else ''}" for number, each in enumerate(found[:_SHOWN], 1))
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        said = "it holds" if self._wanted is None else f"it has no conversation {self._wanted!r}; it holds"
        msg = (
            f"{self._path}: {said} {len(found)} conversation{'s' if len(found) > 1 else ''}: {', '.join(names)}{more}. "
            f"Name one, by its number or its id: trace: {self._path.as_posix()}#1"
        )
        raise TraceError(msg)

    def _trace(self, conversation: _Conversation) -> Trace:
        entries = langgraph.joined(_latest(conversation.entries))
        read = [(entry, spoken.read(entry)) for entry in entries]
        unread = [entry for entry, found in read if found is None]
        if unread:
            raise TraceError(refusals.unread(self._path, unread, len(read), place=conversation.place))
        if not any(found for _, found in read):
            raise TraceError(refusals.unknown(self._path, [conversation.around]))
        formats = Counter(found for entry in entries if (found := spoken.format_of(entry)))
        said = [each for _, found in read for each in found or ()]
        is_page = conversation.around.get("object") == "list"
        runs = tuple(_runs(_in_order(said, is_page=is_page), conversation.around))
        digest = hashlib.sha256("\0".join(f"{run.name}\0{run.outputs}" for run in runs).encode())
        return Trace(
            id=digest.hexdigest()[:32],
            name=self._path.name.partition(".")[0],
            runs=runs,
            source=str(self._path),
            format=next((name for name, _ in formats.most_common() if name != "transcript"), "transcript"),
            calls_unknown=_calls_unknown(set(formats), runs, conversation, entries),
            notes=tuple(self._notes(read, runs, conversation)),
        )

    def _notes(
        self, read: Sequence[tuple[Any, object]], runs: tuple[Run, ...], conversation: _Conversation
    ) -> Iterator[str]:
        yield from failure_notes(conversation.entries)
        entries = [entry for entry, _ in read]
        if silent := [entry for entry, found in read if found == []]:
            kinds = ", ".join(dict.fromkeys(map(described, silent)))
            yield f"Entries that are no part of the conversation, not read: {len(silent)} of {len(read)} ({kinds})."
        if self._whole and self._beside:
            kinds = ", ".join([*dict.fromkeys(map(described, self._beside))][:_SHOWN])
            yield f"Values beside the conversation, not read: {len(self._beside)} ({kinds})."
        if beside := conversation.calls_beside():
            yield f"Fields beside the conversation that are not read: {', '.join(beside[:_SHOWN])}."
        if any(map(_has_lost_step, entries)):
            yield "Steps of an assistant that went on without the call of a tool in them."
        if _are_bare(entries):
            yield "Its messages have ids but no fields for calls of tools: what the agent called may be missing."
        fields = dict.fromkeys(key for run in runs for key in _unread_fields(run.outputs))
        fields |= dict.fromkeys(key for entry in conversation.entries for key in _unread_calls(entry))
        if fields:
            yield f"Fields of messages that are not read: {', '.join([*fields][:_SHOWN])}."
        if not any(message.role == "user" for run in runs for message in messages.read([run.outputs]).messages):
            yield "What the agent was asked is not in the file."


def _has_lost_step(entry: object) -> bool:
    """Tell whether a step of a message (Vercel's) ends with no call of a tool, and yet another step follows."""
    kinds = [str(kind) for kind in paths.each(entry, "parts.*.type")]
    steps = "\n".join(kinds).split("step-start")
    return any("tool" not in step for step in steps[1:-1])


def _are_bare(entries: Sequence[Any]) -> bool:
    """Tell whether messages are those of a user interface or a table, which keep the calls of tools elsewhere."""
    said = [entry for entry in entries if isinstance(entry, dict) and entry.get("role") == "assistant"]
    return bool(said) and all(
        isinstance(entry.get("content"), str)
        and not {"id", "createdAt", "created_at", "toolInvocations"}.isdisjoint(entry)
        and {"parts", "tool_calls", "function_call", "toolCalls"}.isdisjoint(entry)
        and not entry.get("toolInvocations")
        for entry in said
    )


def _calls_unknown(
    formats: set[str], runs: tuple[Run, ...], conversation: _Conversation, entries: Sequence[Any]
) -> str:
    """Return why calls of tools may be missing."""
    if any(at(entry, "code_action") for entry in entries):
        return "its agent calls tools in code that it runs (code_action), which is not read"
    found = (message for run in runs for message in messages.read([run.outputs]).messages)
    if any(message.tool_calls or message.role == "tool" for message in found):
        return ""
    reasons = [reason for name, reason in _WITHOUT_CALLS.items() if name in formats]
    fields = (
        key for run in runs for key in _unread_fields(run.outputs) if _CALLS_BESIDE.fullmatch(key) or key == "actions"
    )
    unread = ", ".join(dict.fromkeys([*conversation.calls_beside(), *fields]))
    return next(iter(reasons), f"what its messages have beside their texts ({unread}) is not read" if unread else "")


def _unread_calls(entry: object) -> Iterator[str]:
    """Yield the fields of an entry that are named like calls of tools and that no format reads."""
    for key, item in entry.items() if isinstance(entry, dict) else ():
        if isinstance(item, list | dict) and item and key not in FIELDS_OF_CALLS | _FIELDS and _CALLS.search(key):
            yield key


def _unread_fields(message: object) -> Iterator[str]:
    """Yield the fields of a message of a chat that hold something and that no one knows."""
    for key, item in message.items() if isinstance(message, dict) and "role" in message else ():
        if isinstance(item, list | dict) and item and key not in _FIELDS:
            yield str(key)


def _conversations(value: object, *, id: str = "", place: str = "") -> Iterator[_Conversation]:  # noqa: A002  (the file's)
    """Yield the conversations in a value."""
    if isinstance(value, list):
        if _is_conversation(value):
            yield _Conversation(value, id, place)
        else:
            for item in value:
                yield from _conversations(item, place=place) if isinstance(item, dict | list) else ()
    elif isinstance(value, dict):
        yield from _conversations_in(value, id=str(at(value, _IDS) or id))


def _conversations_in(value: dict[str, Any], *, id: str) -> Iterator[_Conversation]:  # noqa: A002  (the file's)
    if isinstance(value.get("mapping"), dict):
        yield _Conversation(_branch(value), id, "mapping", value)
        return
    own = [key for key in _LISTS if isinstance(value.get(key), list) and _is_conversation(value[key])]
    if own:
        # What was said before and what was said then are one conversation.
        keys = next(([first, then] for first, then in _HALVES if first in own and then in own), own[:1])
        yield _Conversation([item for key in keys for item in value[key]], id, keys[-1], value)
        return
    by_id = {key: inner for key, inner in value.items() if _is_asked(inner)}
    if len(by_id) > 1:
        for key, inner in by_id.items():
            yield from _conversations(inner, id=key)
        return
    for key in (*_AROUND, *_SEVERAL, *_LISTS):
        if found := [*_conversations(value.get(key), id=id, place=key)]:
            yield from found
            return


def _is_asked(value: object) -> bool:
    """Tell whether a value holds a whole conversation, one that does not begin with what an agent said."""
    entries = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(entries, list) or not _is_conversation(entries):
        return False
    said = [message for each in spoken.read(entries[0]) or () for message in messages.read([each.message]).messages]
    return bool(said) and said[0].role in {"user", "system"}


def _is_conversation(entries: list[Any]) -> bool:
    """Tell whether a list is one of messages."""
    if not entries or messages.is_pair(entries):
        return False
    fits = sum(spoken.format_of(entry) is not None for entry in entries)
    return fits > 0 and (fits * 2 > len(entries) or all(isinstance(entry, dict) for entry in entries))


def _branch(conversation: dict[str, Any]) -> list[Any]:
    """Return the messages from the root of a tree of answers (ChatGPT's) to the one that is shown."""
    nodes, found = conversation["mapping"], list[Any]()
    node = nodes.get(str(conversation.get("current_node")))
    # A damaged export may go round in a circle.
    for _ in nodes:
        if not isinstance(node, dict):
            break
        if isinstance(node.get("message"), dict):
            found.append(_with_call(node["message"]))
        node = nodes.get(str(node.get("parent")))
    return found[::-1]


def _with_call(message: dict[str, Any]) -> dict[str, Any]:
    recipient = message.get("recipient")
    if recipient in (None, "all") or at(message, "author.role") != "assistant":
        return message
    written = at(message, "content.text|content.parts.0")
    return {**message, "content": {"content_type": "call"}, "call": {"name": recipient, "arguments": written}}


def _without_parts(found: list[_Conversation]) -> list[_Conversation]:
    """Return the conversations without those that another one begins with."""
    kept: list[_Conversation] = []
    for each in sorted(found, key=lambda conversation: -len(conversation.entries)):
        if not any(other.entries[: len(each.entries)] == each.entries for other in kept):
            kept.append(each)
    return [each for each in found if any(each is other for other in kept)]


def _latest(entries: list[Any]) -> list[Any]:
    """Return entries without the earlier states of those that a session (Gemini's) wrote again when it knew more."""
    last = {
        str(entry["id"]): entry
        for entry in entries
        if isinstance(entry, dict) and spoken.format_of(entry) == "gemini-cli"
    }
    if not last:
        return entries
    seen: set[str] = set()
    kept = []
    for entry in entries:
        key = str(entry.get("id")) if isinstance(entry, dict) else ""
        if key not in seen:
            kept.append(last.get(key, entry))
        seen |= {key} if key in last else set()
    return kept


def _in_order(said: list[Spoken], *, is_page: bool) -> list[Spoken]:
    """Return what was said in its order: a page of a service lists the last message first."""
    if len({each.at for each in said if each.at}) > 1 and all(each.at for each in said):
        return sorted(said, key=lambda each: each.at or EARLIEST)
    found = [message for each in said for message in messages.read([each.message]).messages]
    called = {call.id: index for index, message in enumerate(found) for call in message.tool_calls}
    answers = [
        (index, called[message.tool_call_id]) for index, message in enumerate(found) if message.tool_call_id in called
    ]
    roles = [message.role for message in found if message.role in {"user", "assistant"}]
    if answers:
        return said[::-1] if all(index < call for index, call in answers) else said
    is_backwards = is_page and len(roles) > 1 and (roles[0], roles[-1]) == ("assistant", "user")
    return said[::-1] if is_backwards else said


def _runs(said: list[Spoken], around: Mapping[str, Any]) -> Iterator[Run]:
    told = at(around, _PROMPTS)
    roles = [message.role for each in said[:1] for message in messages.read([each.message]).messages]
    if isinstance(told, str | list) and told and "system" not in roles:
        yield Run(id="system", name="system", kind=RunKind.MESSAGE, outputs={"role": "system", "content": told})
    offered = _offered(around)
    for index, each in enumerate(said):
        found = messages.read([each.message]).messages
        role = found[-1].role if found else "message"
        name = next((message.name for message in found if message.name), None)
        yield Run(
            id=str(index),
            name=name or role,
            kind=RunKind.MESSAGE,
            outputs=each.message,
            error=each.error,
            started_at=each.at,
            ended_at=each.at,
            settings=offered if role == "assistant" else {},
        )
        offered = {} if role == "assistant" else offered


def _offered(around: Mapping[str, Any]) -> dict[str, object]:
    """Return the definitions of tools that stand beside the messages, as settings of who was offered them first."""
    stated = [tool for key in ("tools", "functions") for tool in json_values.items(around.get(key))]
    tools = [inner for tool in stated for inner in (at(tool, "functionDeclarations|function_declarations") or [tool])]
    return {"tools": tools} if tools else {}
