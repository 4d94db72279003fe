"""What the workers of one session share: a folder in which they count together, and the width of the terminal."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

_INPUT = "refinery_folder"
_COLUMNS = "refinery_columns"
_USUAL, _WIDEST = 80, 100


def shared_folder(config: pytest.Config) -> Path | None:
    """Return the folder that this worker shares with the others; ``None`` in a process that is no worker."""
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    return Path(worker[_INPUT]) if _INPUT in worker else None


def columns(config: pytest.Config) -> int:
    """Return the columns to fill with text: those of the terminal, at most 100; a worker has the controller's."""
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    if _COLUMNS in worker:
        return int(worker[_COLUMNS])
    has_terminal = config.pluginmanager.hasplugin("terminalreporter")
    return min(config.get_terminal_writer().fullwidth if has_terminal else _USUAL, _WIDEST)


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
