"""One question to the service: under the budget, in time, again where that can help, and never where it cannot."""

from __future__ import annotations

import random
import re
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pytest_refinery.analysts.model import models, replies
from pytest_refinery.analysts.model.service_errors import (
    AccountRejected,
    ConnectionFailed,
    NotFound,
    RateLimited,
    RequestRejected,
    TransientError,
    UnsupportedParameter,
)
from pytest_refinery.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from threading import Event

    from pytest_refinery.analysis.ports import Job, TokenBudget, TokenEstimator
    from pytest_refinery.analysts.model.models import Abilities
    from pytest_refinery.analysts.model.queries import Query
    from pytest_refinery.analysts.model.replies import Answered, Reply
    from pytest_refinery.analysts.model.service_errors import ServiceError

# Seconds that an answer may take; and what is kept back of the time for a job, to say why it came to nothing.
_FOR_AN_ANSWER = 120.0
_LAST_WORDS = 0.5
_MOST_TROUBLES = 4
_MOST_REFUSALS = 10
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 20.0
_REQUESTED = re.compile(r"\bRequested:? (\d+)", re.ASCII)


class Service(Protocol):
    """What is needed of a service."""

    def respond(self, request: Mapping[str, object], *, timeout: float) -> Answered:
        """Ask for a response; raises ``ServiceError``."""
        ...

    def models(self) -> list[str]:
        """Return the names of all models; raises ``ServiceError``."""
        ...


@dataclass(frozen=True)
class _Cost:
    """What a request is thought to cost: its input by our own count, and what is reserved for it."""

    counted: int
    max_output_tokens: int
    reserved: int


@dataclass
class _Receipt:
    """What came of a request that was granted."""

    reply: Reply | None = None

    @property
    def input_tokens(self) -> int:
        return self.reply.input_tokens if self.reply else 0

    @property
    def output_tokens(self) -> int:
        return self.reply.output_tokens if self.reply else 0


class RateLimitedClient:
    """Asks a service questions; may be used from any thread.

    Args:
        service: Returns the service, connected.
        sleep: Waits so many seconds, or until the event is set.
        jitter: Returns the share of a pause that is really made, 0.5 to 1.
    """

    def __init__(
        self,
        service: Callable[[], Service],
        budget: TokenBudget,
        estimates: TokenEstimator,
        *,
        sleep: Callable[[float, Event], object] | None = None,
        jitter: Callable[[], float] = lambda: random.uniform(0.5, 1.0),  # noqa: S311  (spreads retries)
    ) -> None:
        self._service = service
        self._budget = budget
        self._estimates = estimates
        self._sleep = sleep or _sleep
        self._jitter = jitter
        self._lock = threading.Lock()
        self._abilities: dict[str, Abilities] = {}
        self._closed: AccountRejected | None = None
        self._is_out_of_reach = False

    @property
    def largest_request(self) -> int:
        """The tokens that one request may cost at most."""
        return self._budget.largest_request

    def ask(self, query: Query, job: Job) -> Reply:
        """Return the answer to ``query``.

        Raises:
            AnalysisError: There is none: a ``BudgetError`` where it was not granted, else ``ServiceError``.
        """
        refusals = troubles = 0
        while True:
            if self._closed is not None:
                raise self._closed
            try:
                return self._ask_once(query, job, attempt=refusals)
            except UnsupportedParameter as error:
                self._do_without(query.model, error, job)
            except RateLimited as error:
                refusals += 1
                if refusals >= _MOST_REFUSALS:
                    msg = f"{error} It was asked {refusals} times."
                    raise RequestRejected(msg, error.details) from error
            except TransientError as error:
                troubles += 1
                if self._gives_up_after(troubles, error) or not self._paused(troubles, error, job):
                    raise

    def _ask_once(self, query: Query, job: Job, *, attempt: int) -> Reply:
        body = query.body(self._abilities_of(query.model))
        cost = self._cost(query, int(body["max_output_tokens"]))
        try:
            with self._granted(query, cost, job) as receipt:
                reply = receipt.reply = self._answer(query, body, job)
        except RateLimited as refusal:
            self._take_note(refusal, cost, attempt)
            raise
        self._is_out_of_reach = False
        self._estimates.learn(
            query.stage,
            counted=cost.counted,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            max_output_tokens=cost.max_output_tokens,
        )
        return reply

    @contextmanager
    def _granted(self, query: Query, cost: _Cost, job: Job) -> Iterator[_Receipt]:
        """Hold the tokens for a request, and settle what it cost."""
        lease = self._budget.reserve(cost.reserved, timeout=_time_for(job), cancelled=job.cancelled)
        job.waited(query.stage, lease.seconds_waited)
        receipt = _Receipt()
        # A service that has read a request charges it, whatever becomes of the answer.
        tokens = cost.counted
        try:
            yield receipt
        except (RateLimited, RequestRejected, ConnectionFailed):
            tokens = 0
            raise
        finally:
            lease.settle(tokens if receipt.reply is None else receipt.input_tokens + receipt.output_tokens)
            job.spent(query.stage, input_tokens=receipt.input_tokens, output_tokens=receipt.output_tokens)

    def _answer(self, query: Query, body: Mapping[str, object], job: Job) -> Reply:
        try:
            answered = self._service().respond(body, timeout=min(_FOR_AN_ANSWER, _time_for(job)))
        except NotFound as error:
            if error.details.code != "model_not_found":
                raise
            raise self._close(self._about_model(query.model)) from error
        except AccountRejected as error:
            raise self._close(error) from error
        self._budget.observe(answered.headers)
        return replies.read(answered.body)

    def _cost(self, query: Query, max_output_tokens: int) -> _Cost:
        counted = query.input_tokens
        reserved = self._estimates.expected(query.stage, input_tokens=counted, max_output_tokens=max_output_tokens)
        return _Cost(counted, max_output_tokens, reserved)

    def _take_note(self, refusal: RateLimited, cost: _Cost, attempt: int) -> None:
        """Tell the budget of a 429; the next reservation waits as long as it says."""
        said = refusal.details
        requested = _REQUESTED.search(said.message)
        if requested is not None:
            self._estimates.learn_refusal(
                counted=cost.counted, max_output_tokens=cost.max_output_tokens, requested=int(requested[1])
            )
        if self._budget.refused(said.headers, said.message, code=said.code, attempt=attempt) is None:
            msg = f"{refusal} No waiting helps: make the groups smaller (REFINERY_GROUP_TOKENS)."
            raise RequestRejected(msg, said) from refusal

    def _abilities_of(self, model: str) -> Abilities:
        with self._lock:
            return self._abilities.setdefault(model, models.abilities(model))

    def _do_without(self, model: str, error: UnsupportedParameter, job: Job) -> None:
        """Leave the parameter out from now on that the service does not accept."""
        with self._lock:
            known = self._abilities[model]
            param = error.details.param
            if param == "temperature" and known.takes_temperature:
                self._abilities[model] = replace(known, takes_temperature=False)
            elif param.startswith("reasoning") and known.effort is not None:
                self._abilities[model] = replace(known, effort=None)
            elif param not in {"temperature", "reasoning", "reasoning.effort"}:
                raise error
        job.note(f"The model {model} does not accept {param}: it was asked without.")

    def _gives_up_after(self, troubles: int, error: TransientError) -> bool:
        """Tell whether another attempt is in vain: a service out of reach is tried patiently by one request only."""
        if troubles >= _MOST_TROUBLES:
            self._is_out_of_reach = isinstance(error, ConnectionFailed)
        return troubles >= _MOST_TROUBLES or self._is_out_of_reach

    def _paused(self, troubles: int, error: ServiceError, job: Job) -> bool:
        """Make a pause before the next attempt; tell whether there is time for one."""
        asked_for = _seconds(error.details.headers.get("retry-after", ""))
        pause = asked_for or self._jitter() * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**troubles)
        if pause >= _time_for(job) or job.cancelled.is_set():
            return False
        self._sleep(pause, job.cancelled)
        return True

    def _about_model(self, model: str) -> AccountRejected:
        names: list[str] = []
        with suppress(TransientError, RequestRejected, RateLimited):
            names = self._service().models()
        meant = did_you_mean(model, names)
        msg = f"The service has no model {model!r} for this key.{meant} Set --refinery-model or REFINERY_MODEL."
        return AccountRejected(msg)

    def _close(self, error: AccountRejected) -> AccountRejected:
        """Ask nothing more: the answer would be the same."""
        with self._lock:
            self._closed = self._closed or error
            return self._closed


def _time_for(job: Job) -> float:
    return max(0.05, job.seconds_left() - _LAST_WORDS)


def _seconds(text: str) -> float | None:
    try:
        return max(0.0, float(text))
    except ValueError:
        return None


def _sleep(seconds: float, until: Event) -> None:
    until.wait(seconds)
