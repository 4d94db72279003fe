"""Stops asking a service that fails again and again, and asks it once in a while whether it is back."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from pytest_refinery.analysts.model.service_errors import AccountRejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.analysts.model.service_errors import ServiceError

_MOST_FAILURES = 5
_FIRST_REST, _LONGEST_REST = 15.0, 120.0


class CircuitBreaker:
    """Counts failures in a row, of all threads.

    Args:
        clock: Seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._rest = _FIRST_REST
        self._next_try = 0.0
        self._last: ServiceError | None = None
        self._is_new = False

    def check(self) -> None:
        """Let a request pass, or raise why none does; after a rest one passes, to try.

        Raises:
            ServiceError: The last one.
        """
        with self._lock:
            if self._last is None:
                return
            if isinstance(self._last, AccountRejected) or self._clock() < self._next_try:
                raise self._last.again()
            self._begin_rest()

    def succeeded(self) -> None:
        """Take note of an answer: everything may pass again."""
        with self._lock:
            self._failures, self._rest = 0, _FIRST_REST
            if not isinstance(self._last, AccountRejected):
                self._last = None

    def failed(self, error: ServiceError) -> bool:
        """Take note of a request that failed; tell whether another one may be tried."""
        with self._lock:
            self._failures += 1
            is_open = self._last is not None
            if self._failures >= _MOST_FAILURES and not is_open:
                self._last, self._is_new = error, True
                self._begin_rest()
            return self._last is None

    def trip(self, error: ServiceError) -> None:
        """Let nothing pass for a while."""
        with self._lock:
            if self._last is None:
                self._last, self._is_new = error, True
                self._begin_rest()

    def notice(self) -> str:
        """Return what the user should know since requests are stopped, once each time; ``""`` else."""
        with self._lock:
            is_new, self._is_new = self._is_new, False
        rest = f"{_FIRST_REST:.0f} s, then longer, up to {_LONGEST_REST:.0f} s"
        stopped = f"The service failed again and again: it is asked once in a while from now on (after {rest})."
        return f"{stopped} The rules diagnose meanwhile." if is_new else ""

    def close_for_good(self, error: AccountRejected) -> None:
        """Let nothing pass any more: the answer would be the same."""
        with self._lock:
            self._last = error

    def _begin_rest(self) -> None:
        self._next_try = self._clock() + self._rest
        self._rest = min(_LONGEST_REST, 2 * self._rest)
