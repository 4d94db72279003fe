"""The tool calls of a trace, however it records them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.traces import messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Run, ToolCall, Trace

# Where tracers wrap the arguments that the tool was given.
_WRAPPERS = ("input", "args", "kwargs", "arguments")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool.

    ``readings`` are the ways to read its arguments: as recorded first, then unwrapped.
    """

    name: str
    readings: tuple[object, ...]
    run: Run


def of(trace: Trace) -> tuple[Call, ...]:
    """Return the tool calls of a trace in order.

    A tool's calls are its runs. Where the trace has no run of a tool at all (a transcript, a
    call that the agent's own code answered), they are the calls that the model asked for.
    """
    # A tool's own second layer is none: two tracers recorded one call.
    inner = trace.within(_tool_of, _tool_of)
    executed = [_executed(run) for run in trace.runs if run.kind == RunKind.TOOL and run.id not in inner]
    known = {call.name for call in executed}
    requested = [call for call in _requested(trace) if call.name not in known]
    return tuple(sorted((*executed, *requested), key=lambda call: trace.numbers[call.run.id]))


def _tool_of(run: Run) -> str | None:
    return run.name if run.kind == RunKind.TOOL else None


def _executed(run: Run) -> Call:
    return Call(run.name, tuple(_readings(run.inputs)), run)


def _requested(trace: Trace) -> Iterator[Call]:
    speaking = [run for run in trace.runs if run.kind in {RunKind.LLM, RunKind.MESSAGE}]
    seen: set[object] = set()
    for run in speaking or trace.runs:
        # Of model calls alone, what the first was given holds what was called before; without ids, none is told
        # apart from its repetition in later calls.
        given = messages.read([run.inputs]).messages if trace.is_log_of_calls else ()
        asked = [call for message in given for call in message.tool_calls if call.id or run is speaking[0]]
        said = [call for message in messages.read([run.outputs]).messages for call in message.tool_calls]
        for calls in (asked, said):
            for index, call in enumerate(calls):
                # A transcript has each message once; there, an id that comes again is that of another call.
                place = run.id if run.kind == RunKind.MESSAGE else None
                identity = (place, call.id) if call.id else (run.id, index, _shape(call), calls is said)
                if identity not in seen:
                    seen.add(identity)
                    yield Call(call.name, tuple(_readings(call.arguments)), run)


def _shape(call: ToolCall) -> str:
    return json.dumps([call.name, call.arguments], sort_keys=True, default=str)


def _readings(value: object) -> Iterator[object]:
    parsed = _parsed(value)
    yield parsed
    if isinstance(parsed, Mapping):
        for key in _WRAPPERS:
            if isinstance(inner := _parsed(parsed.get(key)), Mapping):
                yield inner


def _parsed(value: object) -> object:
    """Return the object that a text stands for: JSON, or Python's way to write a dict, which LangChain records."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return value
