"""The time that a piece of work may take, what it has cost so far, and what the user should know of it."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import StageReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_refinery.analysis.ports import Stage

# Without a limit of its own a job may wait for others twice as long as was foreseen, and this many seconds at least.
_SHORTEST_WAIT = 120.0
_FORESEEN_TIMES = 2
# Less than this is no time to work in.
_LAST_SECOND = 1.0


class TimedJob:
    """The port ``Job``; may be used from any thread.

    Its time runs while it works, and stands still while all that it asks for waits for its turn.

    Args:
        max_wait: Seconds that it may wait for others, all together; ``None`` for twice of what is foreseen at first.

    Attributes:
        id: Names the work among all that share a budget.
        seconds: How long it may work.
        clock: Seconds that only rise.
        cancelled: Set when the answer is no longer wanted.
    """

    def __init__(
        self, seconds: float, *, max_wait: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.id = secrets.token_hex(4)
        self.seconds = seconds
        self.clock = clock
        self.cancelled = threading.Event()
        self._max_wait = max_wait
        self._end = clock() + seconds
        self._waiting = self._asking = 0
        self._stopped_at: float | None = None
        self._stood_still = 0.0
        self._tokens_ahead = 0
        self._at_end: list[Callable[[], None]] = []
        self._lock = threading.RLock()
        self._costs: dict[Stage, tuple[int, int, int]] = {}
        self._waits: dict[Stage, list[tuple[float, float]]] = {}
        self._notes: dict[str, None] = {}

    def seconds_left(self) -> float:
        """Return the seconds that are left to work, below 0 after the end."""
        with self._lock:
            return self._end + self._waited() - self.clock()

    def wait_left(self, foreseen: Callable[[], float]) -> float:
        """Return the seconds that it may still wait for others; ``foreseen`` says how long it will have to."""
        with self._lock:
            if self._max_wait is None:
                self._max_wait = max(_SHORTEST_WAIT, _FORESEEN_TIMES * foreseen())
            return self._max_wait - self._waited()

    @property
    def is_out_of_time(self) -> bool:
        """Whether it may work no longer, or wait no longer."""
        with self._lock:
            waited_too_long = self._max_wait is not None and self._max_wait - self._waited() < _LAST_SECOND
            return waited_too_long or self.seconds_left() < _LAST_SECOND

    @contextmanager
    def waiting(self, stage: Stage) -> Iterator[None]:
        """Wait for the turn of a request meanwhile."""
        started = self._turned(waiting=1)
        try:
            yield
        finally:
            ended = self._turned(waiting=-1)
            with self._lock:
                self._waits.setdefault(stage, []).append((started, ended))

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Have a request under way meanwhile: the time runs, whatever else waits."""
        self._turned(asking=1)
        try:
            yield
        finally:
            self._turned(asking=-1)

    def _turned(self, *, waiting: int = 0, asking: int = 0) -> float:
        """Count who waits and who is asked, stop or start the time accordingly, and return the time."""
        with self._lock:
            now = self.clock()
            self._waiting += waiting
            self._asking += asking
            stands_still = self._waiting > 0 and not self._asking
            if stands_still and self._stopped_at is None:
                self._stopped_at = now
            elif not stands_still and self._stopped_at is not None:
                self._stood_still += now - self._stopped_at
                self._stopped_at = None
            return now

    def _waited(self) -> float:
        return self._stood_still + (0.0 if self._stopped_at is None else self.clock() - self._stopped_at)

    def expects(self, tokens: int) -> None:
        """Take note of tokens that it is going to ask for."""
        with self._lock:
            self._tokens_ahead += tokens

    def reserves(self, tokens: int) -> int:
        """Take note that ``tokens`` are asked for now; return those that will be asked for after them."""
        with self._lock:
            self._tokens_ahead = max(0, self._tokens_ahead - tokens)
            return self._tokens_ahead

    def at_end(self, call: Callable[[], None]) -> None:
        """Call ``call`` when it is finished."""
        with self._lock:
            self._at_end.append(call)

    def finish(self) -> None:
        """Say that no answer is wanted any more; harmless where it was said before."""
        self.cancelled.set()
        with self._lock:
            calls, self._at_end = self._at_end, []
        for call in calls:
            call()

    def spent(self, stage: Stage, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Take note of a request and what it cost."""
        with self._lock:
            calls, inputs, outputs = self._costs.get(stage, (0, 0, 0))
            self._costs[stage] = (calls + 1, inputs + input_tokens, outputs + output_tokens)

    def note(self, sentence: str) -> None:
        """Keep a sentence for the report, once."""
        with self._lock:
            self._notes[sentence] = None

    def report(self, stage: Stage, *, started: float, calls: int = 0) -> StageReport:
        """Return what a stage cost so far.

        Args:
            stage: The stage.
            started: When it began, by ``clock``.
            calls: How many calls it took, where no request was counted.
        """
        with self._lock:
            requests, input_tokens, output_tokens = self._costs.get(stage, (0, 0, 0))
            return StageReport(
                name=stage,
                calls=requests or calls,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                seconds=round(self.clock() - started, 3),
                seconds_waited=round(_covered(self._waits.get(stage, ())), 3),
            )

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
