"""Tool results that say of themselves that the call failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_refinery.traces import json_values, messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Run

_SAYS_SO = re.compile(r"\s*(?:Traceback \(most recent call last\)|(?:[\w.]*(?:Error|Exception)|error)\s*:)")


def of(run: Run) -> str | None:
    """Return what the result of a tool in ``run`` says of its failure; ``None`` where there is no such result.

    That is a message marked as an error, a body ``{"error": ...}``, a text that begins with ``Error:`` or with the
    name of an exception, or a traceback.
    """
    if run.kind not in {RunKind.TOOL, RunKind.MESSAGE}:
        return None
    found = messages.read([run.outputs]).messages
    marked = next((message.text for message in found if message.is_error), None)
    if marked is not None:
        return marked
    said = [message.text for message in found if message.role == "tool"]
    body = [run.outputs] if run.kind == RunKind.TOOL and not found else []
    return next((error for result in (*said, *body) if (error := _error(result))), None)


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
    is_error = error is True or (isinstance(value, Mapping) and (value.get("is_error") or value.get("isError")) is True)
    return messages.answer_text(value) if is_error else None
