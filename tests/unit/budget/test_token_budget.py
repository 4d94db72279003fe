from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_refinery.analysis.ports import Work
from pytest_refinery.budget import messages
from pytest_refinery.budget.ledger import BegunWork, Entry, Request, Status
from pytest_refinery.budget.state_ledger import MemoryLedger
from pytest_refinery.budget.token_budget import SharedBudget
from pytest_refinery.budget.window import Limits, WindowAlgorithm
from pytest_refinery.errors import BudgetError

if TYPE_CHECKING:
    from threading import Event


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float, _: Event) -> None:
        self.now += seconds


def test_a_long_wait_is_told_now_and_then_with_its_reason() -> None:
    clock = Clock()
    ledger = MemoryLedger(Limits(tokens=30_000), clock=clock)
    said: list[str] = []
    budget = SharedBudget(ledger, tell=said.append, clock=clock, sleep=clock.sleep)
    budget.reserve(27_900).settle(27_900)
    budget.reserve(12_400)
    assert said[0] == "waiting 60 s for 12,400 tokens: 27,900 of 30,000 used in the last minute by 1 worker"
    assert len(said) == 4


@pytest.mark.parametrize(
    ("tokens", "left"),
    [
        (30_000, ["about 60 s left at 30,000 tokens per minute"] * 4),
        (None, [""] * 4),
    ],
)
def test_a_long_wait_is_told_with_the_time_for_all_unless_the_limit_is_assumed(
    tokens: int | None, left: list[str]
) -> None:
    clock = Clock()
    ledger = MemoryLedger(Limits(tokens=tokens), clock=clock)
    told: list[str] = []
    budget = SharedBudget(ledger, tell=lambda _: None, tell_time_left=told.append, clock=clock, sleep=clock.sleep)
    budget.reserve(27_900).settle(27_900)
    assert budget.reserve(12_400).assumed_limit == (None if tokens else 30_000)
    assert told == left


@pytest.mark.parametrize(
    ("used", "seconds", "said"),
    [(10, 0.0, "10 s"), (15, 30.0, "30 s"), (24, 84.0, "90 s"), (26, 96.0, "2 min"), (50, 240.0, "4 min")],
)
def test_the_time_left_is_what_is_foreseen_over_the_limit(used: int, seconds: float, said: str) -> None:
    ledger = MemoryLedger(Limits(tokens=10, algorithm=WindowAlgorithm.BUCKET), clock=Clock())
    ledger.poll(Request("a", 10, 1, work="w", remaining_tokens=used - 10))
    budget = SharedBudget(ledger, tell=pytest.fail)
    assert budget.foreseen_wait(0) == pytest.approx(seconds)
    assert messages.time_left(budget.foreseen_wait(0), ledger.status()) == f"about {said} left at 10 tokens per minute"


def test_what_a_request_will_cost_is_estimated_again_while_it_waits() -> None:
    clock = Clock()
    ledger = MemoryLedger(Limits(tokens=10), clock=clock)
    budget = SharedBudget(ledger, tell=lambda _: None, clock=clock, sleep=clock.sleep)
    budget.reserve(8).settle(8)
    assert budget.reserve(5, again=lambda: 2).seconds_waited < 1.0
    assert ledger.status().used_tokens == 10


def test_a_short_wait_is_not_told() -> None:
    clock = Clock()
    budget = SharedBudget(
        MemoryLedger(Limits(tokens=10, minute=4.0, guard=0.1), clock=clock),
        tell=pytest.fail,
        clock=clock,
        sleep=clock.sleep,
    )
    budget.reserve(10)
    assert 4.0 < budget.reserve(10).seconds_waited < 5.0


def test_while_the_service_wants_a_pause_the_reason_is_that() -> None:
    ledger = MemoryLedger(Limits(tokens=10), clock=Clock())
    ledger.limited(30.0)
    assert messages.waiting(1, 30.0, ledger.status()).startswith(
        "waiting 30 s for 1 tokens: the service asked everybody to wait, 30.0 s more; 0 of 10 used"
    )


def test_without_a_clock_of_ours_it_waits_in_real_time() -> None:
    ledger = MemoryLedger(Limits(tokens=10, minute=0.05, guard=0.0))
    budget = SharedBudget(ledger, tell=pytest.fail)
    budget.reserve(10)
    assert 0.04 < budget.reserve(10).seconds_waited < 5.0


def test_a_fork_of_a_ledger_in_memory_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = MemoryLedger(Limits(tokens=10))
    ledger.poll(Request("a", 10, 1))
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert ledger.poll(Request("b", 10, 1)).is_granted


def test_the_page_shows_the_whole_ledger() -> None:
    status = Status(
        algorithm="bucket",
        limit_tokens=30_000,
        limit_requests=500,
        is_assumed=False,
        used_tokens=27_900,
        used_requests=5,
        closed_for=1.25,
        waiting=(Entry("812.7.1", 12_400, 1, 3.0, work="a1b2c3d4e5", kind="diagnosis", stage="trace analysis"),),
        begun=(BegunWork("ffeeddccbb", "813.9.1", "judge", 4.0, 2_800),),
        granted=(Entry("812.7.1", 9_000, 1, 4.0), Entry("elsewhere", 18_900, 4, 20.0, is_open=False)),
    )
    assert messages.page("gpt-5.4-mini", status) == (
        "budget    of gpt-5.4-mini, shared by all processes of this account\n"
        "limit     30,000 tokens per minute, 500 requests per minute; bucket\n"
        "used      27,900 tokens, 5 requests, 2 workers\n"
        "closed    the service asked everybody to wait, 1.2 s more\n"
        "begun     1 that go first\n"
        "      2,800 tokens  to come     4.0 s  process 813, judge ffeeddcc\n"
        "queue     1 waiting\n"
        "     12,400 tokens  waits       3.0 s  process 812, diagnosis a1b2c3d4, trace analysis\n"
        "leases    1 under way, 1 settled\n"
        "      9,000 tokens  granted     4.0 s  process 812\n"
        "     18,900 tokens  settled    20.0 s  elsewhere\n"
    )


def test_the_meter_hears_what_each_request_cost() -> None:
    heard: list[int] = []
    budget = SharedBudget(MemoryLedger(Limits(tokens=1000)), tell=pytest.fail, meter=heard.append)
    budget.reserve(100).settle(70)
    budget.reserve(100).settle(0)
    assert heard == [70, 0]


@pytest.mark.parametrize("asked", ["999999999", "Fri, 01 Jan 2099 00:00:00 GMT", "Fri, 01 Jan 2099 00:00:00 -0000"])
def test_a_service_is_asked_again_after_ten_minutes_whatever_it_says(asked: str) -> None:
    budget = SharedBudget(MemoryLedger(Limits(tokens=10)), tell=lambda _: None)
    assert budget.refused({"retry-after": asked}, "no") == 600.0
    with pytest.raises(BudgetError, match=r"asked everybody to wait, .*'pytest-refinery budget --reset' ends the wait"):
        budget.reserve(1, timeout=0.0)


def test_the_foreseen_wait_counts_what_waits_and_what_is_to_come() -> None:
    limits = Limits(tokens=100, algorithm=WindowAlgorithm.BUCKET, guard=0.1)
    budget = SharedBudget(MemoryLedger(limits), tell=lambda _: None)
    assert budget.foreseen_wait(100) == 0.0
    budget.reserve(50, work=Work("w", remaining_tokens=150))
    assert budget.foreseen_wait(100) == pytest.approx(120.0, abs=1.0)
    budget.finish("w")
    assert budget.foreseen_wait(100) == pytest.approx(30.0, abs=1.0)
