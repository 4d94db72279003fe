"""Traces in local JSON files: LangSmith run exports and plain chat transcripts.

An export may be a list of runs, ``{"runs": [...]}``, v2's ``{"items": [...]}``, JSON lines, a
tree with ``child_runs``, or the client's own batch (``{"post": [...], "patch": [...]}``); each
of them gzipped or not. A transcript is a list of messages, ``{"messages": [...]}`` or
``{"history": [...]}``. What a file is, its content says, never its name.
"""

from __future__ import annotations

import hashlib
import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pytest_refinery.errors import TraceError
from pytest_refinery.sources import json_stream, langsmith_records
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import Run, RunKind, Trace, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.sources.json_stream import Piece

_RUNS = frozenset({"runs", "items", "post", "patch"})
_MESSAGES = frozenset({"messages", "history"})
_WRAPPERS = _RUNS | _MESSAGES
_WHAT_A_TRACE_IS = (
    "A trace file is a LangSmith run export (a list of runs) or a chat transcript (a list of role/content messages)."
)


class JsonFiles:
    """Loads traces from local files; the last one is kept, since expectations about one trace stand together."""

    def __init__(self) -> None:
        self._last: tuple[_Version, Trace] | None = None

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:  # noqa: ARG002  (the port's)
        """Return the trace in the file ``reference``, relative to ``base``.

        Raises:
            TraceError: There is no such file, or what is in it is no trace.
        """
        path = _from_here(base / reference)
        try:
            version = _version(path)
            # Once, into a name: another thread may put another trace there at any time.
            last = self._last
            if last is None or last[0] != version:
                self._last = last = version, _read(path)
        except OSError as error:
            raise TraceError(_unreadable(path, error)) from error
        return last[1]


# A file, when it was written, and its size.
_Version: TypeAlias = tuple[Path, int, int]


def _version(path: Path) -> _Version:
    status = path.stat()
    return path.absolute(), status.st_mtime_ns, status.st_size


def _read(path: Path) -> Trace:
    contents = _Contents(path)
    for piece in json_stream.pieces(path, wrappers=_WRAPPERS):
        contents.add(piece)
    return contents.trace()


def _from_here(path: Path) -> Path:
    """Return ``path`` as a user would write it: without "..", and relative where it is below this folder."""
    plain, here = Path(os.path.normpath(path)), Path.cwd()
    return plain.relative_to(here) if plain.is_relative_to(here) else plain


def _unreadable(path: Path, error: OSError) -> str:
    # Windows denies the permission to open a directory.
    if isinstance(error, IsADirectoryError | PermissionError) and path.is_dir():
        return f"{path}: is a directory; name the trace file in it."
    if isinstance(error, FileNotFoundError):
        return f"{path}: no such trace file.{_similar(path)}"
    return f"{path}: cannot be read ({error.strerror or error})."


def _similar(path: Path) -> str:
    if not path.parent.is_dir():
        return f" Its folder {path.parent} does not exist either."
    # By stem: every trace ends in ".json", which makes all of them alike.
    names = {entry.name.partition(".")[0]: entry.name for entry in path.parent.iterdir()}
    close = get_close_matches(path.name.partition(".")[0], names, n=1)
    return f" Did you mean {names[close[0]]!r}?" if close else ""


class _Contents:
    """What a file turned out to hold: run records, messages, or things that are neither."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records = langsmith_records.Records(str(path))
        self._spoken: list[object] = []
        self._stray: str | None = None
        self._count = 0

    def add(self, piece: Piece) -> None:
        self._count += 1
        self._take(piece.key, piece.value)

    def _take(self, key: str | None, value: object) -> None:
        if key in _RUNS or (key is None and langsmith_records.is_run(value)):
            self._records.add(value)
        elif _is_message(value) or (key in _MESSAGES and isinstance(value, dict)):
            self._spoken.append(value)
        elif isinstance(value, list):
            for item in value:
                self._take(key, item)
        elif self._stray is None and not _is_wrapper(value):
            self._stray = f"entry {self._count} is {langsmith_records.kind_of(value)}, neither a run nor a message"

    def trace(self) -> Trace:
        if not self._count:
            msg = f"{self._path}: there is nothing in it; export the trace again."
            raise TraceError(msg)
        if not self._records and not self._spoken:
            msg = f"{self._path}: no runs and no messages in it. {_WHAT_A_TRACE_IS}"
            raise TraceError(msg)
        if self._stray:
            msg = f"{self._path}: {self._stray}. {_WHAT_A_TRACE_IS}"
            raise TraceError(msg)
        return _exported(self._records, self._path) if self._records else _transcript(self._spoken, self._path)


def _is_message(value: object) -> bool:
    if isinstance(value, dict):
        return messages.parse(value) is not None
    return messages.is_pair(value)


def _is_wrapper(value: object) -> bool:
    return isinstance(value, dict) and not _WRAPPERS.isdisjoint(value)


def _exported(records: langsmith_records.Records, path: Path) -> Trace:
    runs, notes = records.runs()
    ordered = in_order(runs, source=str(path))
    root = ordered[0]
    trace = Trace(id=records.trace_id(root.id), name=root.name, runs=ordered, source=str(path))
    orphans = sum(1 for run in trace.roots if run.parent_id is not None)
    if orphans:
        notes = (*notes, f"Runs that stand as roots because their parent is not in the file: {orphans}.")
    return trace.model_copy(update={"notes": notes})


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
