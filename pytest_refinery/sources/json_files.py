"""Traces in local JSON files, gzipped or not, in any of the formats that ``formats`` knows."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pytest_refinery.errors import TraceError
from pytest_refinery.sources import formats

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Trace


class JsonFiles:
    """Loads traces from local files; the last one is kept, since expectations about one trace stand together.

    Args:
        most_mb: How many megabytes a file may hold, unpacked.
    """

    def __init__(self, *, most_mb: int = formats.DEFAULT_MB) -> None:
        self._most_mb = most_mb
        self._last: tuple[_Version, Trace] | None = None

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:  # noqa: ARG002  (the port's)
        """Return the trace in the file ``reference``, relative to ``base``.

        ``chats.jsonl#2`` names one of several conversations in a file, by its number or its id.

        Raises:
            TraceError: There is no such file, or what is in it is no trace.
        """
        if "\0" in reference:
            msg = f"{reference!r} is no name of a file: it holds a NUL character."
            raise TraceError(msg)
        name, part = _divided(reference, base)
        path = _from_here(base / name)
        try:
            version = _version(path, part)
            # Once, into a name: another thread may put another trace there at any time.
            last = self._last
            if last is None or last[0] != version:
                self._last = last = version, formats.read(path, part=part, most_mb=self._most_mb)
        except OSError as error:
            raise TraceError(_unreadable(path, error)) from error
        return last[1]


# A file, which part of it, when it was written, and its size.
_Version: TypeAlias = tuple[Path, str | None, int, int]


def _version(path: Path, part: str | None) -> _Version:
    status = path.stat()
    return path.absolute(), part, status.st_mtime_ns, status.st_size


def _divided(reference: str, base: Path) -> tuple[str, str | None]:
    """Return the file that a reference names, and which part of it."""
    name, mark, part = reference.rpartition("#")
    return (name, part) if mark and part and not (base / reference).exists() else (reference, None)


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
