"""The pytest plugin of a run in a copy of the project, loaded with ``-p``; it knows nothing of pytest itself.

It brings the records of the run back, keeps only the items that were asked for, notices whether the files that the fix
changes are read from the copy or from the project itself, and ends the run with the process that began it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import suppress
from importlib.util import source_from_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "REFINERY_COPY"
# Who reads prompt files for a diagnosis is not the agent.
_OUR_READER = os.path.join("pytest_refinery", "sources", "prompt_files.py")  # noqa: PTH118  (a part of a file name)
_NEAREST_FRAMES = 4


class CopyGuard:
    """What one process in a copy does for the run that began it.

    Args:
        wanted: ``result`` (the file to write), ``copy`` and ``project`` (folders), ``changed`` (files, relative to
            both), ``agent`` and ``without`` (which items to keep, where not all), ``parent`` (a file descriptor).
    """

    def __init__(self, wanted: dict[str, Any]) -> None:
        self._wanted = wanted
        self._changed = {os.path.basename(name) for name in wanted["changed"]}  # noqa: PTH119  (quick, for each file)
        self._in_copy = {str(Path(wanted["copy"], name)) for name in wanted["changed"]}
        self._in_project = {str(Path(wanted["project"], name)): name for name in wanted["changed"]}
        self._records: dict[str, object] = {}
        self._read: set[str] = set()

    def start(self) -> None:
        """Watch which files are opened, and the process that began the run."""
        sys.addaudithook(self._audit)
        threading.Thread(target=self._end_with_parent, daemon=True).start()

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str):
            name = os.path.basename(arguments[0])  # noqa: PTH119
            if name in self._changed or name.endswith(".pyc"):
                self._opened(arguments[0])

    def _opened(self, path: str) -> None:
        if path.endswith(".pyc"):
            with suppress(ValueError):
                path = source_from_cache(path)
        place = os.path.realpath(path)
        if (place in self._in_copy or place in self._in_project) and not any(map(_is_ours, _callers())):
            self._read.add(place)

    def _end_with_parent(self) -> None:
        os.read(self._wanted["parent"], 1)
        os.killpg(0, signal.SIGKILL)

    def keep_wanted(self, items: list[Any]) -> None:
        """Leave only the other expectations of the agent, or of a file that the fix changes."""
        if agent := self._wanted.get("agent"):
            items[:] = [
                item
                for item in items
                if item.nodeid != self._wanted["without"]
                and hasattr(item, "is_affected_by")
                and item.is_affected_by(agent, self._in_copy)
            ]

    def keep_record(self, report: Any) -> None:  # noqa: ANN401  (pytest's own)
        """Keep the record that a report carries."""
        record = getattr(report, "refinery", None)
        if record is not None:
            self._records[record["nodeid"]] = record

    def write(self) -> None:
        """Write what the run has shown."""
        found = {
            "records": list(self._records.values()),
            "is_read": not self._read.isdisjoint(self._in_copy),
            "read_in_project": sorted(name for path, name in self._in_project.items() if path in self._read),
        }
        Path(self._wanted["result"]).write_text(json.dumps(found), encoding="utf-8", errors="replace")


def _callers() -> Iterator[str]:
    # The frames above: those of the hook itself, then who opened the file.
    frame = sys._getframe(1)  # noqa: SLF001  (documented, and there is no other way)
    for _ in range(_NEAREST_FRAMES + 3):
        if frame.f_back is None:
            return
        frame = frame.f_back
        yield frame.f_code.co_filename


def _is_ours(file: str) -> bool:
    return file.endswith(_OUR_READER)


_guard: CopyGuard | None = None
if VARIABLE in os.environ:
    # Not for what the agent starts.
    _guard = CopyGuard(json.loads(os.environ.pop(VARIABLE)))
    _guard.start()


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Keep the items that were asked for."""
    if _guard:
        _guard.keep_wanted(items)


def pytest_runtest_logreport(report: Any) -> None:  # noqa: ANN401  (pytest's own)
    """Keep the record of an item."""
    if _guard:
        _guard.keep_record(report)


def pytest_unconfigure() -> None:
    """Write what was kept."""
    if _guard:
        _guard.write()
