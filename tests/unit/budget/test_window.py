from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.budget.window import Bucket, Meter, SlidingMinute

MINUTE = 60.0
LIMIT = 1000
AMOUNTS = st.lists(st.integers(1, LIMIT), min_size=1, max_size=60)


def starts(meter: Meter, amounts: list[int]) -> list[float]:
    """Return when each amount starts, if all of them stand in the queue at time 0."""
    at = 0.0
    times = []
    for amount in amounts:
        at = meter.earliest(amount, not_before=at)
        meter.charge(amount, at)
        times.append(at)
    return times


def most_in_a_minute(times: list[float], amounts: list[int]) -> int:
    """Return the most that any minute holds, its end excluded."""
    charges = list(zip(times, amounts, strict=True))
    return max(sum(amount for at, amount in charges if end - MINUTE < at <= end) for end in times)


def least_in_bucket(times: list[float], amounts: list[int]) -> float:
    """Return how little a full bucket of the limit ever holds."""
    level, last, least = float(LIMIT), 0.0, float(LIMIT)
    for at, amount in zip(times, amounts, strict=True):
        level = min(LIMIT, level + (at - last) * LIMIT / MINUTE) - amount
        last = at
        least = min(least, level)
    return least


@given(AMOUNTS)
def test_no_minute_holds_more_than_the_limit(amounts: list[int]) -> None:
    assert most_in_a_minute(starts(SlidingMinute(LIMIT, MINUTE), amounts), amounts) <= LIMIT


@given(AMOUNTS)
def test_a_sliding_minute_never_empties_a_bucket_either(amounts: list[int]) -> None:
    assert least_in_bucket(starts(SlidingMinute(LIMIT, MINUTE), amounts), amounts) >= -1e-6


@given(AMOUNTS)
def test_a_bucket_is_never_overdrawn(amounts: list[int]) -> None:
    assert least_in_bucket(starts(Bucket(LIMIT, MINUTE), amounts), amounts) >= -1e-6


@given(AMOUNTS)
def test_a_bucket_waits_no_longer_than_its_formula_says(amounts: list[int]) -> None:
    assert starts(Bucket(LIMIT, MINUTE), amounts)[-1] <= max(0.0, MINUTE * (sum(amounts) / LIMIT - 1)) + 0.001


@pytest.mark.parametrize(("amount", "seconds"), [(300, 0.0), (301, 60.0), (900, 60.0), (901, 70.0), (1000, 70.0)])
def test_a_sliding_minute_waits_for_the_oldest_charges_to_leave(amount: int, seconds: float) -> None:
    meter = SlidingMinute(LIMIT, MINUTE, [(0.0, 600), (10.0, 100)])
    assert meter.earliest(amount, not_before=20.0) == max(20.0, seconds)


def test_a_bucket_waits_for_the_rest_to_be_refilled() -> None:
    meter = Bucket(LIMIT, MINUTE)
    meter.charge(1000, 0.0)
    assert meter.earliest(500, not_before=0.0) == pytest.approx(30.0, abs=0.001)


def test_75000_tokens_at_30000_a_minute_take_90_seconds_from_a_bucket_and_120_in_sliding_minutes() -> None:
    amounts = [500] * 150
    assert starts(Bucket(30_000, MINUTE), amounts)[-1] == pytest.approx(90.0, abs=0.001)
    assert starts(SlidingMinute(30_000, MINUTE), amounts)[-1] == 120.0


@pytest.mark.parametrize("meter", [SlidingMinute(LIMIT, MINUTE), Bucket(LIMIT, MINUTE)], ids=["sliding", "bucket"])
def test_what_is_above_the_limit_waits_until_nothing_else_is_used(meter: Meter) -> None:
    meter.charge(1, 0.0)
    at = meter.earliest(LIMIT * 2, not_before=0.0)
    assert 0.0 < at <= MINUTE
    assert meter.used(at) == pytest.approx(0.0, abs=0.001)


def test_a_charge_older_than_the_latest_counts_as_long_as_that() -> None:
    meter = SlidingMinute(LIMIT, MINUTE, [(10.0, 500)])
    meter.charge(500, 5.0)
    assert meter.earliest(501, not_before=65.0) == 70.0


def test_a_bucket_counts_no_refill_before_its_last_charge() -> None:
    meter = Bucket(LIMIT, MINUTE)
    meter.charge(600, 6.0)
    assert meter.used(6.0) == 600
    assert meter.used(0.0) == 700
