"""What every ledger does, whatever it is kept in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_refinery.budget.file_ledger import FileLedger
from pytest_refinery.budget.ledger import QueuePosition, Request
from pytest_refinery.budget.state_ledger import MemoryLedger
from pytest_refinery.budget.token_budget import SharedBudget
from pytest_refinery.budget.window import Limits, WindowAlgorithm
from pytest_refinery.errors import BudgetError, RequestTooLargeError
from pytest_refinery.rate_limit_headers import Observation
from tests import redis_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_refinery.analysis.ports import TokenBudget
    from pytest_refinery.budget.ledger import Ledger

Make: TypeAlias = "Callable[[Limits], Ledger]"


class FakeClock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float, _: threading.Event) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server.running(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["memory", "file", "redis"])
def make(request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Path) -> Make:
    """Return what makes the ledger of one account."""
    if request.param == "memory":
        ledger = MemoryLedger(Limits(), clock=clock)

        def of_memory(limits: Limits) -> Ledger:
            ledger._limits = limits  # noqa: SLF001  (there is one memory)
            return ledger

        return of_memory
    if request.param == "file":
        return lambda limits: FileLedger(tmp_path / "budget.json", limits, tell=pytest.fail, clock=clock)
    return of_redis(request.getfixturevalue("redis_url"), clock)


def of_redis(url: str, clock: FakeClock) -> Make:
    from pytest_refinery.budget.redis_ledger import RedisLedger

    RedisLedger(url, "test", Limits()).reset()
    return lambda limits: RedisLedger(url, "test", limits, clock=clock)


@pytest.fixture
def budget_of(make: Make, clock: FakeClock) -> Callable[[Limits], SharedBudget]:
    return lambda limits: SharedBudget(make(limits), tell=pytest.fail, clock=clock, sleep=clock.sleep)


@pytest.fixture
def budget(budget_of: Callable[[Limits], SharedBudget]) -> TokenBudget:
    return budget_of(Limits(tokens=1000))


def test_what_fits_is_granted_without_a_wait(budget: TokenBudget, clock: FakeClock) -> None:
    assert budget.reserve(400).seconds_waited == 0
    assert budget.reserve(600).seconds_waited == 0
    assert clock.slept == []


def test_what_does_not_fit_waits_exactly_as_long_as_needed(make: Make, clock: FakeClock) -> None:
    budget = SharedBudget(make(Limits(tokens=1000)), tell=lambda _: None, clock=clock, sleep=clock.sleep)
    budget.reserve(1000).settle(1000)
    assert budget.reserve(1).seconds_waited == pytest.approx(60.0, abs=0.002)
    assert budget.seconds_waited == pytest.approx(60.0, abs=0.002)


def test_a_bucket_is_refilled_all_the_time(make: Make, clock: FakeClock) -> None:
    ledger = make(Limits(tokens=1000, algorithm=WindowAlgorithm.BUCKET))
    budget = SharedBudget(ledger, tell=lambda _: None, clock=clock, sleep=clock.sleep)
    budget.reserve(1000).settle(1000)
    assert budget.reserve(500).seconds_waited == pytest.approx(30.0, abs=0.002)


def test_what_is_settled_for_less_is_free_again(budget: TokenBudget, clock: FakeClock) -> None:
    budget.reserve(1000).settle(300)
    budget.reserve(700).settle(0)
    budget.reserve(700)
    assert clock.slept == []


def test_requests_are_limited_too(budget_of: Callable[[Limits], SharedBudget], clock: FakeClock) -> None:
    budget = budget_of(Limits(tokens=1000, requests=3))
    budget.reserve(1, requests=2)
    with pytest.raises(BudgetError):
        budget.reserve(1, requests=2, timeout=0.0)
    budget.reserve(1)


def test_a_request_that_is_not_granted_in_time_leaves_the_queue(
    budget: TokenBudget, make: Make, clock: FakeClock
) -> None:
    budget.reserve(1000)
    with pytest.raises(BudgetError, match=r"No room for 10 tokens within 3 s: 1,000 of 1,000 used .* by 1 worker\."):
        budget.reserve(10, timeout=3.0)
    assert sum(clock.slept) == pytest.approx(3.0)
    assert make(Limits()).status().waiting == ()


def test_a_request_may_be_given_up(budget: TokenBudget, make: Make) -> None:
    budget.reserve(1000)
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(BudgetError, match="given up"):
        budget.reserve(10, cancelled=cancelled)
    assert make(Limits()).status().waiting == ()


def test_an_interrupt_leaves_no_ticket_behind(make: Make, clock: FakeClock) -> None:
    def interrupted(_seconds: float, _until: threading.Event) -> None:
        raise KeyboardInterrupt

    budget = SharedBudget(make(Limits(tokens=1000)), tell=pytest.fail, clock=clock, sleep=interrupted)
    budget.reserve(1000)
    with pytest.raises(KeyboardInterrupt):
        budget.reserve(10)
    assert make(Limits()).status().waiting == ()


def test_a_request_above_the_limit_is_refused_with_what_helps(budget: TokenBudget, make: Make) -> None:
    with pytest.raises(RequestTooLargeError, match=r"1,001 tokens .* 1,000 tokens per minute.*--refinery-group-tokens"):
        budget.reserve(1001)
    assert budget.largest_request == 1000
    assert make(Limits()).status().waiting == ()


def test_after_a_refusal_everybody_holds_back(budget: TokenBudget, make: Make, clock: FakeClock) -> None:
    assert budget.refused({}, "Limit 1000, Used 9. Please try again in 1.326s.") == 1.326
    other = SharedBudget(make(Limits(tokens=1000)), tell=pytest.fail, clock=clock, sleep=clock.sleep)
    assert other.reserve(1).seconds_waited == pytest.approx(1.326, abs=0.001)


def test_a_refusal_that_says_nothing_is_followed_by_longer_and_longer_waits(budget: TokenBudget) -> None:
    waits = [budget.refused({}, "No deployments available", code="429", attempt=attempt) for attempt in range(9)]
    for attempt, wait in enumerate(waits):
        longest = min(60.0, 2.0**attempt)
        assert wait is not None
        assert longest / 2 <= wait <= longest


def test_a_final_refusal_stops_nobody_else(budget: TokenBudget, clock: FakeClock) -> None:
    assert budget.refused({"retry-after": "9"}, "Request too large: Limit 900, Requested 950") is None
    assert budget.refused({}, "", code="insufficient_quota") is None
    budget.reserve(1)
    assert clock.slept == []


def test_a_limit_is_learned_from_headers_and_from_refusals(budget_of: Callable[[Limits], SharedBudget]) -> None:
    budget = budget_of(Limits())
    assert budget.largest_request == 30_000
    budget.observe({"x-ratelimit-limit-tokens": "200000", "x-ratelimit-remaining-tokens": "199000"})
    assert budget.largest_request == 200_000
    budget.refused({}, "Request too large for m on tokens per min (TPM): Limit 90000, Requested 100000.")
    assert budget.largest_request == 90_000


def test_what_somebody_else_has_used_is_not_used_again(budget: TokenBudget) -> None:
    budget.observe({"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "300"})
    with pytest.raises(BudgetError):
        budget.reserve(301, timeout=0.0)
    budget.reserve(300)


def test_requests_start_in_the_order_in_which_they_came(make: Make, clock: FakeClock) -> None:
    ledger = make(Limits(tokens=1000, minute=2.0, guard=0.0))
    ledger.poll(Request("first", 1000, 1))
    places = {name: ledger.poll(Request(name, 400, 1)).place for name in "abc"}
    clock.now += 2.01
    for name in "cba":
        # The second may start beside the first, whose room is kept; the third would take it.
        assert ledger.poll(Request(name, 400, 1, places[name])).is_granted == (name != "c")


def test_work_that_has_begun_goes_first(make: Make, clock: FakeClock) -> None:
    ledger = make(Limits(tokens=1000, minute=2.0, guard=0.0))
    assert ledger.poll(Request("a1", 1000, work="a", remaining_tokens=600)).is_granted
    new = ledger.poll(Request("b1", 700, work="b", remaining_tokens=600))
    again = ledger.poll(Request("a2", 600, work="a"))
    clock.now += 2.01
    assert not ledger.poll(Request("b1", 700, place=new.place, work="b")).is_granted
    assert ledger.poll(Request("a2", 600, place=again.place, work="a")).is_granted


def test_the_first_request_of_a_work_waits_until_the_rest_of_those_begun_fits(make: Make, clock: FakeClock) -> None:
    ledger = make(Limits(tokens=1000, minute=2.0, guard=0.0))
    assert ledger.poll(Request("a1", 200, work="a", remaining_tokens=700)).is_granted
    assert not ledger.poll(Request("b1", 200, work="b", remaining_tokens=200)).is_granted
    assert ledger.poll(Request("c1", 100, work="c")).is_granted is False
    ledger.finish("a")
    assert [(entry.work, entry.tokens) for entry in ledger.status().waiting] == [("b", 200), ("c", 100)]
    assert ledger.status().begun == ()
    assert ledger.poll(Request("b1", 200, place=2, work="b")).is_granted


def test_each_keeps_to_its_own_limit_within_the_shared_use(make: Make, clock: FakeClock) -> None:
    small, large = make(Limits(tokens=200, guard=0.0)), make(Limits(tokens=1000, guard=0.0))
    if small is large:
        pytest.skip("one process has one ledger in memory")
    assert large.poll(Request("a", 700, 1)).is_granted
    assert small.poll(Request("b", 200, 1)).is_granted
    assert not small.poll(Request("c", 1, 1)).is_granted
    assert large.poll(Request("d", 100, 1)).is_granted
    assert not large.poll(Request("e", 100, 1)).is_granted


def test_what_was_used_without_asking_counts(make: Make) -> None:
    ledger = make(Limits(tokens=1000))
    ledger.charge(900, 3)
    assert not ledger.poll(Request("a", 101, 1)).is_granted
    assert (ledger.status().used_tokens, ledger.status().used_requests) == (900, 3)


def test_the_status_says_who_waits_for_what(make: Make, clock: FakeClock) -> None:
    ledger = make(Limits(tokens=1000, requests=9))
    ledger.poll(Request("a", 700, 1))
    ledger.settle("a", 800)
    ledger.poll(Request("b", 600, 1))
    ledger.limited(4.0)
    clock.now += 1
    status = ledger.status()
    assert (status.limit_tokens, status.limit_requests, status.is_assumed) == (1000, 9, False)
    assert (status.used_tokens, status.used_requests, status.closed_for) == (800, 1, 3.0)
    assert [(entry.tokens, entry.is_open, entry.seconds) for entry in status.granted] == [(800, False, 1.0)]
    assert [(entry.tokens, entry.seconds) for entry in status.waiting] == [(600, 1.0)]
    assert status.workers == 1


def test_a_reset_forgets_everything(make: Make) -> None:
    ledger = make(Limits(tokens=1000))
    ledger.poll(Request("a", 1000, 1))
    ledger.limited(100.0)
    ledger.reset()
    assert ledger.poll(Request("b", 1000, 1)).is_granted


NAMES = st.sampled_from("abcdefgh")
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("step"), NAMES, st.sampled_from([50, 300, 1000, 1001])),
        st.tuples(st.just("settle"), NAMES, st.integers(0, 1000)),
        st.tuples(st.just("withdraw"), NAMES, st.just(0)),
        st.tuples(st.just("pass"), st.just(""), st.sampled_from([0.01, 0.5, 1.1, 2.0, 15.0, 60.0, 61.0, 100.0])),
        st.tuples(st.just("limited"), st.just(""), st.integers(0, 20)),
        st.tuples(st.just("observe"), st.just(""), st.integers(0, 1000)),
        st.tuples(st.just("charge"), st.just(""), st.integers(0, 300)),
    ),
    max_size=40,
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(OPERATIONS, st.sampled_from(WindowAlgorithm), st.sampled_from([None, 4]), st.sampled_from([None, 1000]))
def test_what_is_kept_in_redis_is_decided_as_in_memory(
    redis_url: str,
    operations: list[tuple[str, str, float]],
    model: WindowAlgorithm,
    requests: int | None,
    tokens: int | None,
) -> None:
    clock = FakeClock()
    limits = Limits(tokens=tokens, requests=requests, algorithm=model)
    ledgers = [MemoryLedger(limits, clock=clock), of_redis(redis_url, clock)(limits)]
    places: dict[str, int] = {}
    for operation, name, number in operations:
        if operation == "pass":
            clock.now += number
            # Time alone must change the same in both.
            _look_at_all(ledgers, places)
            continue
        steps = [_told(ledger, operation, name, number, places.get(name)) for ledger in ledgers]
        if steps[0] is not None and steps[1] is not None:
            assert_same(steps[0], steps[1])
            places[name] = steps[0].place
    one, other = (ledger.status() for ledger in ledgers)
    assert one.used_tokens == pytest.approx(other.used_tokens, abs=1)
    assert (len(one.waiting), len(one.granted)) == (len(other.waiting), len(other.granted))


def _look_at_all(ledgers: list[Ledger], places: dict[str, int]) -> None:
    status = ledgers[0].status()
    if status.waiting:
        for name, place in sorted(places.items(), key=lambda each: each[1]):
            steps = [ledger.poll(Request(name, 50, 1, place)) for ledger in ledgers]
            assert_same(*steps)


def _told(ledger: Ledger, operation: str, name: str, number: float, place: int | None) -> QueuePosition | None:
    tokens = int(number)
    match operation:
        case "step":
            return ledger.poll(Request(name, tokens, 1, place))
        case "settle":
            ledger.settle(name, tokens)
        case "withdraw":
            ledger.withdraw(name)
        case "limited":
            ledger.limited(number)
        case "charge":
            ledger.charge(tokens, 1)
        case "observe":
            ledger.observe(Observation(1000, tokens, 4, None), age=5.0)
    return None


def assert_same(one: QueuePosition, other: QueuePosition) -> None:
    assert (one.place, one.is_granted, one.too_large_for) == (other.place, other.is_granted, other.too_large_for)
    assert one.start_in == pytest.approx(other.start_in, abs=1e-3)
