"""Traces in local JSON files: LangSmith run exports and plain chat transcripts.

An export may be a list of runs, ``{"runs": [...]}``, v2's ``{"items": [...]}``, JSON lines, a
tree with ``child_runs``, or the client's own batch (``{"post": [...], "patch": [...]}``); each
of them gzipped or not. A transcript is a list of messages, ``{"messages": [...]}`` or
``{"history": [...]}``. What a file is, its content says, never its name.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pytest_refinery.errors import TraceError, did_you_mean
from pytest_refinery.sources import json_stream, langsmith_records
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import Run, RunKind, Trace, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_refinery.sources.json_stream import Piece

_RUNS = frozenset({"runs", "items", "post", "patch"})
_MESSAGES = frozenset({"messages", "history"})


class JsonFiles:
    """Loads traces from local files."""

    def load(self, reference: str, *, base: Path) -> Trace:
        """Return the trace in the file ``reference``, relative to ``base``.

        Raises:
            TraceError: There is no such file, or what is in it is no trace.
        """
        path = base / reference
        if path.is_dir():
            msg = f"{path}: is a directory; name the trace file in it."
            raise TraceError(msg)
        if not path.exists():
            msg = f"{path}: no such trace file.{_similar(path)}"
            raise TraceError(msg)
        return _trace(json_stream.pieces(path, wrappers=_RUNS | _MESSAGES), path)


def _similar(path: Path) -> str:
    if not path.parent.is_dir():
        return f" Its folder {path.parent} does not exist either."
    return did_you_mean(path.name, (entry.name for entry in path.parent.iterdir()))


def _trace(pieces: Iterable[Piece], path: Path) -> Trace:
    collected = langsmith_records.Records(str(path))
    spoken: list[object] = []
    is_empty = True
    for piece in pieces:
        is_empty = False
        if piece.key in _MESSAGES or (piece.key is None and _is_message(piece.value)):
            spoken.append(piece.value)
        elif piece.key in _RUNS or langsmith_records.is_run(piece.value):
            collected.add(piece.value)
        elif piece.key is None and isinstance(piece.value, list):
            for value in piece.value:
                collected.add(value)
    if is_empty:
        msg = f"{path}: the file is empty; export the trace again."
        raise TraceError(msg)
    if spoken and not collected:
        return _transcript(spoken, path)
    return _exported(collected, path)


def _is_message(value: object) -> bool:
    if isinstance(value, dict):
        return "run_type" not in value and messages.parse(value) is not None
    return isinstance(value, list) and bool(messages.read([value]).messages)


def _exported(collected: langsmith_records.Records, path: Path) -> Trace:
    runs, notes = collected.runs()
    if not runs:
        msg = (
            f"{path}: no runs and no messages in it. A trace file is a LangSmith run export "
            "(a list of runs) or a chat transcript (a list of role/content messages)."
        )
        raise TraceError(msg)
    ordered = in_order(runs, source=str(path))
    trace = Trace(id=collected.trace_id or ordered[0].id, name=ordered[0].name, runs=ordered, source=str(path))
    orphans = [run.id for run in trace.roots if run.parent_id is not None]
    if orphans:
        notes = (*notes, f"{len(orphans)} runs name a parent that is not in the file; they stand as roots.")
    return trace.model_copy(update={"notes": notes})


def _transcript(spoken: list[object], path: Path) -> Trace:
    runs = tuple(_runs_of(spoken))
    digest = hashlib.sha256("\0".join(f"{run.name}\0{run.outputs}" for run in runs).encode("utf-8", "replace"))
    return Trace(id=digest.hexdigest()[:32], name=path.name.partition(".")[0], runs=runs, source=str(path), format="transcript")


def _runs_of(spoken: list[object]) -> Iterator[Run]:
    for index, value in enumerate(spoken):
        found = messages.read([value]).messages
        role = found[-1].role if found else "message"
        name = next((message.name for message in found if message.name), None)
        yield Run(id=str(index), name=name or role, kind=RunKind.MESSAGE, outputs=value)
