"""The token budget: waits for the ledger to grant a request, and says so when it takes long."""

from __future__ import annotations

import math
import os
import secrets
import threading
import time
from bisect import insort
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pytest_refinery import rate_limit_headers
from pytest_refinery.budget import messages
from pytest_refinery.budget.ledger import Request
from pytest_refinery.budget.ledger_state import LONGEST_CLOSURE
from pytest_refinery.errors import BudgetError, RequestTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from threading import Event

    from pytest_refinery.analysis.ports import Work
    from pytest_refinery.budget.ledger import Ledger, QueuePosition, Status
    from pytest_refinery.budget.session_cap import SessionTokenCap

# So many threads of a process look: more would see nothing else, fewer might miss that theirs fits beside the first.
_LOOKING = 3
# Seconds of waiting after which the user is told, and again after each as long.
# Shorter waits cost no time that matters.
_WORTH_SAYING = 1.0
_NOTICE = 5.0
# Seconds after which one who stands behind another thread sees that it was cancelled.
_GLANCE = 0.2


class GrantedLease:
    """A request that may be sent now."""

    def __init__(
        self,
        ledger: Ledger,
        request_id: str,
        seconds_waited: float,
        settled: Callable[[int], None],
        assumed_limit: int | None = None,
    ) -> None:
        self._ledger = ledger
        self._request_id = request_id
        self._seconds_waited = seconds_waited
        self._settled = settled
        self._assumed_limit = assumed_limit

    @property
    def seconds_waited(self) -> float:
        """How long the request stood in the queue."""
        return self._seconds_waited

    @property
    def assumed_limit(self) -> int | None:
        """The tokens per minute that it waited for and that were only assumed; ``None`` where it waited for none."""
        return self._assumed_limit

    def settle(self, tokens: int, *, seconds: float | None = None) -> None:
        """Say what the request really cost, and how long ago it was sent."""
        self._ledger.settle(self._request_id, tokens, seconds=seconds)
        self._settled(tokens)


class SharedBudget:
    """The port ``TokenBudget`` over a ledger.

    Args:
        ledger: The book that all processes share.
        tell: Called with a sentence for the user while a request waits long.
        tell_time_left: Called then with how long all that waits will take, ``""`` where the limit is only assumed.
        meter: Called with the tokens of each request that was settled.
        cap: Of the session, ``None`` where it has none.
        clock: Seconds that only rise.
        sleep: Waits so many seconds, or until the event is set.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        tell: Callable[[str], None],
        tell_time_left: Callable[[str], None] = lambda _: None,
        meter: Callable[[int], None] = lambda _: None,
        cap: SessionTokenCap | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float, Event], object] | None = None,
    ) -> None:
        self._ledger = ledger
        self._tell = tell
        self._tell_time_left = tell_time_left
        self._meter = meter
        self._cap = cap
        self._clock = clock
        self._sleep = sleep or _sleep
        self._queue = InProcessQueue()
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
        self,
        tokens: int,
        requests: int = 1,
        *,
        work: Work | None = None,
        again: Callable[[], int] | None = None,
        timeout: float | None = None,
        cancelled: Event | None = None,
    ) -> GrantedLease:
        """Wait until ``tokens`` fit under the limit and it is this request's turn; return the lease.

        Raises:
            RequestTooLargeError: The request is larger than the limit, so it would wait for ever.
            CeilingReachedError: The session may not use so many tokens more.
            BudgetError: It was not granted within ``timeout`` seconds, or ``cancelled`` was set meanwhile.
        """
        if self._cap:
            self._cap.take(tokens)
        request = _request(tokens, requests, work)
        wait = _Wait(self._clock, timeout, cancelled or threading.Event())
        try:
            position = self._ledger.poll(request)
            if not position.is_granted:
                self._queue_up(wait, replace(request, place=position.place), position, again)
        except BaseException:
            # Also for Ctrl-C and for the timeouts of test runners: no one waits behind a ticket that is given up.
            if self._cap:
                self._cap.give_back(tokens)
            self._ledger.withdraw(request.id)
            raise
        finally:
            self._seconds_waited += wait.seconds
        self._queue.begin(request.work)
        status = self._ledger.status() if wait.seconds >= _WORTH_SAYING else None
        assumed = status.limit_tokens if status is not None and status.is_assumed else None
        settled = partial(self._settled, reserved=tokens)
        return GrantedLease(self._ledger, request.id, wait.seconds, settled, assumed)

    def _settled(self, tokens: int, *, reserved: int) -> None:
        if self._cap:
            self._cap.give_back(reserved - tokens)
        self._meter(tokens)

    def finish(self, work_id: str) -> None:
        """Say that no request will follow for a work."""
        self._queue.end(work_id)
        self._ledger.finish(work_id)

    def foreseen_wait(self, tokens: int) -> float:
        """Return in how many seconds ``tokens`` more could all have been granted, after what has begun or waits now."""
        return _foreseen_wait(self._ledger.status(), tokens)

    def refused(self, headers: Mapping[str, str], message: str, *, code: str = "", attempt: int = 0) -> float | None:
        """Take note of a 429; return the seconds that all now hold back, or ``None`` where no retry can help."""
        refusal = rate_limit_headers.refusal(headers, message, code)
        observed = rate_limit_headers.observation(headers)
        self._ledger.observe(replace(observed, limit_tokens=observed.limit_tokens or refusal.limit), age=0.0)
        if refusal.is_final:
            return None
        asked = _pause(attempt) if refusal.retry_after is None else refusal.retry_after
        wait = min(asked, LONGEST_CLOSURE)
        self._ledger.limited(wait)
        return wait

    def observe(self, headers: Mapping[str, str], *, age_seconds: float = 0.0) -> None:
        """Learn the limit, and what others have used, from the headers of an answer sent ``age_seconds`` ago."""
        self._ledger.observe(rate_limit_headers.observation(headers), age=age_seconds)

    def _queue_up(
        self, wait: _Wait, request: Request, position: QueuePosition, again: Callable[[], int] | None
    ) -> None:
        """Wait in the queue until the request is granted."""
        with self._queue.enter(position.place, request.work) as may_look:
            while not position.is_granted:
                self._check(wait, request, position)
                if may_look.is_set():
                    self._report(wait, request, position)
                    self._sleep(min(position.look_in, wait.seconds_left), wait.cancelled)
                    request = replace(request, tokens=again()) if again else request
                    position = self._ledger.poll(request)
                else:
                    self._sleep(min(_GLANCE, wait.seconds_left), may_look)
                    position = self._ledger.poll(request) if may_look.is_set() else position

    def _check(self, wait: _Wait, request: Request, position: QueuePosition) -> None:
        """Give up where there is nothing to wait for any more."""
        if position.too_large_for is not None:
            raise RequestTooLargeError(messages.too_large(request.tokens, position.too_large_for))
        if wait.cancelled.is_set():
            msg = f"The request for {request.tokens:,} tokens was given up while it waited for the token budget."
            raise BudgetError(msg)
        if wait.seconds_left <= 0:
            raise BudgetError(messages.timed_out(request.tokens, wait.seconds, self._ledger.status()))

    def _report(self, wait: _Wait, request: Request, position: QueuePosition) -> None:
        if wait.is_notice_due():
            status = self._ledger.status()
            self._tell(messages.waiting(request.tokens, wait.seconds + position.start_in, status))
            self._tell_time_left(messages.time_left(_foreseen_wait(status), status))


def _foreseen_wait(status: Status, tokens: int = 0) -> float:
    windows = (status.used_tokens + status.foreseen_tokens + tokens) / status.limit_tokens
    # Where the limit is a sliding minute, a part of a window may have to wait for a whole one.
    whole = windows if status.algorithm == "bucket" else math.ceil(windows)
    return status.closed_for + max(0.0, whole - 1) * status.minute


def _request(tokens: int, requests: int, work: Work | None) -> Request:
    request = Request(secrets.token_hex(6), tokens, requests)
    if work is None:
        return request
    return replace(
        request, work=work.id, kind=work.kind, stage=str(work.stage), remaining_tokens=max(0, work.remaining_tokens)
    )


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


def _pause(attempt: int) -> float:
    return rate_limit_headers.spread() * rate_limit_headers.back_off(attempt, first=1.0, longest=60.0)


class _Waiter(NamedTuple):
    place: int
    order: int
    work: str
    may_look: Event


class InProcessQueue:
    """Lets only some of the waiting threads of this process look into the ledger, in the order in which it goes.

    A request that is behind several others of this process will hardly be granted before them, so its thread need not
    look: a thousand threads cost what a few do.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []
        self._entered = 0
        self._begun: set[str] = set()

    @contextmanager
    def enter(self, place: int, work: str = "") -> Iterator[Event]:
        """Wait in the queue; yield what is set as soon as few threads of this process are ahead."""
        if os.getpid() != self._process:
            # A fork: the threads that waited here are the parent's.
            self._begin()
        with self._lock:
            self._entered += 1
            waiter = _Waiter(place, self._entered, work, threading.Event())
            insort(self._waiters, waiter)
            self._call_first()
        try:
            yield waiter.may_look
        finally:
            with self._lock:
                self._waiters = [other for other in self._waiters if other is not waiter]
                self._call_first()

    def begin(self, work: str) -> None:
        """Let the requests of a work go first from now on."""
        with self._lock:
            if work:
                self._begun.add(work)
            self._call_first()

    def end(self, work: str) -> None:
        """Take note that no request of a work will follow."""
        with self._lock:
            self._begun.discard(work)

    def _call_first(self) -> None:
        in_order = sorted(self._waiters, key=lambda waiter: waiter.work not in self._begun)
        for waiter in in_order[:_LOOKING]:
            waiter.may_look.set()
