"""One question to a model: under the budget, in time, again where that can help, and never where it cannot.

Every repetition has a bound: a parameter is dropped once, a refusal waits and a failure pauses a few times, and each
looks at the time that is left and at whether somebody still waits for the answer.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery import rate_limit_headers
from pytest_refinery.analysis.ports import Stage, Work
from pytest_refinery.analysts.model import models
from pytest_refinery.analysts.model.circuit_breaker import CircuitBreaker
from pytest_refinery.analysts.model.replies import Usage
from pytest_refinery.analysts.model.service_errors import (
    AccountRejected,
    ConnectionFailed,
    ContextOverflow,
    RateLimited,
    RequestRejected,
    ServiceError,
    TransientError,
    UnknownModel,
    UnsupportedParameter,
)
from pytest_refinery.digest import tokens
from pytest_refinery.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from threading import Event

    from pytest_refinery.analysis.ports import Job, TokenBudget, TokenEstimator
    from pytest_refinery.analysts.model.model_clients import Connection, Response
    from pytest_refinery.analysts.model.models import Abilities
    from pytest_refinery.analysts.model.queries import Query
    from pytest_refinery.analysts.model.replies import Reply

# Kept back of the time for a job, to say why it came to nothing.
_CLEANUP_MARGIN_SECONDS = 0.5
_MOST_REFUSALS = 6
_FIRST_PAUSE = 0.5
# A LiteLLM proxy corrects its count beside the answer, not before it: seconds measured on a busy machine.
_GIVEN_BACK_AFTER = 0.5
_LONGEST_PAUSE = 20.0
_SHOWN_MODELS = 5
_LIMIT = "x-ratelimit-limit-tokens"
_WORKS = {Stage.JUDGE: "judge", Stage.SUMMARY: "summary", Stage.REPLAY: "replay"}


@dataclass(frozen=True)
class _Cost:
    """What a request is thought to cost: its input by our own count, and what is reserved for it."""

    counted: int
    max_output_tokens: int
    reserved: int


@dataclass
class _Receipt:
    """What came of a request that was granted."""

    usage: Usage | None = None
    seconds: float | None = None


class RateLimitedClient:
    """Asks a model questions; may be used from any thread.

    Args:
        connection: Asks once.
        effort: How hard the model shall think, where the user has said so.
        unlimited: The tokens per minute of a service that says no limit with its answers; ``None`` to assume one.
        assumed: The tokens per minute that the budget goes by until an answer says the limit, 0 where it is set;
            ``None`` to reserve for the first requests no more than for others.
        sleep: Waits so many seconds, or until the event is set.
        jitter: Returns the share of a pause that is really made, 0.5 to 1.
    """

    def __init__(  # noqa: PLR0913  (by keyword, most of them for tests)
        self,
        connection: Connection,
        budget: TokenBudget,
        estimates: TokenEstimator,
        *,
        effort: str | None = None,
        unlimited: int | None = None,
        assumed: int | None = None,
        sleep: Callable[[float, Event], object] | None = None,
        jitter: Callable[[], float] = rate_limit_headers.spread,
    ) -> None:
        self._connection = connection
        self._budget = budget
        self._estimates = estimates
        self._effort = effort
        self._unlimited = unlimited
        self._assumed = assumed
        self._is_first = True
        self._sleep = sleep or _sleep
        self._jitter = jitter
        self._lock = threading.Lock()
        self._abilities: dict[str, Abilities] = {}
        self._context: int | None = None
        self._breaker = CircuitBreaker()

    @property
    def largest_request(self) -> int:
        """The tokens that one request may cost at most: by the limit, and by what the model can read."""
        return min(self._budget.largest_request, self._context or self._budget.largest_request)

    def ask(self, query: Query, job: Job) -> Reply:
        """Return the answer to ``query``.

        Raises:
            AnalysisError: There is none: a ``BudgetError`` where it was not granted, else ``ServiceError``.
        """
        try:
            return self._answer(query, job)
        finally:
            if notice := self._breaker.notice():
                job.note(notice)

    def _answer(self, query: Query, job: Job) -> Reply:
        refusals = failures = 0
        while True:
            self._breaker.check()
            try:
                return self._ask_once(query, job, attempt=refusals)
            except UnsupportedParameter as error:
                self._do_without(query.model, error, job)
            except RateLimited as error:
                refusals += 1
                if refusals >= _MOST_REFUSALS or _is_over(job):
                    raise self._given_up(error, refusals) from error
            except TransientError as error:
                failures += 1
                if not self._breaker.failed(error) or not self._paused(failures, error, job):
                    raise

    def finish(self, job: Job) -> None:
        """Say that nothing more is asked for a job."""
        self._budget.finish(job.id)

    def expected(self, query: Query) -> int:
        """Return the tokens that a question is thought to cost."""
        return self._cost(query, self.abilities_of(query.model)).reserved

    def abilities_of(self, model: str) -> Abilities:
        """Return how a model is asked, as far as is known by now."""
        with self._lock:
            return self._abilities.setdefault(model, models.abilities(model, effort=self._effort))

    def show_schema(self, model: str) -> None:
        """Show the schema of the answer from now on: the service has let something else through."""
        with self._lock:
            self._abilities[model] = replace(self._abilities[model], ignores_schema=True)

    def _ask_once(self, query: Query, job: Job, *, attempt: int) -> Reply:
        abilities = self.abilities_of(query.model)
        cost = self._cost(query, abilities)
        with suppress(ServiceError):
            # Loading an SDK takes half a second. After the grant, the request would arrive later than it is booked.
            self._connection.connect()
        try:
            with self._granted(query, cost, job) as receipt:
                response = self._sent(query, abilities, job)
                receipt.usage = usage = response.reply.usage or _counted(cost, response.reply)
                receipt.seconds = response.seconds
                self._learn_limit(response.headers, cost)
                if rate_limit_headers.reserves_output(response.headers):
                    # What was not used must not be granted to others before the proxy has given it back.
                    self._sleep(_GIVEN_BACK_AFTER, job.cancelled)
                    receipt.seconds = None if receipt.seconds is None else receipt.seconds + _GIVEN_BACK_AFTER
            # Now that the book has what it cost: an estimate above that would hide what the service counts besides.
            self._observe(response.headers)
        except RateLimited as refusal:
            self._unlimited = None
            self._take_note(refusal, cost, attempt)
            raise
        self._breaker.succeeded()
        self._learn(query, cost, usage)
        return replace(response.reply, usage=usage, fills_its_room=usage.output_tokens >= cost.max_output_tokens)

    @contextmanager
    def _granted(self, query: Query, cost: _Cost, job: Job) -> Iterator[_Receipt]:
        """Hold the tokens for a request, and settle what it cost."""
        work = Work(job.id, _WORKS.get(query.stage, "diagnosis"), query.stage, job.reserves(cost.reserved))
        timeout = job.wait_left(lambda: self._budget.foreseen_wait(cost.reserved + work.remaining_tokens))
        again = partial(self._reserved_now, query, cost.counted, cost.max_output_tokens)
        with job.waiting(query.stage):
            lease = self._budget.reserve(again(), work=work, again=again, timeout=timeout, cancelled=job.cancelled)
        receipt = _Receipt()
        if lease.assumed_limit is not None:
            job.note(
                f"Requests waited for a limit of {lease.assumed_limit:,} tokens per minute that is only assumed: the "
                "service names none. Set --refinery-tpm to that of the account."
            )
        # A service that has read a request charges it, whatever becomes of the answer.
        charged = cost.counted
        try:
            with job.asking():
                yield receipt
        except (RateLimited, RequestRejected, ConnectionFailed):
            charged = 0
            raise
        finally:
            found = receipt.usage or Usage(0, 0)
            lease.settle(found.tokens if receipt.usage else charged, seconds=receipt.seconds)
            job.spent(query.stage, input_tokens=found.input_tokens, output_tokens=found.output_tokens)

    def _sent(self, query: Query, abilities: Abilities, job: Job) -> Response:
        try:
            return self._connection.ask(query, abilities, job, timeout=_time_for(job))
        except UnknownModel as error:
            raise self._closed(self._about_model(query.model, error)) from error
        except AccountRejected as error:
            self._closed(error)
            raise
        except ContextOverflow as error:
            self._context = min(self._context or self._budget.largest_request, error.limit or _half_of(query))
            raise

    def _learn_limit(self, headers: Mapping[str, str], cost: _Cost) -> None:
        """Take over the limit and the way to count that the first answer shows, before the next request is granted."""
        is_first, self._is_first = self._is_first, False
        if is_first:
            self._learn_count(headers, cost, None)
        limit = rate_limit_headers.observation(headers).limit_tokens if self._assumed else None
        self._assumed = None
        if limit:
            self._budget.observe({_LIMIT: str(limit)})

    def _observe(self, headers: Mapping[str, str]) -> None:
        """Tell the budget what an answer says of the limit, or that a service without limits says none."""
        says_none = rate_limit_headers.observation(headers).limit_tokens is None
        unlimited, self._unlimited = self._unlimited, None
        self._budget.observe({_LIMIT: str(unlimited)} if unlimited and says_none else headers)

    def _cost(self, query: Query, abilities: Abilities) -> _Cost:
        counted, most = query.input_tokens(abilities), query.output_limit(abilities)
        return _Cost(counted, most, self._reserved(query, counted, most))

    def _reserved(self, query: Query, counted: int, most: int) -> int:
        return self._estimates.expected(query.kind, input_tokens=counted, max_output_tokens=most)

    def _reserved_now(self, query: Query, counted: int, most: int) -> int:
        """Return what a request reserves.

        Where the limit is not known, that is all there is, so that the first goes alone; of an address that may be a
        proxy's, it is all that the request permits, until an answer shows how the proxy counts.
        """
        reserved, assumed, limit = self._reserved(query, counted, most), self._assumed, self._budget.largest_request
        if assumed and limit == assumed and not self._budget.foreseen_wait(assumed):
            return max(reserved, assumed)
        if assumed is not None and self._unlimited is not None:
            return max(reserved, min(counted + most, limit))
        return reserved

    def _learn(self, query: Query, cost: _Cost, usage: Usage) -> None:
        self._estimates.learn(
            query.kind,
            counted=cost.counted,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            max_output_tokens=cost.max_output_tokens,
        )
        if usage.thinking_tokens:
            with self._lock:
                self._abilities[query.model] = self._abilities[query.model].that_thinks()

    def _take_note(self, refusal: RateLimited, cost: _Cost, attempt: int) -> None:
        """Tell the budget of a 429; the next reservation waits as long as it says."""
        said = refusal.details
        requested = rate_limit_headers.refusal(said.headers, said.message, said.code).requested
        self._learn_count(said.headers, cost, requested)
        if self._budget.refused(said.headers, said.message, code=said.code, attempt=attempt) is None:
            msg = f"{refusal} No waiting helps: make the groups smaller (--refinery-group-tokens)."
            raise RequestRejected(msg, said) from refusal

    def _learn_count(self, headers: Mapping[str, str], cost: _Cost, requested: int | None) -> None:
        """Let the estimates know what the service counted for a request, as far as it shows."""
        if requested is None and rate_limit_headers.reserves_output(headers):
            requested = cost.counted + cost.max_output_tokens
        if requested is not None:
            self._estimates.learn_refusal(
                counted=cost.counted, max_output_tokens=cost.max_output_tokens, requested=requested
            )

    def _given_up(self, error: RateLimited, refusals: int) -> RequestRejected:
        found = RequestRejected(f"{error} It was asked {refusals} times.", error.details)
        self._breaker.trip(found)
        return found

    def _do_without(self, model: str, error: UnsupportedParameter, job: Job) -> None:
        """Leave the parameter out from now on that the service does not accept."""
        with self._lock:
            found = self._abilities[model].without(error.details)
            if found is None or _is_over(job):
                raise error
            self._abilities[model], parameter = found
        job.note(f"The model {model} does not accept {parameter}: it was asked without.")

    def _paused(self, failures: int, error: ServiceError, job: Job) -> bool:
        """Make a pause before the next attempt; tell whether there is time for one."""
        asked_for = rate_limit_headers.seconds_in_headers(error.details.headers)
        back_off = rate_limit_headers.back_off(failures, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
        pause = asked_for or self._jitter() * back_off
        if pause >= _time_for(job) or job.cancelled.is_set():
            return False
        self._sleep(pause, job.cancelled)
        return not job.cancelled.is_set()

    def _about_model(self, model: str, error: UnknownModel) -> AccountRejected:
        names: list[str] = []
        with suppress(ServiceError):
            names = self._connection.models()
        meant = did_you_mean(model, names)
        if names and not meant:
            more = ", ..." if len(names) > _SHOWN_MODELS else ""
            meant = f" It offers {', '.join(names[:_SHOWN_MODELS])}{more}."
        msg = f"There is no model {model!r} for this key. {error}{meant} Set --refinery-model or REFINERY_MODEL."
        return AccountRejected(msg, error.details)

    def _closed(self, error: AccountRejected) -> AccountRejected:
        """Ask nothing more: the answer would be the same."""
        self._breaker.close_for_good(error)
        return error


def _half_of(query: Query) -> int:
    """Return half of what a question carries: what is tried where a service does not say what it can read."""
    return tokens.estimate(query.text) // 2


def _counted(cost: _Cost, reply: Reply) -> Usage:
    """Return the usage by our own count, where the service says none."""
    return Usage(cost.counted, tokens.estimate(reply.text))


def _is_over(job: Job) -> bool:
    return job.cancelled.is_set() or job.seconds_left() <= 0


def _time_for(job: Job) -> float:
    return max(0.05, job.seconds_left() - _CLEANUP_MARGIN_SECONDS)


def _sleep(seconds: float, until: Event) -> None:
    until.wait(seconds)
