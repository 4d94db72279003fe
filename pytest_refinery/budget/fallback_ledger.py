"""A ledger that goes on with another one while the first cannot be reached."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from pytest_refinery.budget.ledger import LedgerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.budget.ledger import Ledger, QueuePosition, Request, Status
    from pytest_refinery.rate_limit_headers import Observation

T = TypeVar("T")
_AGAIN_AFTER = 15.0


@dataclass(frozen=True)
class _Grant:
    """What the second ledger has granted to this process."""

    at: float
    tokens: int
    requests: int


class FallbackLedger:
    """Keeps the book in ``first``; while that cannot be reached in ``second``, and then in ``first`` again.

    What this process was granted meanwhile is booked in ``first`` on the return.

    Args:
        tell: Called with a sentence for the user on each change.
        meanwhile: What using ``second`` means, as the end of that sentence.
        minute: Seconds for which a granted request counts.
        clock: Seconds that only rise.
    """

    def __init__(
        self,
        first: Ledger,
        second: Ledger,
        *,
        tell: Callable[[str], None],
        meanwhile: str,
        minute: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = first
        self._second = second
        self._tell = tell
        self._meanwhile = meanwhile
        self._minute = minute
        self._clock = clock
        self._lock = threading.Lock()
        self._again_at: float | None = None
        self._home: dict[str, Ledger] = {}
        self._granted: dict[str, _Grant] = {}

    def poll(self, request: Request) -> QueuePosition:
        """Let the request join the queue or keep its place; grant it when its time has come."""
        return self._ask(lambda ledger: self._step_in(ledger, request))

    def settle(self, request_id: str, tokens: int) -> None:
        """Correct a granted request to what it really cost."""
        home = self._home.pop(request_id, self._first)
        if grant := self._granted.get(request_id):
            self._granted[request_id] = replace(grant, tokens=tokens)
        self._ask_if_reached(home, lambda: home.settle(request_id, tokens))

    def withdraw(self, request_id: str) -> None:
        """Take a request out of the queue, or out of what was granted."""
        home = self._home.pop(request_id, self._first)
        self._granted.pop(request_id, None)
        self._ask_if_reached(home, lambda: home.withdraw(request_id))

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

    def _step_in(self, ledger: Ledger, request: Request) -> QueuePosition:
        home = self._home.get(request.id)
        # Places are numbers of one ledger.
        step = ledger.poll(request if home is ledger else replace(request, place=None))
        self._home[request.id] = ledger
        if home is self._second and ledger is self._first:
            self._second.withdraw(request.id)
        if step.is_granted and ledger is self._second:
            self._granted[request.id] = _Grant(self._clock(), request.tokens, request.requests)
        return step

    def _ask(self, question: Callable[[Ledger], T]) -> T:
        if self._again_at is not None and self._clock() < self._again_at:
            return question(self._second)
        try:
            self._return()
            return question(self._first)
        except LedgerUnavailableError as error:
            self._leave(error)
            return question(self._second)

    def _ask_if_reached(self, home: Ledger, question: Callable[[], None]) -> None:
        if home is self._first and self._again_at is not None:
            return
        try:
            question()
        except LedgerUnavailableError as error:
            self._leave(error)

    def _leave(self, error: LedgerUnavailableError) -> None:
        with self._lock:
            is_news = self._again_at is None
            self._again_at = self._clock() + _AGAIN_AFTER
        if is_news:
            self._tell(f"The shared token budget is out of reach: {error}. {self._meanwhile}")

    def _return(self) -> None:
        with self._lock:
            if self._again_at is None:
                return
            since = self._clock() - self._minute
            live = [grant for grant in self._granted.values() if grant.at > since]
            self._first.charge(sum(grant.tokens for grant in live), sum(grant.requests for grant in live))
            self._granted.clear()
            self._again_at = None
        self._tell("The shared token budget is in use again.")
