"""Clocks for the server: one that runs and one that is set."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def steady() -> Callable[[], float]:
    """Return a clock of seconds since 1970 that never steps back."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


class SetClock:
    """A clock that goes on only when somebody sleeps by it: ``OpenAIServer(clock=clock, sleep=clock.sleep)``."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Go on by ``seconds``."""
        with self._lock:
            self._now += seconds
