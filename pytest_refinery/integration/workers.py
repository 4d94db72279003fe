"""The folder in which the workers of one session count together."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

_INPUT = "refinery_folder"


def shared_folder(config: pytest.Config) -> Path | None:
    """Return the folder that this worker shares with the others; ``None`` in a process that is no worker."""
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    return Path(worker[_INPUT]) if _INPUT in worker else None


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
        """Tell a worker of the folder, before it starts."""
        self._path = self._path or tempfile.mkdtemp(prefix="refinery-")
        node.workerinput[_INPUT] = self._path

    def pytest_unconfigure(self) -> None:
        """Remove the folder."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
