"""What a diagnosis is doing, while it does it: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from pytest_refinery.reports.escape import line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import pytest


class Progress:
    """Writes to the terminal in the middle of a test; may be called from any thread.

    Workers have no terminal, and with ``-q`` nothing is written.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._subject = ""

    @contextmanager
    def about(self, nodeid: str) -> Iterator[None]:
        """Let what is shown inside be about an item, and leave no live line behind."""
        self._subject = nodeid.rpartition("::")[2] or nodeid
        try:
            yield
        finally:
            reporter = self._reporter()
            if reporter is not None and reporter.isatty:
                self._write(reporter, "")

    def show(self, words: str) -> None:
        """Show what is being done now."""
        reporter = self._reporter()
        if reporter is not None:
            self._write(reporter, line(f"refinery: {self._subject}: {words}"))

    def _write(self, reporter: pytest.TerminalReporter, words: str) -> None:
        with self._lock, self._uncaptured():
            if reporter.isatty:
                reporter.rewrite(words, erase=True)
            else:
                reporter.ensure_newline()
                reporter.write_line(words)

    def _reporter(self) -> pytest.TerminalReporter | None:
        if self._config.get_verbosity() < 0:
            return None
        reporter: pytest.TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        return reporter

    def _uncaptured(self) -> AbstractContextManager[None]:
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        found: AbstractContextManager[None] = capture.global_and_fixture_disabled() if capture else nullcontext()
        return found
