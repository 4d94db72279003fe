"""What the ledgers that keep their state in Python have in common."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_refinery.budget import owners
from pytest_refinery.budget.ledger_state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from pytest_refinery.budget.ledger import QueuePosition, Request, Status
    from pytest_refinery.budget.window import Limits
    from pytest_refinery.rate_limit_headers import Observation


class StateLedger(ABC):
    """A ledger whose every method is one transition of a state that nobody else touches meanwhile."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = owners.seconds_since_boot) -> None:
        self._limits = limits
        self._clock = clock

    @abstractmethod
    def _opened(self) -> AbstractContextManager[State]:
        """Return the state, locked; what has changed is kept at the end."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything."""

    def poll(self, request: Request) -> QueuePosition:
        """Let the request join the queue or keep its place; grant it when its time has come."""
        with self._opened() as state:
            return self._poll(state, request)

    def settle(self, request_id: str, tokens: int) -> None:
        """Correct a granted request to what it really cost."""
        with self._opened() as state:
            state.settle(request_id, tokens, now=self._clock())

    def withdraw(self, request_id: str) -> None:
        """Take a request out of the queue, or out of what was granted."""
        with self._opened() as state:
            state.withdraw(request_id)

    def charge(self, tokens: int, requests: int) -> None:
        """Book what was used without asking."""
        with self._opened() as state:
            state.charge(tokens, requests, now=self._clock())

    def limited(self, seconds: float) -> None:
        """Grant nothing for so long."""
        with self._opened() as state:
            state.limited(seconds, now=self._clock())

    def observe(self, seen: Observation, *, age: float) -> None:
        """Take over what the headers of an answer say."""
        with self._opened() as state:
            state.observe(seen, age=age, limits=self._limits, now=self._clock())

    def status(self) -> Status:
        """Return what the book says now."""
        with self._opened() as state:
            return state.status(self._limits, self._clock())

    def _poll(self, state: State, request: Request) -> QueuePosition:
        # The clock is read under the lock: times in the book never run backwards.
        return state.poll(
            request, owner=owners.this_process(), limits=self._limits, now=self._clock(), is_alive=owners.is_alive
        )


class MemoryLedger(StateLedger):
    """A ledger that the threads of this process share, and nobody else: a fork starts its own."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = owners.seconds_since_boot) -> None:
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
