"""Tool results that say of themselves that the call failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_refinery.traces import json_values, messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.traces.model import Run, Trace

_SAYS_SO = re.compile(
    r"\s*(?:Traceback \(most recent call last\)|(?:[\w.]*(?:Error|Exception)|error)\s*:"
    # What the OpenAI Agents SDK, LangGraph, Haystack and the like write for the model to read.
    r"|An error occurred while (?:running|executing|calling)|Error (?:executing|invoking|calling|running) tool"
    r"|Failed to invoke [Tt]ool)"
)


def of(run: Run) -> str | None:
    """Return what the result of a tool in ``run`` says of its failure; ``None`` where there is no such result.

    That is a message marked as an error, a body ``{"error": ...}`` or ``{"status": "error"}``, a text that begins with
    ``Error:`` or with the name of an exception, or a traceback.
    """
    if run.kind not in {RunKind.TOOL, RunKind.MESSAGE}:
        return None
    found = messages.read([run.outputs]).messages
    marked = next((message.text for message in found if message.is_error), None)
    if marked is not None:
        return marked or "The result is marked as an error, without a message."
    said = [message.text for message in found if message.role == "tool"]
    body = [run.outputs] if run.kind == RunKind.TOOL and not found else []
    return next((error for result in (*said, *body) if (error := _error(result))), None)


def handed(trace: Trace) -> Iterator[tuple[Run, str]]:
    """Yield what a trace of model calls alone says of tools that failed: in the results that the calls were given."""
    seen: set[tuple[str | None, str]] = set()
    for run in trace.runs if trace.is_log_of_calls else ():
        for message in messages.read(run.inputs).messages:
            error = message.text if message.is_error else _error(message.text) if message.role == "tool" else None
            if error and (key := (message.tool_call_id, error)) not in seen:
                seen.add(key)
                yield run, error


def _error(result: object) -> str | None:
    if isinstance(result, str) and _SAYS_SO.match(result):
        return result
    value = json_values.parsed(result) if isinstance(result, str) else result
    if isinstance(value, Mapping) and set(value) == {"output"}:
        # As tracers wrap what a tool returned.
        return _error(value["output"])
    error = value.get("error") if isinstance(value, Mapping) else None
    return messages.answer_text(error) if error and error is not True else _of_flag(value, error)


def _of_flag(value: object, error: object) -> str | None:
    """Return a body that says no more than that it is an error."""
    flags = [value.get(key) for key in ("is_error", "isError")] if isinstance(value, Mapping) else []
    is_error = error is True or True in flags or (isinstance(value, Mapping) and value.get("status") == "error")
    return messages.answer_text(value) if is_error else None
