"""Whole diagnoses under one limit, simulated: no process, no clock, no sleep."""

from __future__ import annotations

import heapq
import math
import random
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING
from unittest import mock

from pytest_refinery.budget.ledger import Request
from pytest_refinery.budget.ledger_state import State
from pytest_refinery.budget.schedule import Room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_refinery.budget.window import Limits


@dataclass(frozen=True)
class Piece:
    """A work: the real costs of its requests, stage by stage; those of one stage are made side by side."""

    name: str
    stages: tuple[tuple[int, ...], ...]
    kind: str = "diagnosis"

    @property
    def tokens(self) -> int:
        return sum(map(sum, self.stages))


@dataclass
class Sent:
    """A request that was granted: when, and what for."""

    work: str
    tokens: int
    asked: float
    granted: float


@dataclass
class _Worker:
    piece: Piece
    owner: str
    stage: int = 0
    open: int = 0


@dataclass
class Outcome:
    sent: list[Sent] = field(default_factory=list)
    finished: dict[str, float] = field(default_factory=dict)
    polls: int = 0

    @property
    def tokens(self) -> int:
        return sum(each.tokens for each in self.sent)

    @property
    def seconds(self) -> float:
        return max(each.granted for each in self.sent)

    def least(self, limits: Limits) -> float:
        assert limits.tokens
        windows = self.tokens / limits.tokens
        return limits.minute * ((windows if limits.algorithm == "bucket" else math.ceil(windows)) - 1)


@contextmanager
def first_come_first_served() -> Iterator[None]:
    """Let nobody go before those that came earlier, meanwhile; requests must not name their work."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(State, "_is_firm", return_value=True))
        stack.enter_context(mock.patch.object(Room, "takes_now", return_value=False))
        yield


class Simulation:
    """Workers that take one work after the other and make its requests.

    Args:
        overestimate: How much more is reserved than a request costs, as a factor.
        latency: Returns the seconds until an answer to so many tokens is there.
        names_work: Whether requests say which work they belong to.
    """

    def __init__(
        self,
        pieces: Iterable[Piece],
        limits: Limits,
        *,
        workers: int,
        overestimate: float = 1.1,
        latency: Callable[[int], float] = lambda tokens: 1.0 + tokens / 4000,
        names_work: bool = True,
    ) -> None:
        self._todo = list(pieces)[::-1]
        self._limits = limits
        self._workers = workers
        self._overestimate = overestimate
        self._latency = latency
        self._names_work = names_work
        self._state = State()
        self._now = 1000.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._waiting: dict[str, tuple[Request, _Worker, int, float]] = {}
        self._count = 0
        self.outcome = Outcome()

    def run(self) -> Outcome:
        for number in range(self._workers):
            self._take(f"w{number}")
        while self._events or self._waiting:
            wake = self._poll_all()
            if self._events and self._events[0][0] <= wake:
                at, _, event = heapq.heappop(self._events)
                self._now = max(self._now, at)
                event()
            else:
                assert wake < math.inf, "somebody waits for ever"
                self._now = wake
        begin = min(each.granted for each in self.outcome.sent)
        self.outcome.sent = [
            replace(each, granted=each.granted - begin, asked=each.asked - begin) for each in self.outcome.sent
        ]
        self.outcome.finished = {name: at - begin for name, at in self.outcome.finished.items()}
        return self.outcome

    def _take(self, owner: str) -> None:
        if self._todo:
            self._ask(_Worker(self._todo.pop(), owner))

    def _ask(self, worker: _Worker) -> None:
        costs = worker.piece.stages[worker.stage]
        worker.open = len(costs)
        later = sum(self._estimate(cost) for stage in worker.piece.stages[worker.stage + 1 :] for cost in stage)
        for index, cost in enumerate(costs):
            self._count += 1
            rest = sum(map(self._estimate, costs[index + 1 :])) + later
            request = Request(
                f"r{self._count}",
                self._estimate(cost),
                work=worker.piece.name if self._names_work else "",
                stage=f"stage {worker.stage + 1}",
                remaining_tokens=rest if self._names_work else 0,
            )
            self._waiting[request.id] = (request, worker, cost, self._now)

    def _estimate(self, cost: int) -> int:
        assert self._limits.tokens
        return min(round(cost * self._overestimate), self._limits.tokens)

    def _poll_all(self) -> float:
        wake = math.inf
        for name, (request, worker, cost, asked) in list(self._waiting.items()):
            self.outcome.polls += 1
            found = self._state.poll(
                request, owner=worker.owner, limits=self._limits, now=self._now, is_alive=lambda _: True
            )
            if found.is_granted:
                del self._waiting[name]
                self.outcome.sent.append(Sent(worker.piece.name, cost, asked, self._now))
                self._at(self._now + self._latency(cost), partial(self._answered, name, worker, cost))
            else:
                self._waiting[name] = (replace(request, place=found.place), worker, cost, asked)
                wake = min(wake, self._now + max(found.holds_for, 0.001))
        return wake

    def _answered(self, name: str, worker: _Worker, cost: int) -> None:
        self._state.settle(name, cost, now=self._now)
        worker.open -= 1
        if worker.open:
            return
        worker.stage += 1
        if worker.stage < len(worker.piece.stages):
            self._ask(worker)
            return
        self._state.finish(worker.piece.name)
        self.outcome.finished[worker.piece.name] = self._now
        self._take(worker.owner)

    def _at(self, when: float, event: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, event))


def pieces(number: int, *, seed: int, largest: int) -> list[Piece]:
    """Return works of three stages with the sizes of real traces, cut so that no request exceeds ``largest``."""
    draw = random.Random(seed)  # noqa: S311  (the same works each time)
    return [_piece(f"d{index}", draw, largest) for index in range(number)]


def _piece(name: str, draw: random.Random, largest: int) -> Piece:
    first = round(min(16_000, max(5_000, draw.lognormvariate(math.log(8_600), 0.35))))
    parts = math.ceil(first / largest)
    overhead = 900 if parts > 1 else 0
    groups = tuple(first // parts + overhead for _ in range(parts))
    return Piece(name, (groups, (round(draw.uniform(600, 850)),), (round(draw.uniform(2_400, 3_200)),)))
