from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.budget.state_ledger import MemoryLedger
from pytest_refinery.budget.token_budget import InProcessQueue, SharedBudget
from pytest_refinery.budget.window import Limits

if TYPE_CHECKING:
    from pytest_refinery.budget.ledger import QueuePosition, Request


def places(queue: InProcessQueue, *numbers: int, stack: ExitStack) -> list[threading.Event]:
    return [stack.enter_context(queue.enter(number, f"work {number}")) for number in numbers]


def test_only_the_first_three_look() -> None:
    queue = InProcessQueue()
    with ExitStack() as stack:
        waiting = places(queue, 1, 2, 3, 4, 5, stack=stack)
        assert [each.is_set() for each in waiting] == [True, True, True, False, False]


def test_a_thread_that_leaves_calls_the_next() -> None:
    queue, first = InProcessQueue(), ExitStack()
    with ExitStack() as stack:
        places(queue, 1, stack=first)
        waiting = places(queue, 2, 3, 4, stack=stack)
        assert not waiting[2].is_set()
        first.close()
        assert waiting[2].is_set()


def test_a_work_that_has_begun_looks_first() -> None:
    queue = InProcessQueue()
    with ExitStack() as stack:
        waiting = places(queue, 1, 2, 3, 4, 5, stack=stack)
        queue.begin("work 5")
        assert waiting[4].is_set()
        assert not waiting[3].is_set()


def test_an_earlier_place_that_comes_late_is_called_too() -> None:
    line = InProcessQueue()
    with line.enter(5), line.enter(4) as earlier:
        assert earlier.is_set()


def test_two_of_one_place_do_not_hold_each_other_up() -> None:
    line, first = InProcessQueue(), ExitStack()
    first.enter_context(line.enter(1))
    with line.enter(1) as other:
        first.close()
        assert other.is_set()


def test_after_a_fork_the_parents_threads_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    line = InProcessQueue()
    with ExitStack() as parent:
        parent.enter_context(line.enter(1))
        monkeypatch.setattr("os.getpid", lambda: -1)
        with line.enter(2) as child:
            assert child.is_set()
        parent.pop_all()


class Counting(MemoryLedger):
    """A ledger that counts how often it is asked."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.steps = 0

    def poll(self, request: Request) -> QueuePosition:
        self.steps += 1
        return super().poll(request)


def test_a_crowd_of_threads_asks_little_more_than_each_once() -> None:
    ledger, crowd = Counting(Limits(tokens=1000, minute=0.3, guard=0.0)), 200
    budget = SharedBudget(ledger, tell=pytest.fail)
    budget.reserve(1000).settle(1000)
    granted: list[float] = []
    threads = [threading.Thread(target=lambda: granted.append(budget.reserve(5).seconds_waited)) for _ in range(crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == crowd
    assert ledger.steps < 4 * crowd


def test_who_waits_behind_another_can_be_cancelled() -> None:
    budget = SharedBudget(MemoryLedger(Limits(tokens=10)), tell=lambda _: None)
    budget.reserve(10)
    cancelled, problems = threading.Event(), []

    def wait_in_vain() -> None:
        try:
            budget.reserve(10, cancelled=cancelled)
        except Exception as error:  # noqa: BLE001  (what it is, is the test's question)
            problems.append(str(error))

    threads = [threading.Thread(target=wait_in_vain) for _ in range(3)]
    for thread in threads:
        thread.start()
    cancelled.set()
    for thread in threads:
        thread.join(10)
    assert problems == ["The request for 10 tokens was given up while it waited for the token budget."] * 3
