"""The token budget: waits for the ledger to grant a request, and says so when it takes long."""

from __future__ import annotations

import math
import random
import secrets
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_refinery.budget import answers, wording
from pytest_refinery.budget.ledger import Request
from pytest_refinery.budget.line import Line
from pytest_refinery.errors import BudgetError, RequestTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event

    from pytest_refinery.budget.ledger import Ledger, Step

# Seconds of waiting after which the user is told, and again after each as long.
_NOTICE = 5.0
# Seconds after which one who stands behind another thread sees that it was cancelled.
_GLANCE = 0.2
_FIRST_BACK_OFF = 1.0
_LAST_BACK_OFF = 60.0


class GrantedLease:
    """A request that may be sent now."""

    def __init__(self, ledger: Ledger, request_id: str, seconds_waited: float, meter: Callable[[int], None]) -> None:
        self._ledger = ledger
        self._request_id = request_id
        self._seconds_waited = seconds_waited
        self._meter = meter

    @property
    def seconds_waited(self) -> float:
        """How long the request stood in the queue."""
        return self._seconds_waited

    def settle(self, tokens: int) -> None:
        """Say what the request really cost, input and output together; 0 for one that was refused."""
        self._ledger.settle(self._request_id, tokens)
        self._meter(tokens)

    def cancel(self) -> None:
        """Give everything back: the request was never sent."""
        self._ledger.withdraw(self._request_id)


class SharedBudget:
    """The port ``TokenBudget`` over a ledger.

    Args:
        ledger: The book that all processes share.
        tell: Called with a sentence for the user while a request waits long.
        meter: Called with the tokens of each request that was settled.
        clock: Seconds that only rise.
        sleep: Waits so many seconds, or until the event is set.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        tell: Callable[[str], None],
        meter: Callable[[int], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float, Event], object] | None = None,
    ) -> None:
        self._ledger = ledger
        self._tell = tell
        self._meter = meter
        self._clock = clock
        self._sleep = sleep or _sleep
        self._line = Line()
        self._seconds_waited = 0.0

    @property
    def seconds_waited(self) -> float:
        """How long requests of this process have waited, all together."""
        return self._seconds_waited

    @property
    def largest_request(self) -> int:
        """The tokens that one request may cost at most."""
        return self._ledger.status().limit_tokens

    def reserve(
        self, tokens: int, requests: int = 1, *, timeout: float | None = None, cancelled: Event | None = None
    ) -> GrantedLease:
        """Wait until ``tokens`` fit under the limit, after everybody who asked before; return the lease.

        Raises:
            RequestTooLargeError: The request is larger than the limit, so it would wait for ever.
            BudgetError: It was not granted within ``timeout`` seconds, or ``cancelled`` was set meanwhile.
        """
        request = Request(secrets.token_hex(6), tokens, requests)
        wait = _Wait(self._clock, timeout, cancelled or threading.Event())
        try:
            step = self._ledger.step(request)
            if not step.is_granted:
                self._stand(wait, replace(request, place=step.place), step)
        except BaseException:
            # Also for Ctrl-C and for the timeouts of test runners: nobody waits behind a ticket that is given up.
            self._ledger.withdraw(request.id)
            raise
        finally:
            self._seconds_waited += wait.seconds
        return GrantedLease(self._ledger, request.id, wait.seconds, self._meter)

    def limited(self, retry_after: float) -> None:
        """Hold every process back for so many seconds: the service refused a request."""
        self._ledger.limited(retry_after)

    def refused(self, headers: Mapping[str, str], message: str, *, code: str = "", attempt: int = 0) -> float | None:
        """Take note of a 429; return the seconds that all now hold back, or ``None`` where no retry can help."""
        refusal = answers.refusal(headers, message, code)
        observed = answers.observation(headers)
        self._ledger.observe(replace(observed, limit_tokens=observed.limit_tokens or refusal.limit), age=0.0)
        if refusal.is_final:
            return None
        wait = _back_off(attempt) if refusal.retry_after is None else refusal.retry_after
        self._ledger.limited(wait)
        return wait

    def observe(self, headers: Mapping[str, str], *, age_seconds: float = 0.0) -> None:
        """Learn the limit, and what others have used, from the headers of an answer sent ``age_seconds`` ago."""
        self._ledger.observe(answers.observation(headers), age=age_seconds)

    def _stand(self, wait: _Wait, request: Request, step: Step) -> None:
        """Stand in line until the request is granted."""
        with self._line.joined(step.place) as is_first:
            while not step.is_granted:
                self._heed(wait, request, step)
                if is_first.is_set():
                    self._say(wait, request, step)
                    self._sleep(min(step.look_in, wait.seconds_left), wait.cancelled)
                    step = self._ledger.step(request)
                else:
                    self._sleep(min(_GLANCE, wait.seconds_left), is_first)
                    step = self._ledger.step(request) if is_first.is_set() else step

    def _heed(self, wait: _Wait, request: Request, step: Step) -> None:
        """Give up where there is nothing to wait for any more."""
        if step.too_large_for is not None:
            raise RequestTooLargeError(wording.too_large(request.tokens, step.too_large_for))
        if wait.cancelled.is_set():
            msg = f"The request for {request.tokens:,} tokens was given up while it waited for the token budget."
            raise BudgetError(msg)
        if wait.seconds_left <= 0:
            raise BudgetError(wording.timed_out(request.tokens, wait.seconds, self._ledger.status()))

    def _say(self, wait: _Wait, request: Request, step: Step) -> None:
        if wait.is_notice_due():
            self._tell(wording.waiting(request.tokens, wait.seconds + step.start_in, self._ledger.status()))


class _Wait:
    """How long a request has waited, and may."""

    def __init__(self, clock: Callable[[], float], timeout: float | None, cancelled: Event) -> None:
        self.cancelled = cancelled
        self._clock = clock
        self._timeout = float("inf") if timeout is None else timeout
        self._began = clock()
        self._next_notice = _NOTICE

    @property
    def seconds(self) -> float:
        return self._clock() - self._began

    @property
    def seconds_left(self) -> float:
        return self._timeout - self.seconds

    def is_notice_due(self) -> bool:
        """Tell whether the user should hear of it; once for each stretch of time."""
        is_due = self.seconds >= self._next_notice
        if is_due:
            self._next_notice *= 2
        return is_due


def _sleep(seconds: float, until: Event) -> None:
    until.wait(seconds)


def _back_off(attempt: int) -> float:
    longest = min(_LAST_BACK_OFF, math.ldexp(_FIRST_BACK_OFF, attempt))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  (spreads retries, guards nothing)
