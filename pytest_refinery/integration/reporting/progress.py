"""What a diagnosis is doing, while it does it: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.integration.reporting.colours import encodable
from pytest_refinery.integration.workers import shared_folder
from pytest_refinery.reports.escape import line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

from pytest_refinery.integration.workers import SharedFolder

_SUFFIX = ".progress"
_TIME_LEFT = ".time-left"
_COUNTS = ".diagnoses"
_BEGUN, _MADE = "+", "-"
_ERASE = "\r\x1b[2K"
# How often the controller looks for what its workers say.
_LOOK_SECONDS = 0.5


class Progress:
    """Writes to the terminal in the middle of a test; may be called from any thread.

    A worker has no terminal of its own: it leaves its words in the folder that it shares with the controller. Where
    lines stay, as in a log, those about a single stage are written with ``-v`` only; with ``-q`` nothing is.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._folder = shared_folder(config)
        self._lock = threading.Lock()
        self._subject = ""
        self._column: int | None = None
        self._counts = ""

    @contextmanager
    def about(self, nodeid: str) -> Iterator[None]:
        """Let what is shown inside be about an item, and leave no live line behind."""
        self._subject = nodeid.rpartition("::")[2] or nodeid
        try:
            yield
        finally:
            if self._column is not None:
                with self._lock, self._uncaptured():
                    # Back to where pytest's own line was left.
                    self._draw(f"{_ERASE}\x1b[1A" + (f"\x1b[{self._column}C" if self._column else ""))
                    self._column = None

    def show(self, words: str) -> None:
        """Show what is being done now."""
        reporter, said = self._reporter(), line(f"refinery: {self._subject}: {words}")
        if reporter is not None and (_can_move(reporter) or self._is_verbose):
            self._write(reporter, said)
        elif reporter is None and self._is_verbose:
            self._leave(_SUFFIX, said + "\n")

    def show_time_left(self, left: str) -> None:
        """Show how many failures are diagnosed, and how long the others take: those of all workers together."""
        reporter = self._reporter()
        if reporter is None:
            self._leave(_TIME_LEFT, left + "\n")
        elif said := _standing(self._counts, left):
            self._write(reporter, said)

    def count_begun(self) -> None:
        """Count a failure whose diagnosis is begun."""
        self._count(_BEGUN)

    def count_made(self) -> None:
        """Count a diagnosis that is made."""
        self._count(_MADE)

    def _count(self, mark: str) -> None:
        self._counts += mark
        self._leave(_COUNTS, mark)

    def _leave(self, suffix: str, text: str) -> None:
        if self._folder is None or self._is_quiet:
            return
        # A worker on another machine has the name of the folder, not the folder.
        path = self._folder / f"{_worker(self._config)}{suffix}"
        with suppress(OSError), self._lock, path.open("a", encoding="utf-8") as left:
            left.write(text)

    def _write(self, reporter: pytest.TerminalReporter, words: str) -> None:
        with self._lock, self._uncaptured():
            writer = self._config.get_terminal_writer()
            if _can_move(reporter):
                begun = "" if self._column is not None else "\n"
                self._column = self._column if self._column is not None else writer.width_of_current_line
                self._draw(f"{begun}{_ERASE}{encodable(words, writer)[: writer.fullwidth - 1]}")
            else:
                reporter.ensure_newline()
                reporter.write_line(encodable(words, writer))

    def _draw(self, text: str) -> None:
        # Below pytest's line, and past its writer: it knows nothing of what is gone again.
        sys.stdout.write(text)
        sys.stdout.flush()

    @property
    def _is_verbose(self) -> bool:
        return self._config.get_verbosity() > 0

    @property
    def _is_quiet(self) -> bool:
        return self._config.get_verbosity() < 0

    def _reporter(self) -> pytest.TerminalReporter | None:
        # A worker has one too, which writes nowhere.
        if self._is_quiet or self._folder is not None:
            return None
        reporter: pytest.TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        return reporter

    def _uncaptured(self) -> AbstractContextManager[None]:
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        found: AbstractContextManager[None] = capture.global_and_fixture_disabled() if capture else nullcontext()
        return found


def _can_move(reporter: pytest.TerminalReporter) -> bool:
    """Tell whether a line can be shown on the terminal and taken away again."""
    return bool(reporter.isatty) and os.environ.get("TERM") != "dumb"


def _worker(config: pytest.Config) -> str:
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    return str(worker.get("workerid", "worker"))


def _standing(counts: str, left: str) -> str:
    """Return how many of the failures are diagnosed, and how long the others take; nothing where all are."""
    begun, made = counts.count(_BEGUN), counts.count(_MADE)
    if made >= begun:
        return ""
    return f"refinery: diagnosed {made} of {begun} failures so far" + (f", {left}" if left else "")


class WorkerProgress:
    """Writes to the controller's terminal what its workers leave in the folder, as plain lines."""

    def __init__(self, config: pytest.Config, workers: SharedFolder) -> None:
        self._config = config
        self._workers = workers
        self._positions: dict[Path, int] = {}
        self._standing = ""
        self._has_ended = threading.Event()
        self._thread: threading.Thread | None = None

    @pytest.hookimpl(optionalhook=True, trylast=True)
    def pytest_configure_node(self) -> None:
        """Begin to watch when there is a first worker."""
        if self._thread is None and self._config.get_verbosity() >= 0:
            self._thread = threading.Thread(target=self._watch, name="refinery-progress", daemon=True)
            self._thread.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Stop, before the summary is written."""
        self._has_ended.set()
        if self._thread is not None:
            self._thread.join()
            self.report_new(self._say)

    def _watch(self) -> None:
        while not self._has_ended.wait(_LOOK_SECONDS):
            self.report_new(self._say)

    def report_new(self, say: Callable[[str], None]) -> None:
        """Call ``say`` with each line that is new, behind the name of its worker, and with where all of them stand."""
        for path, words in self._new_lines(_SUFFIX):
            say(f"[{path.name.removesuffix(_SUFFIX)}] {words}")
        left = [words for _, words in self._new_lines(_TIME_LEFT)]
        standing = _standing(self._counts(), left[-1]) if left else ""
        if standing not in ("", self._standing):
            self._standing = standing
            say(standing)

    def _counts(self) -> str:
        folder = self._workers.path
        return "".join(path.read_text(encoding="utf-8") for path in folder.glob(f"*{_COUNTS}")) if folder else ""

    def _new_lines(self, suffix: str) -> Iterator[tuple[Path, str]]:
        folder = self._workers.path
        for path in sorted(folder.glob(f"*{suffix}")) if folder else ():
            with path.open(encoding="utf-8") as left:
                left.seek(self._positions.get(path, 0))
                for words in iter(left.readline, ""):
                    if not words.endswith("\n"):
                        break
                    self._positions[path] = left.tell()
                    yield path, words.rstrip()

    def _say(self, words: str) -> None:
        writer = self._config.get_terminal_writer()
        # The line of dots that xdist's reports make up is nothing that the reporter knows of.
        if writer.width_of_current_line:
            writer.line()
        writer.line(words)
