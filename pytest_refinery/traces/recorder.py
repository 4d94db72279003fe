"""Records what a test or an agent does, as a trace like any other: by hand, and by its own tracing."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from pytest_refinery.traces import joining, json_values
from pytest_refinery.traces.joining import Captured
from pytest_refinery.traces.model import Run, RunKind, Trace
from pytest_refinery.traces.nesting import Nesting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from pytest_refinery.traces.capture import TraceCapture

_BY_HAND = "by hand"
_active_recorder: ContextVar[Recorder | None] = ContextVar("refinery_recorder", default=None)
# Threads begin with an empty context; the last active recorder is then the one that is meant.
_active_recorders: list[Recorder] = []


@dataclass
class OpenRun:
    """A run that is being recorded.

    Attributes:
        inputs: What went in; may be set until the block ends.
        outputs: What came out; to be set before the block ends.
        settings: Of a model call: ``model``, ``temperature``, ``tools``, ...
    """

    inputs: object = None
    outputs: object = None
    settings: dict[str, object] = field(default_factory=dict)


def record(name: str, kind: str = RunKind.CHAIN, *, inputs: object = None) -> AbstractContextManager[OpenRun]:
    """Record a run around a ``with`` block of an agent's code; set ``outputs`` on what it yields.

    Runs opened inside are its children. An exception becomes the run's error and goes on. Where no agent is
    being run for an expectation, nothing is recorded.

    Args:
        name: The run's name.
        kind: One of ``RunKind``, or a word of your own.
        inputs: What goes in: JSON, or anything that can be shown as JSON.

    Returns:
        A context manager that yields the run, as long as it is open.
    """
    recorder = _active_recorder.get() or next(reversed(_active_recorders), None)
    return recorder.run(name, kind, inputs=inputs) if recorder else nullcontext(OpenRun(inputs=inputs))


def _now() -> datetime:
    return datetime.now(UTC)


class Recorder:
    """Collects runs; threads and tasks nest as their context says.

    Args:
        name: The trace's name and id.
        source: Who is recorded, for messages to the user.
        now: The clock.
    """

    def __init__(self, name: str, *, source: str = "this test", now: Callable[[], datetime] = _now) -> None:
        self._name = name
        self._source = source
        self._now = now
        self._numbers = count(1)
        self._runs: dict[str, Run] = {}
        self._captured: list[Captured] = []
        self._block: str | None = None
        self._open: ContextVar[str | None] = ContextVar("refinery_open_run", default=None)
        self._nesting = Nesting()
        self._nesting.add_way(_BY_HAND, self._open.get)

    @contextmanager
    def run(self, name: str, kind: str = RunKind.CHAIN, *, inputs: object = None) -> Iterator[OpenRun]:
        """Record one run around a block; an exception in the block is its error, and goes on.

        Runs opened inside the block are its children.
        """
        opened = OpenRun(inputs=inputs)
        run = self._begun(name, kind, inputs)
        token, error = self._open.set(run.id), None
        try:
            yield opened
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}".removesuffix(": ")
            raise
        finally:
            self._open.reset(token)
            self._runs[run.id] = run.model_copy(update=self._ended(run, opened, error, inputs))

    def _begun(self, name: str, kind: str, inputs: object) -> Run:
        run_id = f"by-hand-{next(self._numbers)}"
        # A thread without a context is inside the block too.
        self._nesting.started(run_id, way=_BY_HAND, parent_id=self._open.get() or self._block)
        run = Run(
            id=run_id,
            name=name,
            kind=str(kind),
            parent_id=self._nesting.parent_of(run_id),
            inputs=json_values.plain(inputs),
            is_pending=True,
            started_at=self._now(),
        )
        self._runs[run_id] = run
        return run

    def _ended(self, run: Run, opened: OpenRun, error: str | None, inputs: object) -> dict[str, object]:
        return {
            "inputs": run.inputs if opened.inputs is inputs else json_values.plain(opened.inputs),
            "outputs": json_values.plain(opened.outputs),
            "settings": opened.settings,
            "error": error,
            "is_pending": False,
            "ended_at": self._now(),
        }

    @contextmanager
    def capturing(
        self, captures: Iterable[TraceCapture], *, name: str | None = None, inputs: object = None
    ) -> Iterator[OpenRun]:
        """Record a run around a block, and in it all that the agent's own tracing says, which is sent nowhere."""
        active = [*captures]
        run_id, around = None, self._block
        try:
            with ExitStack() as stack:
                for capture in active:
                    stack.enter_context(capture.active(self._nesting))
                stack.enter_context(self._active())
                opened = stack.enter_context(self.run(name or self._name, inputs=inputs))
                run_id = self._block = self._open.get()
                yield opened
        finally:
            self._block = around
            self._captured += [Captured(capture.name, run_id, *capture.captured()) for capture in active]

    @contextmanager
    def _active(self) -> Iterator[None]:
        token = _active_recorder.set(self)
        _active_recorders.append(self)
        try:
            yield
        finally:
            _active_recorders.remove(self)
            _active_recorder.reset(token)

    def trace(self) -> Trace | None:
        """Return what was recorded so far, ``None`` where that is nothing.

        Raises:
            TraceError: The agent's own tracing recorded runs that make no tree.
        """
        if not self._runs:
            return None
        runs, notes = joining.joined([*self._runs.values()], self._captured, self._nesting, source=self._source)
        return Trace(
            id=self._name,
            name=self._name,
            runs=runs,
            source=self._source,
            format="recorded",
            notes=notes,
            is_live=True,
        )
