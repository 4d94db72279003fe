"""The time that a piece of work may take, what it has cost so far, and what the user should know of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_refinery.analysis.ports import Stage


@dataclass(frozen=True)
class Costs:
    """What the requests of a stage cost; ``seconds_waited`` is the time in which any of them waited."""

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
        self._waits: dict[Stage, list[tuple[float, float]]] = {}
        self._notes: dict[str, None] = {}

    def seconds_left(self) -> float:
        """Return the seconds until the end, below 0 after it."""
        return self._end - self.clock()

    def waited(self, stage: Stage, seconds: float) -> None:
        """Take note that a request has waited until now for its turn."""
        now = self.clock()
        with self._lock:
            self._waits.setdefault(stage, []).append((now - seconds, now))

    def spent(self, stage: Stage, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Take note of a request and what it cost."""
        with self._lock:
            known = self._costs.get(stage, Costs())
            self._costs[stage] = replace(
                known,
                calls=known.calls + 1,
                input_tokens=known.input_tokens + input_tokens,
                output_tokens=known.output_tokens + output_tokens,
            )

    def note(self, sentence: str) -> None:
        """Keep a sentence for the report, once."""
        with self._lock:
            self._notes[sentence] = None

    def costs(self, stage: Stage) -> Costs:
        """Return what the requests of a stage cost so far."""
        with self._lock:
            known = self._costs.get(stage, Costs())
            return replace(known, seconds_waited=_covered(self._waits.get(stage, ())))

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences for the report, in the order in which they came up."""
        with self._lock:
            return tuple(self._notes)


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return how long at least one of the spans lasted: requests wait side by side."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total
