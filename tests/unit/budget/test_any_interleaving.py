"""Whatever order things happen in: no service would have refused, none is delayed by one that goes ahead of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pytest_refinery.budget.ledger import QueuePosition, Request
from pytest_refinery.budget.ledger_state import AGING_MINUTES, PATIENCE, State
from pytest_refinery.budget.window import Limits, WindowAlgorithm

MINUTE = 60.0
TOKENS = 1000
REQUESTS = 6
GUARD = 0.1
# A request that is not admitted yet has no start; it is said to look again after this.
HELD = 0.5
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
    """A request in the queue: when its process last looked, and what it was told."""

    request: Request
    owner: str
    looked_at: float
    told: QueuePosition

    @property
    def place(self) -> int:
        return self.told.place


class Ledgers(RuleBasedStateMachine):
    """Processes that reserve, settle, cancel, sleep and die, in any order."""

    model = WindowAlgorithm.SLIDING

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(tokens=TOKENS, requests=REQUESTS, algorithm=self.model, guard=GUARD, minute=MINUTE)
        self.now = 5000.0
        self.state = State()
        self.queue: dict[str, Waiting] = {}
        self.sent: dict[str, Sent] = {}
        self.dead: set[str] = set()
        self.processes = ["p0", "p1", "p2", "p3"]
        self.names = iter(range(10**9))

    def poll(self, request: Request, owner: str, delay: float = 0.0, *, is_checked: bool = True) -> QueuePosition:
        # As a process does: read what was written, and write what has changed.
        self.state = self.written() if is_checked else self.state
        starts = self.starts_ahead_of(request) if is_checked else {}
        alive = lambda other: other not in self.dead  # noqa: E731
        step = self.state.poll(request, owner=owner, limits=self.limits, now=self.now, is_alive=alive)
        if step.is_granted:
            self.queue.pop(request.id, None)
            if starts:
                self.assert_none_starts_later(starts)
            self.sent[request.id] = Sent(owner, self.now, self.now + GUARD, request.tokens, delay)
        else:
            placed = replace(request, place=step.place)
            self.queue[request.id] = Waiting(placed, owner, self.now, step)
        return step

    def written(self) -> State:
        return State.decode(json.loads(json.dumps(self.state.encode())))

    def starts_ahead_of(self, request: Request) -> dict[str, float]:
        """Return when each ticket with a start of its own would start that goes before this request."""
        state = self.written()
        queue = state._in_order(self.limits, self.now)  # noqa: SLF001
        names = [ticket.id for ticket in queue]
        ahead = queue[: names.index(request.id)] if request.id in names else []
        firm = {ticket.id for ticket in ahead if state._is_firm(ticket, self.limits, self.now)}  # noqa: SLF001
        return {name: start for name, start in self.starts(state).items() if name in firm}

    def starts(self, state: State) -> dict[str, float]:
        queue = state._in_order(self.limits, self.now)  # noqa: SLF001  (the order is what is tested)
        starts = state._starts(queue, self.limits, self.now)  # noqa: SLF001
        return {name: start.foreseen for name, start in starts.items()}

    def assert_none_starts_later(self, starts: dict[str, float]) -> None:
        found = self.starts(self.written())
        # One that did not come when it could start has left the queue.
        for name in starts.keys() & found.keys():
            assert found[name] <= max(starts[name], self.now + HELD) + 0.001

    @rule(seat=SEATS, tokens=AMOUNTS, delay=st.floats(0.0, GUARD))
    def reserve(self, seat: int, tokens: int, delay: float) -> None:
        self.poll(Request(str(next(self.names)), tokens, 1), self.processes[seat], delay)

    @rule(seat=SEATS, work=st.sampled_from("abc"), tokens=AMOUNTS, remaining=AMOUNTS)
    def reserve_for_a_work(self, seat: int, work: str, tokens: int, remaining: int) -> None:
        owner = self.processes[seat]
        name = f"{owner} {work}"
        self.poll(Request(str(next(self.names)), tokens, work=name, remaining_tokens=remaining), owner)

    @precondition(lambda self: self.state.begun)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        self.state.finish(data.draw(st.sampled_from(sorted(each.id for each in self.state.begun))))

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), delay=st.floats(0.0, GUARD))
    def look(self, data: st.DataObject, delay: float) -> None:
        waiting = self.queue[data.draw(st.sampled_from(sorted(self.queue)))]
        self.poll(waiting.request, waiting.owner, delay)

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), delay=st.floats(0.0, GUARD), others=st.booleans())
    def sleep_until_the_start(self, data: st.DataObject, delay: float, *, others: bool) -> None:
        waiting = self.queue[data.draw(st.sampled_from(sorted(self.queue)))]
        self.now = max(self.now, waiting.looked_at + waiting.told.holds_for)
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

    @rule(seat=SEATS)
    def kill(self, seat: int) -> None:
        owner = self.processes[seat]
        self.processes[seat] = f"p{len(self.dead) + 4}"
        self.dead.add(owner)
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
        # Each is the first of those that have not begun for AGING_MINUTES at most, and starts within two more.
        until = self.now + MINUTE * (len(waiting) + 1) * (AGING_MINUTES + 2) + PATIENCE
        while self.queue and self.now < until:
            steps = [self.poll(each.request, each.owner, is_checked=False) for each in list(self.queue.values())]
            self.now += max(5.0, min((step.holds_for for step in steps if not step.is_granted), default=0.0))
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
        # Of several bugs one is enough: each is made smaller for up to five minutes.
        settings=settings(
            max_examples=100,
            stateful_step_count=25,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
