"""What the workers of one session share: a folder in which they count together, and the width of the terminal."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_refinery import wiring
from pytest_refinery.verification.suite_runs import SHARED_FOLDER

_INPUT = "refinery_folder"
_COLUMNS = "refinery_columns"
_ARGUMENTS = "refinery_arguments"
_TRACES = "refinery-traces"
_FOLDER: pytest.StashKey[Path] = pytest.StashKey()
_USUAL = 80


def shared_folder(config: pytest.Config) -> Path | None:
    """Return the folder that this worker shares with the others; ``None`` in a process that is no worker."""
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    return Path(worker[_INPUT]) if _INPUT in worker else None


def counting_folder(config: pytest.Config) -> Path | None:
    """Return the folder in which all processes of a session count its tokens, ``None`` where one counts alone."""
    named = os.environ.get(SHARED_FOLDER)
    return Path(named) if named else shared_folder(config) or config.stash.get(_FOLDER, None)


def only_plans(config: pytest.Config) -> bool:
    """Tell whether the run only shows what it would do: --collect-only, --setup-plan, --setup-only."""
    return any(config.getoption(name, default=False) for name in ("collectonly", "setupplan", "setuponly"))


def invocation(config: pytest.Config) -> list[str]:
    """Return the options that pytest was started with, without the files and items to run."""
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    if _ARGUMENTS in worker:
        return list(worker[_ARGUMENTS])
    given = list(map(str, config.invocation_params.args))
    for subject in config.getoption("file_or_dir", default=()) or ():
        if subject in given:
            # From the end: the value of an option may look like one.
            given.reverse()
            given.remove(subject)
            given.reverse()
    return given


def columns(config: pytest.Config) -> int:
    """Return the columns to fill with text: those of the terminal; a worker has the controller's."""
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    if _COLUMNS in worker:
        return int(worker[_COLUMNS])
    has_terminal = config.pluginmanager.hasplugin("terminalreporter")
    return config.get_terminal_writer().fullwidth if has_terminal else _USUAL


def trace_folder(config: pytest.Config) -> Path | None:
    """Return a folder in pytest's own cache: ``--cache-clear`` empties it, without the cache plugin there is none."""
    cache: pytest.Cache | None = getattr(config, "cache", None)
    return cache.mkdir(_TRACES) if cache else None


class SharedFolder:
    """Makes the folder on the controller, tells each worker of it, and removes it when all of them have ended."""

    def __init__(self) -> None:
        self._path: str | None = None
        self._opened = ExitStack()

    @property
    def path(self) -> Path | None:
        """The folder, ``None`` where there are no workers."""
        return Path(self._path) if self._path else None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401  (pytest-xdist's, which need not be there)
        """Tell a worker of both, before it starts."""
        self._path = self._path or tempfile.mkdtemp(prefix="refinery-")
        node.workerinput[_INPUT] = self._path
        node.workerinput[_ARGUMENTS] = invocation(node.config)
        node.workerinput[_COLUMNS] = columns(node.config)

    def count_in_folder(self, config: pytest.Config) -> None:
        """Let this process count its tokens in a folder, together with those that it starts itself."""
        with suppress(OSError):
            config.stash[_FOLDER] = self._opened.enter_context(wiring.session_folder())

    def pytest_unconfigure(self) -> None:
        """Remove the folders."""
        self._opened.close()
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
