"""Whole diagnoses under one limit, without processes: all end, in little more than the least time."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_refinery.budget.window import Limits, WindowAlgorithm
from tests.unit.budget.simulation import Outcome, Simulation, first_come_first_served, pieces

SLIDING = Limits(tokens=30_000)
BUCKET = Limits(tokens=30_000, algorithm=WindowAlgorithm.BUCKET)


def longest_work(outcome: Outcome) -> float:
    begun: dict[str, float] = {}
    for each in outcome.sent:
        begun.setdefault(each.work, each.granted)
    return max(outcome.finished[name] - at for name, at in begun.items())


def most_in_a_minute(outcome: Outcome) -> int:
    times = [(each.granted, each.tokens) for each in outcome.sent]
    return max(sum(tokens for at, tokens in times if end - 60.0 < at <= end) for end, _ in times)


@pytest.mark.parametrize("workers", [1, 2, 8, 16])
def test_a_bucket_is_used_whole(workers: int) -> None:
    outcome = Simulation(pieces(18, seed=1, largest=16_500), BUCKET, workers=workers).run()
    assert len(outcome.finished) == 18
    assert outcome.seconds <= 1.10 * outcome.least(BUCKET)


@pytest.mark.parametrize("workers", [2, 4, 8, 16])
def test_a_sliding_minute_wastes_at_most_one(workers: int) -> None:
    outcome = Simulation(pieces(18, seed=1, largest=16_500), SLIDING, workers=workers).run()
    assert len(outcome.finished) == 18
    assert outcome.seconds <= outcome.least(SLIDING) + 75.0


def test_work_that_has_begun_ends_soon() -> None:
    work = pieces(18, seed=0, largest=16_500)
    ours = Simulation(work, SLIDING, workers=16).run()
    with first_come_first_served():
        in_order_of_arrival = Simulation(work, SLIDING, workers=16, names_work=False).run()
    assert longest_work(ours) < 120.0
    assert longest_work(in_order_of_arrival) > 180.0


@settings(max_examples=15, deadline=None)
@given(
    number=st.integers(1, 12),
    seed=st.integers(0, 1000),
    workers=st.sampled_from([1, 3, 8]),
    tokens=st.sampled_from([10_000, 30_000, 200_000]),
    overestimate=st.floats(1.0, 1.3),
)
def test_every_work_ends_and_no_minute_exceeds_the_limit(
    number: int, seed: int, workers: int, tokens: int, overestimate: float
) -> None:
    limits = Limits(tokens=tokens)
    work = pieces(number, seed=seed, largest=min(16_500, tokens // 3))
    outcome = Simulation(work, limits, workers=workers, overestimate=overestimate).run()
    costs: defaultdict[str, int] = defaultdict(int)
    for each in outcome.sent:
        costs[each.work] += each.tokens
    assert costs == {piece.name: piece.tokens for piece in work}
    assert most_in_a_minute(outcome) <= tokens
