from __future__ import annotations

import pytest

from pytest_refinery.analysis.diagnosis_job import TimedJob
from pytest_refinery.analysis.ports import Stage
from pytest_refinery.analysis.schemas import StageReport
from tests.fakes import FakeClock


def test_the_time_runs_out() -> None:
    clock = FakeClock(10)
    job = TimedJob(30, clock=clock)
    clock.now = 25
    assert job.seconds_left() == 15
    clock.now = 50
    assert job.seconds_left() == -10


def test_costs_add_up_by_stage() -> None:
    clock = FakeClock()
    job = TimedJob(30, clock=clock)
    job.spent(Stage.TRACE_ANALYSIS, input_tokens=100, output_tokens=10)
    job.spent(Stage.TRACE_ANALYSIS, input_tokens=50)
    clock.now = 7
    expected = StageReport(name=Stage.TRACE_ANALYSIS, calls=2, input_tokens=150, output_tokens=10, seconds=7.0)
    assert job.report(Stage.TRACE_ANALYSIS, started=0.0) == expected
    assert job.report(Stage.DIAGNOSIS, started=7.0, calls=1) == StageReport(name=Stage.DIAGNOSIS, calls=1)


def test_requests_that_wait_side_by_side_wait_once() -> None:
    clock = FakeClock()
    job = TimedJob(100, clock=clock)
    with job.waiting(Stage.TRACE_ANALYSIS):
        clock.now = 5
        with job.waiting(Stage.TRACE_ANALYSIS):
            clock.now = 10
        clock.now = 15
    clock.now = 20
    with job.waiting(Stage.TRACE_ANALYSIS):
        clock.now = 22
    assert job.report(Stage.TRACE_ANALYSIS, started=0.0).seconds_waited == 17


def test_the_time_stands_still_while_all_that_is_asked_for_waits() -> None:
    clock = FakeClock()
    job = TimedJob(100, clock=clock)
    with job.waiting(Stage.TRACE_ANALYSIS):
        clock.now = 30
        assert job.seconds_left() == 100
        with job.asking():
            clock.now = 40
        assert job.seconds_left() == 90
        clock.now = 70
    assert (job.seconds_left(), job.is_out_of_time) == (90, False)
    clock.now = 160
    assert (job.seconds_left(), job.is_out_of_time) == (0, True)


@pytest.mark.parametrize(("max_wait", "foreseen", "most"), [(50, 900, 50), (None, 10, 120), (None, 300, 600)])
def test_waiting_for_others_has_an_end(max_wait: float | None, foreseen: float, most: float) -> None:
    clock = FakeClock()
    job = TimedJob(100, max_wait=max_wait, clock=clock)
    assert job.wait_left(lambda: foreseen) == most
    with job.waiting(Stage.JUDGE):
        clock.now = 40
        assert job.wait_left(lambda: 5_000) == most - 40
        assert not job.is_out_of_time
        clock.now = most
        assert job.is_out_of_time


def test_what_is_asked_for_counts_down_what_is_expected() -> None:
    job = TimedJob(30)
    job.expects(1_000)
    job.expects(500)
    assert [job.reserves(600), job.reserves(600), job.reserves(600)] == [900, 300, 0]


def test_its_end_is_announced_once() -> None:
    job, ended = TimedJob(30), []
    job.at_end(lambda: ended.append("now"))
    job.finish()
    job.finish()
    assert (ended, job.cancelled.is_set()) == (["now"], True)


def test_a_note_is_kept_once() -> None:
    job = TimedJob(30)
    for note in ("one", "two", "one"):
        job.note(note)
    assert job.notes == ("one", "two")
