"""The object behind the fixture ``refinery_trace``."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import wiring
from pytest_refinery.errors import TraceError
from pytest_refinery.integration.item_records import SOURCE
from pytest_refinery.integration.workers import trace_folder
from pytest_refinery.settings import Settings
from pytest_refinery.traces import saving
from pytest_refinery.traces.model import RunKind, Trace, independent
from pytest_refinery.traces.recorder import Recorder

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from os import PathLike

    from pytest_refinery.traces.recorder import OpenRun
    from pytest_refinery.traces.source import TraceSource

_KEY = pytest.StashKey["UsedTrace"]()


class UsedTrace:
    """The trace that a failure of the test is diagnosed from.

    A test loads one, hands one over, or records what it does: whole, or run by run.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._base = item.path.parent
        self._item = item
        self._recorder = Recorder(item.name)
        self._trace: Trace | None = None
        item.stash[_KEY] = self

    def load(self, trace: str | PathLike[str], *, project: str | None = None) -> Trace:
        """Load a trace and use it.

        Args:
            trace: A file relative to the test's own folder, a LangSmith id or address, or what a plugin's source takes.
            project: The LangSmith project that holds the trace, where the id alone does not say it.

        Returns:
            The trace.

        Raises:
            TraceError: It cannot be read.
        """
        source = self._item.stash.get(SOURCE, None) or _own_source(self._item.config)
        # The test may change it, and others load the same one.
        return self.use(independent(source.load(os.fspath(trace), base=self._base, project=project)))

    def use(self, trace: Trace) -> Trace:
        """Use a trace that the test has made or found itself; return it."""
        self._trace = trace
        return trace

    def capture(self, name: str = "agent", *, inputs: object = None) -> AbstractContextManager[OpenRun]:
        """Record a run around a ``with`` block, and in it what the agent's own tracing records.

        LangSmith runs and OpenTelemetry spans that the block makes, in whichever thread, become part of the trace and
        are sent nowhere.

        Args:
            name: The run's name.
            inputs: What the agent is called with.

        Returns:
            A context manager that yields the run; set ``outputs`` on it.

        Raises:
            AgentError: An installed library is too old to be kept from sending.
        """
        return self._recorder.capturing(wiring.build_captures(), name=name, inputs=inputs)

    def run(self, name: str, kind: str = RunKind.CHAIN, *, inputs: object = None) -> AbstractContextManager[OpenRun]:
        """Record a run around a ``with`` block.

        Runs opened inside are its children. An exception becomes the run's error and goes on.

        Args:
            name: The run's name.
            kind: One of ``RunKind``, or a word of your own.
            inputs: What goes in.

        Returns:
            A context manager that yields the run; set ``outputs`` on it.
        """
        return self._recorder.run(name, kind, inputs=inputs)

    def save(self, path: str | PathLike[str]) -> None:
        """Save the trace in use without secrets.

        Args:
            path: The file, absolute or relative to the test's own folder; its folder is made.

        Raises:
            TraceError: There is no trace, or the file cannot be written.
        """
        trace = self.trace
        if trace is None:
            msg = f"{os.fspath(path)}: there is no trace to save; load, use or record one first."
            raise TraceError(msg)
        target = self._base / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(saving.text(wiring.build_scrubber().trace(trace)), encoding="utf-8")
        except OSError as error:
            msg = f"{target} cannot be written ({error.strerror or error})."
            raise TraceError(msg) from error

    @property
    def trace(self) -> Trace | None:
        """The trace in use: the one loaded or handed over, else what was recorded so far."""
        return self._trace or self._recorder.trace()


def _own_source(config: pytest.Config) -> TraceSource:
    hooks = wiring.Hooks(trace_folder=partial(trace_folder, config))
    return wiring.build(Settings(), hooks).source


def trace_of(item: pytest.Item) -> Trace | None:
    """Return the trace that a test used, if it did."""
    used = item.stash.get(_KEY, None)
    return used.trace if used is not None else None
