"""Whether a trace holds enough to judge an agent by it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_refinery.errors import TraceError
from pytest_refinery.traces import answer, json_values, messages
from pytest_refinery.traces.model import Run, RunKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.traces.model import Message, Trace

_SPEAKING = frozenset({RunKind.LLM, RunKind.MESSAGE})
# Items of the Responses API that say nothing to anybody.
_NO_MESSAGES = frozenset({"reasoning", "item_reference", "mcp_list_tools", "compaction"})
_UNREAD = "what its models were given holds entries that are not understood"
_UNSAID = "what its models answered holds entries that are not understood"
_BODIES = ("parts", "tool_calls")
_NO_KINDS = "none of its spans is said to be that of a model or of a tool"
# Where a span has a kind only if the program that was traced gave it one.
_WITHOUT_KINDS = frozenset({"opentelemetry", "weave", "braintrust", "langwatch"})
_IN_WORDS = "its messages write calls of tools in words, which are not read"
# As models without an interface for tools write them: Hermes, Mistral, ReAct, and what Cline answers with.
_WRITTEN_CALL = re.compile(
    r"<tool_(?:call|use)>|<invoke name=|<function=|<function_calls?>|\[TOOL_CALLS\]|<\|python_tag\|>"
    r"|^Action:[^\n]++\n\s*^Action Input:"
    r'|"(?:action_input|tool_input|tool_calls|function_call|tool_args)"\s*:|"type"\s*:\s*"tool_(?:use|call)"'
    r'|^[ \t]*\{\s*"(?:name|tool|function|action)"\s*:\s*"[^"]+"\s*,\s*"(?:args|arguments|parameters|input)"\s*:',
    re.MULTILINE,
)
_WRITTEN_RESULT = re.compile(r"<tool_response>|<function_results?>|Observation:|\[\w+ for '[^'\n]*'\] Result:")
# What the result of a tool may call its failure, and the names of that which ``tool_errors`` reads.
_FAILING = re.compile(
    r"(?:.*_)?(?:errors?|exceptions?|failures?|failed)(?:_.*)?|\w+(?:Error|Exception|Failed)", re.IGNORECASE
)
_READ_IN_RESULTS = frozenset({"error", "is_error", "isError"})
_CONTENTS = frozenset({RunKind.LLM, RunKind.TOOL, RunKind.RETRIEVER, RunKind.MESSAGE})


def checked(trace: Trace) -> Trace:
    """Return a trace with notes on what in it is not seen.

    Raises:
        TraceError: It holds so little that checks would pass for lack of what they look for.
    """
    _refuse_empty(trace)
    trace = _with_messages(trace)
    found = [
        message for run in trace.runs if run.kind in _SPEAKING for message in messages.read([run.outputs]).messages
    ]
    _refuse_unknown_blocks(trace, found)
    _refuse_nameless_calls(trace, found)
    _refuse_silence(trace, found)
    given = [messages.read(run.inputs).messages for run in trace.runs] if trace.is_log_of_calls else []
    _refuse_unknown_blocks(trace, [message for told in given for message in told])
    orphans = [] if any(run.kind == RunKind.TOOL for run in trace.runs) else _orphans(found, given)
    unread = sum(map(_unread_entries, trace.runs)) if trace.is_log_of_calls else 0
    unsaid = sum(_unread_answers(run.outputs) for run in trace.runs if run.kind == RunKind.LLM)
    written = next((message for message in found if _writes_a_call(message)), None)
    more = [
        f"Entries of what models {did} that are not understood: {number}."
        for did, number in (("were given", unread), ("answered", unsaid))
        if number
    ]
    notes = (
        *trace.notes,
        *_unseen([*found, *(given[-1] if given else ())]),
        *_results_notes(trace, [*found, *(message for told in given for message in told)]),
        *_notes(trace, found, orphans, written),
        *more,
        *_other_names(trace, found),
    )
    reasons = (
        ("it holds results of tools without their calls", orphans),
        (_IN_WORDS, written),
        (_UNREAD, unread),
        (_UNSAID, unsaid),
        (_NO_KINDS, trace.format in _WITHOUT_KINDS and not any(run.kind in _CONTENTS for run in trace.runs)),
    )
    unknown = trace.calls_unknown or next((reason for reason, holds in reasons if holds), "")
    if (notes, unknown) == (trace.notes, trace.calls_unknown):
        return trace
    return trace.model_copy(update={"notes": notes, "calls_unknown": unknown})


def _orphans(found: Sequence[Message], given: Sequence[Sequence[Message]]) -> list[Message]:
    """Return the results without a call: in a conversation, or in what each model was given before it spoke."""
    said = Counter(call.id for message in found for call in message.tool_calls)
    orphans = [message for told in given for message in _without_calls(told, said)] if given else _without_calls(found)
    return [*{(message.tool_call_id, message.text): message for message in orphans}.values()]


def _unread_entries(run: Run) -> int:
    """Return how many entries of what a model was given are no messages."""
    inputs = run.inputs if isinstance(run.inputs, Mapping) else {}
    entries = [entry for key in ("messages", "contents", "input") for entry in _objects(inputs.get(key))]
    return sum(not messages.read(entry).messages and entry.get("type") not in _NO_MESSAGES for entry in entries)


def _unread_answers(value: object, *, depth: int = 4) -> int:
    """Return how many values in the outputs of a model have what a message has, and yet are none."""
    if isinstance(value, Mapping):
        if isinstance(value.get("role"), str) or any(isinstance(value.get(key), list) for key in _BODIES):
            return int(messages.parse(value) is None)
        inner: Iterable[object] = value.values() if "lc" not in value else ()
    else:
        inner = value if isinstance(value, list) else ()
    return sum(_unread_answers(item, depth=depth - 1) for item in inner) if depth else 0


def _objects(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _with_messages(trace: Trace) -> Trace:
    """Return a trace that records neither models nor tools with the messages of its root's final state as runs."""
    state = trace.root.outputs.get("messages") if isinstance(trace.root.outputs, dict) else None
    if not isinstance(state, list) or any(run.kind in _CONTENTS for run in trace.runs):
        return trace
    said = [
        Run(
            id=f"{trace.root.id}/{index}",
            name=next((message.role for message in messages.read([entry]).messages), RunKind.MESSAGE),
            kind=RunKind.MESSAGE,
            parent_id=trace.root.id,
            outputs=entry,
        )
        for index, entry in enumerate(state)
    ]
    note = "No runs of models and tools are in the file; what was said is read from the last state of the graph."
    return trace.model_copy(update={"runs": (*trace.runs, *said), "notes": (*trace.notes, note)})


def _writes_a_call(message: Message) -> bool:
    """Tell whether a message writes a call of a tool, or its result, in words."""
    pattern = _WRITTEN_RESULT if message.role == "user" else _WRITTEN_CALL if message.role == "assistant" else None
    return pattern is not None and not message.tool_calls and pattern.search(message.text) is not None


def _unseen(found: Iterable[Message]) -> Iterator[str]:
    unseen = Counter(kind for message in found for kind in message.attached)
    if unseen:
        yield f"Not seen, since they are no text: {', '.join(f'{number} {kind}' for kind, number in unseen.items())}."


def _notes(
    trace: Trace, found: Sequence[Message], orphans: Sequence[Message], written: Message | None
) -> Iterator[str]:
    if orphans:
        yield f"Results of tools whose calls are not in the file: {len(orphans)}."
    if written is not None:
        yield f"Not read as a call or a result of a tool, since it is written in words: {written.text.strip()[:60]!r}."
    if asked := sum(len(message.tool_calls) for message in found):
        given = sum(message.role == "tool" for message in found)
        if trace.roots[-1].kind == RunKind.MESSAGE and given < asked:
            yield f"Calls of tools whose results are not in the file: {asked - given}."
    silent = sum(map(_is_silent, found, [*found[1:], None]))
    if silent:
        yield f"Turns of an assistant with neither a text nor a call: {silent}."


def _results_notes(trace: Trace, found: Sequence[Message]) -> Iterator[str]:
    """Yield sentences on what a failure of a tool may hide behind."""
    empty = {
        (message.role, message.tool_call_id)
        for message in found
        if message.role in {"user", "tool"} and not (message.text.strip() or message.tool_calls or message.attached)
    }
    if empty:
        yield f"Messages of a {' and a '.join(sorted({role for role, _ in empty}))} without a text: {len(empty)}."
    ran = [run for run in trace.runs if run.kind == RunKind.TOOL]
    gave_nothing = [run for run in ran if _is_empty(run.outputs) and not (run.error or run.is_pending)]
    if gave_nothing:
        names = ", ".join({run.name: None for run in gave_nothing})
        yield f"Runs of tools with neither a result nor an error: {names}."
    bodies = [run.outputs for run in ran] + [json_values.parsed(m.text) for m in found if m.role == "tool"]
    fields = dict.fromkeys(key for body in bodies for key in _failing(body))
    if fields:
        yield f"Fields of results that may say that a tool failed, not read: {', '.join(fields)}."


def _is_empty(value: object) -> bool:
    inner = value.get("output") if isinstance(value, Mapping) and value.keys() <= {"output"} else value
    return inner is None or inner == ""


def _failing(body: object) -> Iterator[str]:
    for key, item in body.items() if isinstance(body, Mapping) else ():
        if key == "output":
            yield from _failing(item)
        elif item and key not in _READ_IN_RESULTS and _FAILING.fullmatch(key):
            yield key


def _is_silent(message: Message, following: Message | None) -> bool:
    """Tell whether an assistant says nothing, and does not go on with the next message."""
    is_empty = message.role == "assistant" and not (message.text.strip() or message.tool_calls or message.attached)
    return is_empty and (following is None or following.role != "assistant")


def _other_names(trace: Trace, found: Sequence[Message]) -> Iterator[str]:
    """Yield a sentence where calls that models asked for have no runs of their names."""
    ran = {run.name for run in trace.runs if run.kind == RunKind.TOOL}
    asked = {call.name for message in found for call in message.tool_calls}
    if ran - asked and asked - ran:
        yield (
            f"Tools that models asked for under other names than the runs have: {', '.join(sorted(asked - ran))} "
            f"(the runs: {', '.join(sorted(ran - asked))})."
        )
    elif asked - ran and (lost := _answered(trace) & (asked - ran)):
        yield f"Tools without runs, so that their failures may not be seen: {', '.join(sorted(lost))}."


def _answered(trace: Trace) -> set[str]:
    """Return the names of the tools whose results models were given, beside other runs than those of models."""
    if trace.is_log_of_calls:
        return set()
    given = [message for run in trace.runs if run.kind == RunKind.LLM for message in messages.read(run.inputs).messages]
    answered = {message.tool_call_id for message in given if message.role == "tool" and message.tool_call_id}
    return {call.name for message in given for call in message.tool_calls if call.id in answered}


def _without_calls(found: Sequence[Message], said: Mapping[str | None, int] = MappingProxyType({})) -> list[Message]:
    """Return the results in a conversation that no call asked for: of it, or of those that were ``said`` besides."""
    asked = Counter(call.id for message in found for call in message.tool_calls)
    results = [message for message in found if message.role == "tool"]
    named = [message for message in results if message.tool_call_id is not None]
    others = [message for message in results if message.tool_call_id is None]
    orphans = (message for message in named if message.tool_call_id not in asked and message.tool_call_id not in said)
    return [*orphans, *(others and others[asked.total() + sum(said.values()) :])]


def _refuse_empty(trace: Trace) -> None:
    """Refuse an export that leaves out what its model and tool runs were given and gave."""
    runs = [run for run in trace.runs if run.kind in _CONTENTS] or trace.runs
    if (
        runs
        and all(run.inputs is None and run.outputs is None for run in runs)
        and not any(run.error for run in trace.runs)
    ):
        what = "runs" if runs is trace.runs else "runs of models and tools"
        msg = (
            f"{trace.source}: none of its {len(runs)} {what} has inputs or outputs; the export left them out, or has "
            "them under names that are not known. Export the trace again with its inputs and outputs, or turn on their "
            "recording."
        )
        raise TraceError(msg)


def _refuse_unknown_blocks(trace: Trace, found: Iterable[Message]) -> None:
    unknown = Counter(kind for message in found for kind in message.unknown)
    if unknown:
        kinds = ", ".join(f"{kind!r} ({number})" for kind, number in unknown.items())
        msg = (
            f"{trace.source}: its messages have blocks of unknown kinds: {kinds}. What they say would be missing, "
            "perhaps a call of a tool. Export the trace in another format, or read it with the hook "
            "pytest_refinery_trace_source."
        )
        raise TraceError(msg)


def _refuse_nameless_calls(trace: Trace, found: Iterable[Message]) -> None:
    nameless = sum(not call.name for message in found for call in message.tool_calls)
    if nameless:
        msg = (
            f"{trace.source}: {nameless} calls of tools in it have no name that is understood. Export the trace in "
            "another format, or read it with the hook pytest_refinery_trace_source."
        )
        raise TraceError(msg)


def _refuse_silence(trace: Trace, found: Iterable[Message]) -> None:
    if any(map(_is_open, trace.runs)) or any(message.text.strip() and message.role not in _TOLD for message in found):
        return
    said = answer.of(trace).text
    if said is None or not said.strip():
        roles = Counter(message.role for message in found)
        held = ", ".join(f"{number} {role}" for role, number in roles.items()) or "no messages"
        msg = (
            f"{trace.source}: there is no text of any assistant in it ({len(trace.runs)} runs; {held}). Export the "
            "whole conversation, with what the agent answered."
        )
        raise TraceError(msg)


_TOLD = frozenset({"user", "system", "tool"})


def _is_open(run: Run) -> bool:
    return run.error is not None or run.is_pending
