"""The time that a piece of work may take, what it has cost so far, and what the user should know of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.analysis.ports import Stage


@dataclass(frozen=True)
class Costs:
    """What the requests of a stage cost."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds_waited: float = 0.0


class TimedJob:
    """The port ``Job``; may be used from any thread.

    Attributes:
        seconds: How long it may take.
        clock: Seconds that only rise.
        cancelled: Set when nobody waits for the answer any more.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self.clock = clock
        self.cancelled = threading.Event()
        self._end = clock() + seconds
        self._lock = threading.Lock()
        self._costs: dict[Stage, Costs] = {}
        self._notes: dict[str, None] = {}

    def seconds_left(self) -> float:
        """Return the seconds until the end, below 0 after it."""
        return self._end - self.clock()

    def spent(
        self, stage: Stage, *, input_tokens: int = 0, output_tokens: int = 0, seconds_waited: float = 0.0
    ) -> None:
        """Take note of a request and what it cost."""
        with self._lock:
            known = self._costs.get(stage, Costs())
            self._costs[stage] = replace(
                known,
                calls=known.calls + 1,
                input_tokens=known.input_tokens + input_tokens,
                output_tokens=known.output_tokens + output_tokens,
                seconds_waited=known.seconds_waited + seconds_waited,
            )

    def note(self, sentence: str) -> None:
        """Keep a sentence for the report, once."""
        with self._lock:
            self._notes[sentence] = None

    def costs(self, stage: Stage) -> Costs:
        """Return what the requests of a stage cost so far."""
        with self._lock:
            return self._costs.get(stage, Costs())

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences for the report, in the order in which they came up."""
        with self._lock:
            return tuple(self._notes)
