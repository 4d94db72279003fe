"""A ledger that goes on with another one while the first cannot be reached."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from pytest_refinery.budget.ledger import LedgerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.budget.ledger import Ledger, Memory, QueuePosition, Request, Status
    from pytest_refinery.rate_limit_headers import Observation

T = TypeVar("T")
_AGAIN_AFTER = 15.0


class FallbackLedger:
    """Keeps the book in ``first``; while that cannot be reached in ``second``, and then in ``first`` again.

    What one had granted in the last minute is carried on in the other, both ways.

    Args:
        tell: Called with a sentence for the user on each change.
        meanwhile: What using ``second`` means, as the end of that sentence.
        clock: Seconds that only rise.
    """

    def __init__(
        self,
        first: Ledger,
        second: Ledger,
        *,
        tell: Callable[[str], None],
        meanwhile: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = first
        self._second = second
        self._tell = tell
        self._meanwhile = meanwhile
        self._clock = clock
        self._lock = threading.Lock()
        self._again_at: float | None = None
        self._home: dict[str, Ledger] = {}

    def poll(self, request: Request) -> QueuePosition:
        """Let the request join the queue or keep its place; grant it when its time has come."""
        return self._ask(lambda ledger: self._poll_in(ledger, request))

    def settle(self, request_id: str, tokens: int, *, seconds: float | None = None) -> None:
        """Correct a granted request to what it really cost."""
        self._end(request_id, lambda ledger: ledger.settle(request_id, tokens, seconds=seconds))

    def withdraw(self, request_id: str) -> None:
        """Take a request out of the queue, or out of what was granted."""
        self._end(request_id, lambda ledger: ledger.withdraw(request_id))

    def finish(self, work: str) -> None:
        """Take a piece of work out of those that have begun."""
        self._ask(lambda ledger: ledger.finish(work))

    def charge(self, tokens: int, requests: int) -> None:
        """Book what was used without asking."""
        self._ask(lambda ledger: ledger.charge(tokens, requests))

    def limited(self, seconds: float) -> None:
        """Grant nothing for so long."""
        self._ask(lambda ledger: ledger.limited(seconds))

    def observe(self, seen: Observation, *, age: float) -> None:
        """Take over what the headers of an answer say."""
        self._ask(lambda ledger: ledger.observe(seen, age=age))

    def status(self) -> Status:
        """Return what the book in use says."""
        return self._ask(lambda ledger: ledger.status())

    def reset(self) -> None:
        """Forget everything, in both books."""
        self._second.reset()
        self._ask(lambda ledger: ledger.reset())

    def memory(self) -> Memory | None:
        """Return the book in use as this process saw it last."""
        return (self._first if self._again_at is None else self._second).memory()

    def take_over(self, memory: Memory) -> None:
        """Go on where another book ended."""
        self._ask(lambda ledger: ledger.take_over(memory))

    def _poll_in(self, ledger: Ledger, request: Request) -> QueuePosition:
        home = self._home.get(request.id)
        # Places are numbers of one ledger.
        position = ledger.poll(request if home is ledger else replace(request, place=None))
        self._home[request.id] = ledger
        if home is self._second and ledger is self._first:
            self._second.withdraw(request.id)
        return position

    def _ask(self, question: Callable[[Ledger], T]) -> T:
        if self._again_at is not None and self._clock() < self._again_at:
            return question(self._second)
        try:
            self._return()
            return question(self._first)
        except LedgerUnavailableError as error:
            self._leave(error)
            return question(self._second)

    def _end(self, request_id: str, end: Callable[[Ledger], None]) -> None:
        """End a request where it was granted, and where that was carried on."""
        home = self._home.pop(request_id, self._first)
        if home is self._first and self._again_at is None:
            self._end_in_first(end)
            return
        end(self._second)
        if self._again_at is None:
            self._end_in_first(end)

    def _end_in_first(self, end: Callable[[Ledger], None]) -> None:
        try:
            end(self._first)
        except LedgerUnavailableError as error:
            self._leave(error)
            end(self._second)

    def _leave(self, error: LedgerUnavailableError) -> None:
        with self._lock:
            is_news = self._again_at is None
            self._again_at = self._clock() + _AGAIN_AFTER
            memory = self._first.memory()
            if is_news and memory:
                self._second.take_over(memory)
        if is_news:
            self._tell(f"The shared token budget is out of reach: {error}. {self._meanwhile}")

    def _return(self) -> None:
        with self._lock:
            if self._again_at is None:
                return
            # A fresh look: others of this machine were granted something, too.
            self._second.charge(0, 0)
            memory = self._second.memory()
            if memory:
                self._first.take_over(memory)
            self._again_at = None
        self._tell("The shared token budget is in use again.")
