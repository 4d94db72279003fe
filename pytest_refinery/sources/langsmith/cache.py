"""Traces that were fetched before, so that a second run and other workers do not fetch them again."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pytest_refinery import shared_file
from pytest_refinery.errors import TraceError
from pytest_refinery.scrubbing.scrubber import Scrubber
from pytest_refinery.sources import formats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Record = dict[str, Any]
Part = dict[str, Any]

_RUNS = "runs"
# A trace as large as they come takes LangSmith's v1 three minutes.
_PATIENCE_SECONDS = 600.0
# After that, LangSmith may no longer know where to go on.
_GOOD_FOR_SECONDS = 3_600.0
_BY_SHAPE = Scrubber()


class TraceCache:
    """A folder with a file for each trace: its run records, in the form of an export.

    Where the folder cannot be written, everything is fetched; a file that cannot be read is fetched again.

    Args:
        folder: Made when something is kept in it.
        scrubber: Finds secrets; what holds one is not kept.
        patience_seconds: How long to wait for a trace that another process fetches.
    """

    def __init__(
        self, folder: Path, *, scrubber: Scrubber = _BY_SHAPE, patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        self._scrubber = scrubber
        self._folder = folder
        self._patience = patience_seconds

    def records(self, name: str, fetch: Callable[[FolderOfParts], list[Record]]) -> list[Record]:
        """Return the records of a trace; where they are not here, one thread of one process fetches them.

        Args:
            name: What names the trace; it is not shown anywhere.
            fetch: Returns the records that may be kept, or raises; gets what keeps its parts until then.

        Raises:
            TraceError: Another process takes too long to fetch them.
        """
        path = self._folder / _file_name(name)
        found = _read(path)
        if found is not None:
            return found
        with _alone(path, self._patience):
            found = _read(path)
            if found is None:
                parts = FolderOfParts(path.with_suffix(".parts"), scrubber=self._scrubber)
                found = fetch(parts)
                _write(path, {_RUNS: found}, self._scrubber)
                parts.clear()
        return found


class FolderOfParts:
    """Keeps the parts of a trace for an hour; where they cannot be kept, they are fetched again."""

    def __init__(self, folder: Path, *, scrubber: Scrubber = _BY_SHAPE, clock: Callable[[], float] = time.time) -> None:
        self._scrubber = scrubber
        self._folder = folder
        self._clock = clock

    def part(self, name: str, fetch: Callable[[], Part], *, is_final: Callable[[Part], bool]) -> Part:
        """Return the part that is kept under ``name``, else what ``fetch`` returns; keep that if it ``is_final``."""
        path = self._folder / _file_name(name)
        found = self._recent(path)
        if found is None:
            found = fetch()
            if is_final(found):
                _write(path, found, self._scrubber)
        return found

    def clear(self) -> None:
        """Forget all parts."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _recent(self, path: Path) -> Part | None:
        try:
            is_recent = self._clock() - path.stat().st_mtime < _GOOD_FOR_SECONDS
        except OSError:
            return None
        part: Part | None = shared_file.read_json(path) if is_recent else None
        return part


class NoParts:
    """Keeps nothing."""

    def part(self, name: str, fetch: Callable[[], Part], *, is_final: Callable[[Part], bool]) -> Part:  # noqa: ARG002
        """Return what ``fetch`` returns."""
        return fetch()


def _file_name(name: str) -> str:
    return f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


def _read(path: Path) -> list[Record] | None:
    try:
        pieces = formats.pieces(path, wrappers=frozenset({_RUNS}))
        return [piece.value for piece in pieces if piece.key == _RUNS and isinstance(piece.value, dict)] or None
    except (OSError, TraceError):
        return None


def _write(path: Path, value: Any, scrubber: Scrubber) -> None:  # noqa: ANN401  (JSON)
    if scrubber.json(value) is not value:
        # Checks have to see a secret that an agent gave away, and no file may hold it: it is fetched again.
        return
    # A cache that cannot be written costs the next session, not this one.
    with suppress(OSError):
        shared_file.private_folder(path.parent)
        shared_file.replace(path, json.dumps(value, ensure_ascii=False))


@contextmanager
def _alone(path: Path, patience_seconds: float) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            shared_file.private_folder(path.parent)
            stack.enter_context(shared_file.locked(path.with_suffix(".lock"), timeout=patience_seconds))
        except TimeoutError as error:
            msg = f"Another process has been fetching it for {patience_seconds:g} s. Run again."
            raise TraceError(msg) from error
        except OSError:
            # Nothing can be kept there, so there is nothing to wait for.
            pass
        yield
