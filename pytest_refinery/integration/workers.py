"""What the workers of one session share: a folder in which they count together, and the width of the terminal."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

_INPUT = "refinery_folder"
_COLUMNS = "refinery_columns"
_TRACES = "refinery-traces"
_USUAL, _WIDEST = 80, 100


def shared_folder(config: pytest.Config) -> Path | None:
    """Return the folder that this worker shares with the others; ``None`` in a process that is no worker."""
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    return Path(worker[_INPUT]) if _INPUT in worker else None


def only_plans(config: pytest.Config) -> bool:
    """Tell whether the run only shows what it would do: --collect-only, --setup-plan, --setup-only."""
    return any(config.getoption(name, default=False) for name in ("collectonly", "setupplan", "setuponly"))


def columns(config: pytest.Config) -> int:
    """Return the columns to fill with text: those of the terminal, at most 100; a worker has the controller's."""
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    if _COLUMNS in worker:
        return int(worker[_COLUMNS])
    has_terminal = config.pluginmanager.hasplugin("terminalreporter")
    return min(config.get_terminal_writer().fullwidth if has_terminal else _USUAL, _WIDEST)


def trace_folder(config: pytest.Config) -> Path | None:
    """Return a folder in pytest's own cache: ``--cache-clear`` empties it, without the cache plugin there is none."""
    cache: pytest.Cache | None = getattr(config, "cache", None)
    return cache.mkdir(_TRACES) if cache else None


class SharedFolder:
    """Makes the folder on the controller, tells each worker of it, and removes it when all of them have ended."""

    def __init__(self) -> None:
        self._path: str | None = None

    @property
    def path(self) -> Path | None:
        """The folder, ``None`` where there are no workers."""
        return Path(self._path) if self._path else None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401  (pytest-xdist's, which need not be there)
        """Tell a worker of both, before it starts."""
        self._path = self._path or tempfile.mkdtemp(prefix="refinery-")
        node.workerinput[_INPUT] = self._path
        node.workerinput[_COLUMNS] = columns(node.config)

    def pytest_unconfigure(self) -> None:
        """Remove the folder."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)


class DiagnosisLimit:
    """Hands out a limited number of places.

    Workers share ``folder``; a place is a file in it that only one of them can create.
    """

    def __init__(self, most: int | None, *, folder: Path | None = None) -> None:
        self._most = most
        self._taken = 0
        self._folder = folder

    def take(self) -> bool:
        """Take a place; tell whether there was one."""
        if self._most is None:
            return True
        while self._taken < self._most:
            self._taken += 1
            if self._folder is None or self._claim(self._folder, self._taken):
                return True
        return False

    @staticmethod
    def _claim(folder: Path, number: int) -> bool:
        # A worker on another machine has the name of the folder, not the folder.
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            (folder / f"diagnosis-{number}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True
