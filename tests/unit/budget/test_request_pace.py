"""Requests of several processes are spread so that a limit is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.budget.request_pace import Lane, RequestPace
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


def booked(pace: RequestPace, times: int, *, requests: int = 2, seconds: float = 10.0) -> list[float]:
    return [pace.book("lane", requests=requests, seconds=seconds) for _ in range(times)]


def test_requests_within_the_limit_do_not_wait(tmp_path: Path) -> None:
    assert booked(RequestPace(tmp_path / "pace.json", clock=FakeClock(100.0)), 2) == [0, 0]


def test_the_next_waits_for_the_oldest_to_leave_the_window(tmp_path: Path) -> None:
    clock = FakeClock(100.0)
    pace = RequestPace(tmp_path / "pace.json", clock=clock)
    booked(pace, 1)
    clock.now = 104.0
    assert booked(pace, 3) == pytest.approx([0, 6.25, 10.25])


def test_processes_share_the_limit(tmp_path: Path) -> None:
    clock = FakeClock(100.0)
    first, second = (RequestPace(tmp_path / "pace.json", clock=clock) for _ in range(2))
    assert booked(first, 2) + booked(second, 1) == pytest.approx([0, 0, 10.25])


def test_lanes_have_limits_of_their_own(tmp_path: Path) -> None:
    pace = RequestPace(tmp_path / "pace.json", clock=FakeClock(100.0))
    booked(pace, 2)
    assert pace.book("other", requests=2, seconds=10.0) == 0


def test_nobody_sends_while_a_lane_is_held(tmp_path: Path) -> None:
    clock = FakeClock(100.0)
    RequestPace(tmp_path / "pace.json", clock=clock).hold("lane", 30.0)
    assert booked(RequestPace(tmp_path / "pace.json", clock=clock), 1) == [30]


@pytest.mark.parametrize("boot", ["another", None])
def test_times_of_another_start_of_the_machine_mean_nothing(tmp_path: Path, boot: str | None) -> None:
    path = tmp_path / "pace.json"
    clock = FakeClock(1_000_000.0)
    RequestPace(path, clock=clock).hold("lane", 30.0)
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | ({"boot": boot} if boot else {})))
    # Where nothing tells one start from the next, the times of the last are those of a future.
    clock.now = 50.0
    assert booked(RequestPace(path, clock=clock), 1) == [0]


@pytest.mark.parametrize(
    "written", ["", "[]", "{}", '{"boot": "x"', '{"lanes": {"lane": [1, 2, 3]}}', "null", "\udcff"]
)
def test_a_file_of_somebody_else_counts_for_nothing(tmp_path: Path, written: str) -> None:
    path = tmp_path / "pace.json"
    path.write_text(written, errors="surrogateescape")
    assert booked(RequestPace(path, clock=FakeClock(5.0)), 1) == [0]


def test_where_there_can_be_no_file_each_process_counts_for_itself(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    clock = FakeClock(100.0)
    first, second = (RequestPace(tmp_path / "taken" / "pace.json", clock=clock) for _ in range(2))
    assert booked(first, 3) == pytest.approx([0, 0, 10.25])
    assert booked(second, 1) == [0]


@given(
    pauses=st.lists(st.floats(0, 30), max_size=60),
    requests=st.integers(1, 5),
    seconds=st.floats(0.5, 20),
)
def test_no_window_ever_holds_more_than_the_limit(pauses: list[float], requests: int, seconds: float) -> None:
    lane, now, sent = Lane(), 0.0, []
    for pause in pauses:
        now += pause
        sent.append(lane.book(now, requests=requests, seconds=seconds))
    assert sent == sorted(sent)
    together = [sum(at <= other < at + seconds for other in sent) for at in sent]
    assert max(together, default=0) <= requests
