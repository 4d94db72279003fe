from __future__ import annotations

import pytest

from pytest_refinery.analysis.job import Costs, TimedJob
from pytest_refinery.analysis.ports import Stage
from tests.fakes import FakeClock


def test_the_time_runs_out() -> None:
    clock = FakeClock(10)
    job = TimedJob(30, clock=clock)
    clock.now = 25
    assert job.seconds_left() == 15
    clock.now = 50
    assert job.seconds_left() == -10


def test_costs_add_up_by_stage() -> None:
    job = TimedJob(30)
    job.spent(Stage.TRACE_ANALYSIS, input_tokens=100, output_tokens=10)
    job.spent(Stage.TRACE_ANALYSIS, input_tokens=50)
    assert job.costs(Stage.TRACE_ANALYSIS) == Costs(calls=2, input_tokens=150, output_tokens=10)
    assert job.costs(Stage.DIAGNOSIS) == Costs()


@pytest.mark.parametrize(
    ("waits", "seconds"),
    [
        ([(10, 10)], 10),
        ([(10, 10), (10, 10), (10, 10)], 10),
        ([(10, 10), (15, 10)], 15),
        ([(10, 5), (30, 5)], 10),
        ([(30, 25), (10, 2)], 25),
    ],
)
def test_requests_that_wait_side_by_side_wait_once(waits: list[tuple[float, float]], seconds: float) -> None:
    clock = FakeClock()
    job = TimedJob(100, clock=clock)
    for until, lasted in waits:
        clock.now = until
        job.waited(Stage.TRACE_ANALYSIS, lasted)
    assert job.costs(Stage.TRACE_ANALYSIS).seconds_waited == seconds


def test_a_note_is_kept_once() -> None:
    job = TimedJob(30)
    for note in ("one", "two", "one"):
        job.note(note)
    assert job.notes == ("one", "two")
