"""Whatever order things happen in: no service would have refused, and everybody's turn comes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pytest_refinery.budget.ledger import QueuePosition, Request
from pytest_refinery.budget.ledger_state import GRACE, PATIENCE, State
from pytest_refinery.budget.window import Limits, WindowAlgorithm

MINUTE = 60.0
TOKENS = 1000
REQUESTS = 6
GUARD = 0.1
AMOUNTS = st.one_of(st.integers(1, TOKENS), st.sampled_from([TOKENS // 4, TOKENS // 2, TOKENS]))
SEATS = st.integers(0, 3)


@dataclass
class Sent:
    """A request that the ledger has granted, as the service sees it."""

    owner: str
    granted_at: float
    latest: float
    tokens: int
    delay: float
    is_open: bool = True

    @property
    def arrival(self) -> float:
        return min(self.granted_at + self.delay, self.latest)


@dataclass
class Waiting:
    """A request in the queue: when its process last looked, what it was told, how often room had been made."""

    request: Request
    owner: str
    looked_at: float
    told: QueuePosition
    freed: int

    @property
    def place(self) -> int:
        return self.told.place

    @property
    def starts_at(self) -> float:
        return self.looked_at + self.told.start_in


class Ledgers(RuleBasedStateMachine):
    """Processes that reserve, settle, cancel, sleep and die, in any order."""

    model = WindowAlgorithm.SLIDING

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(tokens=TOKENS, requests=REQUESTS, model=self.model, guard=GUARD, minute=MINUTE)
        self.now = 5000.0
        self.state = State()
        self.queue: dict[str, Waiting] = {}
        self.sent: dict[str, Sent] = {}
        self.freed = 0
        self.dead: set[str] = set()
        self.processes = ["p0", "p1", "p2", "p3"]
        self.names = iter(range(10**9))

    def poll(self, request: Request, owner: str, delay: float = 0.0) -> QueuePosition:
        # As a process does: read what was written, and write what has changed.
        self.state = State.decode(self.state.encode())
        alive = lambda other: other not in self.dead  # noqa: E731
        before = {ticket.id for ticket in self.state.tickets} - {request.id}
        step = self.state.poll(request, owner=owner, limits=self.limits, now=self.now, is_alive=alive)
        # Who did not come when due has left the queue.
        self.freed += bool(before - {ticket.id for ticket in self.state.tickets})
        if step.is_granted:
            self.queue.pop(request.id, None)
            self.assert_nobody_awake_is_overtaken(step.place)
            self.sent[request.id] = Sent(owner, self.now, self.now + GUARD, request.tokens, delay)
        else:
            placed = Request(request.id, request.tokens, request.requests, step.place)
            self.queue[request.id] = Waiting(placed, owner, self.now, step, self.freed)
        return step

    def assert_nobody_awake_is_overtaken(self, place: int) -> None:
        for waiting in self.queue.values():
            # What was given back meanwhile may have made it due before the time it was told.
            due = waiting.looked_at if self.freed > waiting.freed else waiting.starts_at
            assert waiting.place > place or self.now > due + GRACE / 2 - 0.001

    @rule(seat=SEATS, tokens=AMOUNTS, delay=st.floats(0.0, GUARD))
    def reserve(self, seat: int, tokens: int, delay: float) -> None:
        self.poll(Request(str(next(self.names)), tokens, 1), self.processes[seat], delay)

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), delay=st.floats(0.0, GUARD))
    def look(self, data: st.DataObject, delay: float) -> None:
        waiting = self.queue[data.draw(st.sampled_from(sorted(self.queue)))]
        self.poll(waiting.request, waiting.owner, delay)

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), delay=st.floats(0.0, GUARD), others=st.booleans())
    def sleep_until_the_start(self, data: st.DataObject, delay: float, *, others: bool) -> None:
        waiting = self.queue[data.draw(st.sampled_from(sorted(self.queue)))]
        self.now = max(self.now, waiting.starts_at)
        if others:
            for other in list(self.queue.values()):
                self.poll(other.request, other.owner)
        if waiting.request.id in self.queue:
            self.poll(waiting.request, waiting.owner, delay)

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.1, 1.0, 7.0, 31.0, 60.0, 61.0, 150.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: any(sent.is_open for sent in self.sent.values()))
    @rule(data=st.data(), share=st.floats(0.0, 1.0))
    def settle(self, data: st.DataObject, share: float) -> None:
        name = data.draw(st.sampled_from(sorted(name for name, sent in self.sent.items() if sent.is_open)))
        sent = self.sent[name]
        sent.is_open = False
        if sent.owner in self.dead:
            return
        sent.tokens = round(sent.tokens * share)
        sent.latest = min(sent.latest, self.now)
        self.freed += 1
        self.state.settle(name, sent.tokens, now=self.now)

    @precondition(lambda self: self.queue or self.sent)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        unsent = [name for name, sent in self.sent.items() if sent.is_open and sent.owner not in self.dead]
        names = sorted([*self.queue, *unsent])
        if names:
            name = data.draw(st.sampled_from(names))
            self.queue.pop(name, None)
            self.sent.pop(name, None)
            self.state.withdraw(name)
            self.freed += 1

    @rule(seat=SEATS)
    def kill(self, seat: int) -> None:
        owner = self.processes[seat]
        self.processes[seat] = f"p{len(self.dead) + 4}"
        self.dead.add(owner)
        self.freed += 1
        self.queue = {name: waiting for name, waiting in self.queue.items() if waiting.owner != owner}

    @invariant()
    def no_service_would_have_refused(self) -> None:
        arrivals = sorted((sent.arrival, sent.tokens) for sent in self.sent.values())
        if self.model is WindowAlgorithm.SLIDING:
            assert_no_minute_exceeds(arrivals)
        assert_no_bucket_is_empty(arrivals)

    def teardown(self) -> None:
        """Everybody still waiting is granted, within the time that the tokens need."""
        waiting = list(self.queue.values())
        tokens = sum(each.request.tokens for each in waiting)
        until = self.now + MINUTE * (2 * tokens / TOKENS + len(waiting) / REQUESTS + 2) + PATIENCE
        while self.queue and self.now < until:
            steps = [self.poll(each.request, each.owner) for each in list(self.queue.values())]
            self.now += min((step.start_in for step in steps if not step.is_granted), default=0.0) + 0.002
        assert not self.queue
        self.no_service_would_have_refused()


def assert_no_minute_exceeds(arrivals: list[tuple[float, int]]) -> None:
    for end, _ in arrivals:
        within = [tokens for at, tokens in arrivals if end - MINUTE < at <= end]
        assert sum(within) <= TOKENS
        assert len(within) <= REQUESTS


def assert_no_bucket_is_empty(arrivals: list[tuple[float, int]]) -> None:
    tokens_left, requests_left, last = float(TOKENS), float(REQUESTS), 0.0
    for at, tokens in arrivals:
        tokens_left = min(TOKENS, tokens_left + (at - last) * TOKENS / MINUTE) - tokens
        requests_left = min(REQUESTS, requests_left + (at - last) * REQUESTS / MINUTE) - 1
        last = at
        assert tokens_left > -0.001
        assert requests_left > -0.001


class BucketLedgers(Ledgers):
    """The same with a bucket."""

    model = WindowAlgorithm.BUCKET


@pytest.mark.parametrize("machine", [Ledgers, BucketLedgers], ids=["sliding", "bucket"])
def test_no_interleaving_exceeds_the_limit_or_starves_a_ticket(machine: type[Ledgers]) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
