from __future__ import annotations

import threading
from itertools import chain, repeat
from typing import TYPE_CHECKING

from pytest_refinery.analysis.concurrency import CutShort, run_all

if TYPE_CHECKING:
    from collections.abc import Callable


def for_ever() -> float:
    return 60.0


def test_every_call_gives_its_result_under_its_index() -> None:
    calls = [lambda number=number: number * 10 for number in range(20)]
    assert dict(run_all(calls, workers=4, seconds_left=for_ever)) == {number: number * 10 for number in range(20)}


def test_an_exception_is_a_result_and_stops_nobody() -> None:
    def fail() -> int:
        raise ValueError("no")

    results = dict(run_all([fail, lambda: 1], workers=1, seconds_left=for_ever))
    assert isinstance(results[0], ValueError)
    assert results[1] == 1


def test_calls_run_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=30)
    results = dict(run_all([meeting.wait] * 3, workers=3, seconds_left=for_ever))
    assert set(results) == {0, 1, 2}
    assert not any(isinstance(result, Exception) for result in results.values())


def test_no_more_calls_run_at_once_than_there_are_workers() -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def call() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1

    list(run_all([call] * 50, workers=2, seconds_left=for_ever))
    assert most[0] <= 2


def test_a_call_that_hangs_is_cut_short_and_the_finished_ones_are_kept() -> None:
    hanging, second = threading.Event(), threading.Event()
    left = chain([30.0], repeat(0.0))

    def hang() -> int:
        second.wait(30)
        hanging.wait(30)
        return 0

    def finish() -> int:
        second.set()
        return 1

    calls: list[Callable[[], int]] = [hang, finish]
    results = dict(run_all(calls, workers=2, seconds_left=lambda: next(left)))
    hanging.set()
    assert isinstance(results[0], CutShort)
    assert results[1] == 1


def test_after_the_end_no_further_call_is_started() -> None:
    started: list[int] = []
    gate = threading.Event()

    def call(number: int) -> None:
        started.append(number)
        gate.wait(30)

    calls = [lambda number=number: call(number) for number in range(5)]
    results = list(run_all(calls, workers=1, seconds_left=lambda: 0.0))
    gate.set()
    assert all(isinstance(result, CutShort) for _, result in results)
    assert len(started) <= 1


def test_no_calls_give_no_results() -> None:
    assert list(run_all([], workers=3, seconds_left=for_ever)) == []
