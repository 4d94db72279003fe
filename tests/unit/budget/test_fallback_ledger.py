from __future__ import annotations

import itertools
import threading

import pytest

from pytest_refinery.budget import owners
from pytest_refinery.budget.fallback_ledger import FallbackLedger
from pytest_refinery.budget.ledger import Ledger, LedgerUnavailableError, Memory, QueuePosition, Request, Status
from pytest_refinery.budget.state_ledger import MemoryLedger
from pytest_refinery.budget.window import Limits
from pytest_refinery.rate_limit_headers import Observation

LIMITS = Limits(tokens=1000)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Shaky:
    """A ledger that can be out of reach."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.is_up = True

    def _reached(self) -> Ledger:
        if not self.is_up:
            raise LedgerUnavailableError("no answer")
        return self.ledger

    def poll(self, request: Request) -> QueuePosition:
        return self._reached().poll(request)

    def settle(self, request_id: str, tokens: int, *, seconds: float | None = None) -> None:
        self._reached().settle(request_id, tokens, seconds=seconds)

    def withdraw(self, request_id: str) -> None:
        self._reached().withdraw(request_id)

    def finish(self, work: str) -> None:
        self._reached().finish(work)

    def memory(self) -> Memory | None:
        return self.ledger.memory()

    def take_over(self, memory: Memory) -> None:
        self._reached().take_over(memory)

    def charge(self, tokens: int, requests: int) -> None:
        self._reached().charge(tokens, requests)

    def limited(self, seconds: float) -> None:
        self._reached().limited(seconds)

    def observe(self, seen: Observation, *, age: float) -> None:
        self._reached().observe(seen, age=age)

    def status(self) -> Status:
        return self._reached().status()

    def reset(self) -> None:
        self._reached().reset()


class House:
    """A shaky ledger, another one for the meantime, and both behind one door."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.first = Shaky(MemoryLedger(LIMITS, clock=self.clock))
        self.second = MemoryLedger(LIMITS, clock=self.clock)
        self.said: list[str] = []
        self.ledger = FallbackLedger(
            self.first, self.second, tell=self.said.append, meanwhile="We go on.", clock=self.clock
        )


@pytest.fixture
def house() -> House:
    return House()


def test_while_the_first_is_reached_the_second_knows_nothing(house: House) -> None:
    house.ledger.poll(Request("a", 400, 1))
    house.ledger.settle("a", 300)
    house.ledger.charge(100, 1)
    house.ledger.limited(0.0)
    house.ledger.observe(Observation(), age=0.0)
    assert house.ledger.status().used_tokens == 400
    assert house.second.status().used_tokens == 0
    assert house.said == []


def test_without_the_first_the_second_is_asked_and_the_user_told_once(house: House) -> None:
    house.first.is_up = False
    assert house.ledger.poll(Request("a", 1000, 1)).is_granted
    assert not house.ledger.poll(Request("b", 1, 1)).is_granted
    assert house.said == ["The shared token budget is out of reach: no answer. We go on."]


def test_on_the_return_what_was_granted_meanwhile_is_booked_in_the_first(house: House) -> None:
    house.first.is_up = False
    house.ledger.poll(Request("a", 1000, 1))
    house.ledger.settle("a", 700)
    house.first.is_up = True
    house.clock.now += 20.0
    assert not house.ledger.poll(Request("b", 301, 1)).is_granted
    assert house.first.ledger.status().used_tokens == 700
    assert house.said[1] == "The shared token budget is in use again."


def test_what_is_over_by_then_is_not_booked(house: House) -> None:
    house.first.is_up = False
    house.ledger.poll(Request("a", 1000, 1))
    house.first.is_up = True
    house.clock.now += 61.0
    assert house.ledger.poll(Request("b", 1000, 1)).is_granted


def test_the_first_is_not_asked_again_at_once(house: House) -> None:
    house.first.is_up = False
    house.ledger.poll(Request("a", 1, 1))
    house.first.is_up = True
    house.ledger.poll(Request("b", 1, 1))
    assert house.first.ledger.status().used_tokens == 0


def test_a_request_that_waits_moves_with_the_others(house: House) -> None:
    house.ledger.poll(Request("a", 1000, 1))
    place = house.ledger.poll(Request("b", 600, 1)).place
    house.first.is_up = False
    house.second.poll(Request("other", 1000, 1))
    there = house.ledger.poll(Request("b", 600, 1, place))
    assert not there.is_granted
    house.first.is_up = True
    house.clock.now += 61.0
    assert house.ledger.poll(Request("b", 600, 1, there.place)).is_granted
    assert house.second.status().waiting == ()


def test_a_lease_of_the_first_that_ends_meanwhile_disturbs_nobody(house: House) -> None:
    house.ledger.poll(Request("a", 1000, 1))
    house.ledger.poll(Request("b", 1000, 1))
    house.first.is_up = False
    house.ledger.settle("a", 1)
    house.ledger.withdraw("b")
    assert house.said == ["The shared token budget is out of reach: no answer. We go on."]
    assert house.ledger.status().used_tokens == 1


def test_what_the_first_had_granted_counts_in_the_second(house: House) -> None:
    house.ledger.poll(Request("a", 900, 1))
    house.first.is_up = False
    assert not house.ledger.poll(Request("b", 200, 1)).is_granted
    assert house.ledger.poll(Request("c", 100, 1)).is_granted
    house.clock.now += 61.0
    assert house.ledger.poll(Request("b", 200, 1)).is_granted


def test_where_others_use_the_first_all_of_it_counts_in_the_second(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(owners, "this_process", lambda: "1.2.3")
        house.first.poll(Request("other", 1, 1))
    house.ledger.poll(Request("a", 1, 1))
    house.first.is_up = False
    assert not house.ledger.poll(Request("b", 1, 1)).is_granted


def test_threads_that_are_granted_something_meanwhile_do_not_disturb_the_return(house: House) -> None:
    house.first.is_up = False
    numbers = itertools.count()
    problems: list[BaseException] = []
    done = threading.Event()

    def use() -> None:
        try:
            while not done.is_set():
                name = f"r{next(numbers)}"
                house.ledger.poll(Request(name, 1, 1))
                house.ledger.settle(name, 0)
        except BaseException as error:  # noqa: BLE001  (what it is, is the test's question)
            problems.append(error)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        house.first.is_up = not house.first.is_up
        house.clock.now += 16.0
        house.ledger.charge(0, 0)
    done.set()
    for thread in threads:
        thread.join(10)
    assert problems == []
    assert house.ledger._home == {}  # noqa: SLF001  (nothing is kept of what has ended)


def test_a_lease_of_the_second_can_be_cancelled(house: House) -> None:
    house.first.is_up = False
    house.ledger.poll(Request("a", 1000, 1))
    house.ledger.withdraw("a")
    assert house.ledger.poll(Request("b", 1000, 1)).is_granted


def test_a_reset_clears_both(house: House) -> None:
    house.ledger.poll(Request("a", 1000, 1))
    house.second.poll(Request("b", 1000, 1))
    house.ledger.reset()
    assert house.first.ledger.status().used_tokens == house.second.status().used_tokens == 0
