"""What the ledgers that keep their state in Python have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from pytest_refinery.budget import clocks, owners

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from pytest_refinery.budget.ledger import Request, Status, Step
    from pytest_refinery.budget.ledger_state import State
    from pytest_refinery.budget.limits import Limits, Observation


class StateLedger(ABC):
    """A ledger whose every method is one transition of a state that nobody else touches meanwhile."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = clocks.seconds_since_boot) -> None:
        self._limits = limits
        self._clock = clock

    @abstractmethod
    def _opened(self) -> AbstractContextManager[State]:
        """Return the state, locked; what has changed is kept at the end."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything."""

    def step(self, request: Request) -> Step:
        """Let the request join the queue or keep its place; grant it when its time has come."""
        with self._opened() as state:
            return self._step(state, request)

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

    def _step(self, state: State, request: Request) -> Step:
        # The clock is read under the lock: times in the book never run backwards.
        return state.step(
            request, owner=owners.this_process(), limits=self._limits, now=self._clock(), is_alive=owners.is_alive
        )
