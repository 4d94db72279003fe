"""Traces that were fetched before, so that a second run and other workers do not fetch them again."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import filelock

from pytest_refinery.errors import TraceError
from pytest_refinery.sources import json_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Record = dict[str, Any]

_RUNS = "runs"
# A trace as large as they come takes LangSmith's v1 three minutes.
_PATIENCE_SECONDS = 600.0


class TraceCache:
    """A folder with a file for each trace: its run records, in the form of an export.

    Where the folder cannot be written, everything is fetched; a file that cannot be read is fetched anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def records(self, name: str, fetch: Callable[[], list[Record]]) -> list[Record]:
        """Return the records of a trace; where they are not here, one thread of one process fetches them.

        Args:
            name: What names the trace; it is not shown anywhere.
            fetch: Returns the records that may be kept, or raises.

        Raises:
            TraceError: Another process takes too long to fetch them.
        """
        path = self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"
        found = _read(path)
        if found is not None:
            return found
        with _alone(path):
            found = _read(path)
            if found is None:
                found = fetch()
                _keep(path, found)
        return found


def _read(path: Path) -> list[Record] | None:
    try:
        pieces = json_stream.pieces(path, wrappers=frozenset({_RUNS}))
        return [piece.value for piece in pieces if piece.key == _RUNS and isinstance(piece.value, dict)] or None
    except (OSError, TraceError):
        return None


def _keep(path: Path, records: list[Record]) -> None:
    draft = path.with_suffix(".draft")
    try:
        draft.write_text(json.dumps({_RUNS: records}, ensure_ascii=False), encoding="utf-8")
        draft.replace(path)
    except OSError:
        # A cache that cannot be written costs the next session, not this one.
        return


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = filelock.FileLock(path.with_suffix(".lock"), is_singleton=False, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_PATIENCE_SECONDS, poll_interval=0.05)
    except filelock.Timeout as error:
        msg = f"Another process has been fetching it for {_PATIENCE_SECONDS:.0f} s. Run again."
        raise TraceError(msg) from error
    except OSError:
        # Nothing can be kept there, so there is nothing to wait for.
        yield
        return
    try:
        yield
    finally:
        lock.release()
