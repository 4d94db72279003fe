"""LangSmith run exports and plain chat transcripts.

An export may be a list of runs, ``{"runs": [...]}``, v2's ``{"items": [...]}``, JSON lines, a
tree with ``child_runs``, or the client's own batch (``{"post": [...], "patch": [...]}``). A
transcript is a list of messages, ``{"messages": [...]}`` or ``{"history": [...]}``.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats import langsmith_export
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import Run, RunKind, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_refinery.sources.formats.json_stream import Piece

RUN_LISTS = frozenset({"runs", "items", "post", "patch"})
"""The keys of an export's lists of runs."""
_MESSAGE_LISTS = ("messages", "history")
_WRAPPERS = frozenset({*RUN_LISTS, *_MESSAGE_LISTS})
_WHAT_A_TRACE_IS = (
    "A trace file is a LangSmith run export (a list of runs) or a chat transcript (a list of role/content messages)"
)
_OR_ELSE = (
    "or OpenTelemetry spans, a Langfuse export, a trace of the OpenAI Agents SDK, a log of model calls, "
    "a session of Claude Code or Codex"
)


class RunsOrMessages:
    """What a file turned out to hold: run records, messages, or things that are neither."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records = langsmith_export.Records(str(path))
        self._spoken: list[object] = []
        self._stray: str | None = None
        self._entries = 0
        self._is_empty = True

    def add(self, piece: Piece) -> None:
        """Take the next piece of the file.

        Raises:
            TraceError: What stands in a list of runs is none.
        """
        self._is_empty = False
        self._take(piece.key, piece.value)

    def trace(self) -> Trace:
        """Return the trace.

        Raises:
            TraceError: There is no run and no message, or something beside them.
        """
        if self._is_empty:
            msg = f"{self._path}: there is nothing in it; export the trace again."
            raise TraceError(msg)
        if not self._records and not self._spoken:
            msg = f"{self._path}: no runs and no messages in it. {_WHAT_A_TRACE_IS}, {_OR_ELSE}."
            raise TraceError(msg)
        if self._stray:
            msg = f"{self._path}: {self._stray}. {_WHAT_A_TRACE_IS}."
            raise TraceError(msg)
        return self._records.trace() if self._records else _transcript(self._spoken, self._path)

    def _take(self, key: str | None, value: object) -> None:
        if isinstance(value, list) and not messages.is_pair(value) and key not in RUN_LISTS:
            for item in value:
                self._take(key, item)
        elif isinstance(value, dict) and (wrapped := [name for name in _MESSAGE_LISTS if _is_list_in(value, name)]):
            for name in wrapped:
                self._take(name, value[name])
        elif not _is_wrapper(value):
            self._entries += 1
            self._take_entry(key, value)

    def _take_entry(self, key: str | None, value: object) -> None:
        if key in RUN_LISTS or (key is None and langsmith_export.is_run(value)):
            self._records.add(value)
        elif _is_message(value) or (key in _MESSAGE_LISTS and isinstance(value, dict)):
            self._spoken.append(value)
        elif self._stray is None:
            kind = langsmith_export.kind_of(value)
            self._stray = f"entry {self._entries} is {kind}, neither a run nor a message"


def _is_message(value: object) -> bool:
    if isinstance(value, dict):
        return messages.parse(value) is not None
    return messages.is_pair(value)


def _is_wrapper(value: object) -> bool:
    return isinstance(value, dict) and not _WRAPPERS.isdisjoint(value) and not langsmith_export.is_run(value)


def _is_list_in(value: dict[str, object], name: str) -> bool:
    return isinstance(value.get(name), list) and not langsmith_export.is_run(value) and not _is_message(value)


def _transcript(spoken: list[object], path: Path) -> Trace:
    runs = tuple(_runs_of(spoken))
    digest = hashlib.sha256("\0".join(f"{run.name}\0{run.outputs}" for run in runs).encode())
    return Trace(
        id=digest.hexdigest()[:32],
        name=path.name.partition(".")[0],
        runs=runs,
        source=str(path),
        format="transcript",
    )


def _runs_of(spoken: list[object]) -> Iterator[Run]:
    for index, value in enumerate(spoken):
        found = messages.read([value]).messages
        role = found[-1].role if found else "message"
        name = next((message.name for message in found if message.name), None)
        yield Run(id=str(index), name=name or role, kind=RunKind.MESSAGE, outputs=value)
