"""The ledger of one process: for runs without a place to share."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_refinery.budget import clocks
from pytest_refinery.budget.ledger_state import State
from pytest_refinery.budget.state_ledger import StateLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_refinery.budget.limits import Limits


class MemoryLedger(StateLedger):
    """A ledger that the threads of this process share, and nobody else: a fork starts its own."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = clocks.seconds_since_boot) -> None:
        super().__init__(limits, clock=clock)
        self._begin()

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._state = State()

    def _begin(self) -> None:
        self._process_id = os.getpid()
        self._lock = threading.Lock()
        self._state = State()

    @contextmanager
    def _opened(self) -> Iterator[State]:
        if self._process_id != os.getpid():
            # A thread of the parent may have held the lock.
            self._begin()
        with self._lock:
            yield self._state
