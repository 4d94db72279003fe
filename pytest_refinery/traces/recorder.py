"""Records by hand what a test does, as a trace like any other."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_refinery.traces.model import Run, RunKind, Trace, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class OpenRun:
    """A run that is being recorded; set ``outputs`` before it ends."""

    inputs: object = None
    outputs: object = None
    settings: dict[str, object] = field(default_factory=dict)


def _now() -> datetime:
    return datetime.now(UTC)


class Recorder:
    """Collects runs; threads and tasks nest as their context says."""

    def __init__(self, name: str, *, now: Callable[[], datetime] = _now) -> None:
        self._name = name
        self._now = now
        self._runs: list[Run] = []
        self._started = 0
        self._parent: ContextVar[str | None] = ContextVar("refinery_parent_run", default=None)

    @contextmanager
    def run(self, name: str, kind: str = RunKind.CHAIN, *, inputs: object = None) -> Iterator[OpenRun]:
        """Record one run around a block; an exception in the block is its error, and goes on.

        Runs opened inside the block are its children.
        """
        self._started += 1
        run_id = f"run-{self._started}"
        opened, started_at, error = OpenRun(inputs=inputs), self._now(), None
        parent_id = self._parent.get()
        token = self._parent.set(run_id)
        try:
            yield opened
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"
            raise
        finally:
            self._parent.reset(token)
            self._runs.append(
                Run(
                    id=run_id,
                    name=name,
                    kind=str(kind),
                    parent_id=parent_id,
                    inputs=opened.inputs,
                    outputs=opened.outputs,
                    settings=opened.settings,
                    error=error,
                    started_at=started_at,
                    ended_at=self._now(),
                )
            )

    def trace(self) -> Trace | None:
        """Return what was recorded so far, ``None`` where that is nothing."""
        if not self._runs:
            return None
        started = sorted(self._runs, key=lambda run: int(run.id.removeprefix("run-")))
        return Trace(
            id=self._name,
            name=self._name,
            runs=in_order(started, source=self._name),
            source="this test",
            format="recorded",
        )
