"""One run: processes that send requests as fast as a limiter lets them, and what came of it."""

from __future__ import annotations

import heapq
import http.client
import json
import multiprocessing
import random
import tempfile
import time
from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.budget import service
from benchmarks.budget.limiters import LIMITERS, Task
from pytest_refinery.budget.window import Bucket, Meter, SlidingMinute

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.budget.limiters import Limiter
    from benchmarks.budget.service import Arrival

LIMIT = 30_000
_TOKENS = (150, 450)
_ERROR = 0.3
_SEED = 4
_GIVE_UP = 20
# Who asks within so many seconds asks at the same time: processes are not always running.
_SIMULTANEOUS = 0.01


@dataclass(frozen=True)
class Call:
    """One request as its worker saw it: times by the clock of the machine."""

    request: int
    asked: float
    granted: float
    sent: float
    answered: float
    refusals: int


@dataclass(frozen=True)
class Outcome:
    """What a run showed.

    Attributes:
        seconds: From the first request let in to the last.
        best_seconds: The same for a limiter that knows every cost beforehand and takes no time.
        overtaken: The most requests that asked later than one and were let go before it.
    """

    limiter: str
    service: str
    processes: int
    requests: int
    tokens: int
    refusals: int
    seconds: float
    best_seconds: float
    overtaken: int

    @property
    def use(self) -> float:
        """The throughput as a share of the best possible."""
        return self.best_seconds / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Plan:
    """The requests of a run: what each really costs, and what its worker takes it to cost."""

    costs: tuple[int, ...]
    estimates: tuple[int, ...]


def plan(windows: float) -> Plan:
    """Return requests for so many times the limit; estimates are up to 30 % off, either way."""
    draw = random.Random(_SEED)
    costs: list[int] = []
    while sum(costs) < windows * LIMIT:
        costs.append(draw.randint(*_TOKENS))
    return Plan(tuple(costs), tuple(round(cost * draw.uniform(1 - _ERROR, 1 + _ERROR)) for cost in costs))


def run(limiter: str, *, model: str, processes: int, minute: float, windows: float, redis_url: str) -> Outcome:
    """Send the requests and return what came of it."""
    requests = plan(windows)
    with (
        service.running(model, limit=LIMIT, minute=minute) as server,
        tempfile.TemporaryDirectory(prefix="budget-") as folder,
    ):
        task = Task(LIMIT, minute, model, folder, redis_url, processes)
        calls = _work(limiter, task, requests, server.port)
        arrivals = server.log()
    return _outcome(limiter, task, calls, [arrival for arrival in arrivals if arrival.is_admitted])


def _outcome(limiter: str, task: Task, calls: list[Call], admitted: list[Arrival]) -> Outcome:
    times = sorted(arrival.at for arrival in admitted)
    return Outcome(
        limiter=limiter,
        service=task.model,
        processes=task.processes,
        requests=len(calls),
        tokens=sum(arrival.tokens for arrival in admitted),
        refusals=sum(call.refusals for call in calls),
        seconds=times[-1] - times[0],
        best_seconds=_best_seconds(calls, admitted, task),
        overtaken=_most_overtaken(calls),
    )


def _best_seconds(calls: Iterable[Call], admitted: Iterable[Arrival], task: Task) -> float:
    """Return when the last request would start, in the order in which they came, each taking as long as it took."""
    took = {call.request: call.answered - call.sent for call in calls}
    kind = {"sliding": SlidingMinute, "bucket": Bucket}[task.model]
    meter: Meter = kind(task.limit, task.minute)
    free = [0.0] * task.processes
    at = 0.0
    for arrival in sorted(admitted, key=lambda each: each.at):
        at = meter.earliest(arrival.tokens, not_before=max(at, heapq.heappop(free)))
        meter.charge(arrival.tokens, at)
        heapq.heappush(free, at + took[arrival.request])
    return at


def _most_overtaken(calls: Iterable[Call]) -> int:
    """Return the most requests that asked after some other one and were granted before it."""
    asked_by_those_granted: list[float] = []
    most = 0
    for call in sorted(calls, key=lambda each: each.granted):
        earlier = bisect_left(asked_by_those_granted, call.asked + _SIMULTANEOUS)
        most = max(most, len(asked_by_those_granted) - earlier)
        insort(asked_by_those_granted, call.asked)
    return most


def _work(limiter: str, task: Task, requests: Plan, port: int) -> list[Call]:
    context = multiprocessing.get_context("spawn")
    counter, results, ready = context.Value("i", 0), context.Queue(), context.Barrier(task.processes)
    arguments = (limiter, task, requests, port, counter, results, ready)
    workers = [context.Process(target=_worker, args=arguments) for _ in range(task.processes)]
    for worker in workers:
        worker.start()
    calls = [call for _ in workers for call in results.get()]
    for worker in workers:
        worker.join()
    return calls


def _worker(limiter: str, task: Task, requests: Plan, port: int, counter: Any, results: Any, ready: Any) -> None:  # noqa: ANN401
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    chosen = LIMITERS[limiter](task)
    ready.wait()
    calls = []
    while (request := _next(counter)) < len(requests.costs):
        calls.append(_call(chosen, connection, request, requests))
    results.put(calls)


def _next(counter: Any) -> int:  # noqa: ANN401  (multiprocessing names no type)
    with counter.get_lock():
        taken: int = counter.value
        counter.value += 1
    return taken


def _call(limiter: Limiter, connection: http.client.HTTPConnection, request: int, requests: Plan) -> Call:
    asked = time.monotonic()
    granted = None
    for refusals in range(_GIVE_UP * len(requests.costs)):
        limiter.acquire(requests.estimates[request])
        sent = time.monotonic()
        granted = granted or sent
        connection.request("POST", "/", json.dumps({"id": request, "tokens": requests.costs[request]}))
        answer = connection.getresponse()
        body = answer.read().decode()
        if answer.status == http.client.OK:
            limiter.done(requests.costs[request])
            return Call(request, asked, granted, sent, time.monotonic(), refusals)
        limiter.refused(body, float(answer.headers["Retry-After"]))
    msg = "refused for ever"
    raise RuntimeError(msg)
