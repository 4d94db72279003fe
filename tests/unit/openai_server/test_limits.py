from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.openai_server.limits import Bucket, SlidingMinute, duration, meter, most_in_any_minute

LIMIT = 100
ARRIVALS = st.lists(st.tuples(st.integers(0, 30_000), st.integers(1, LIMIT)), max_size=60)


def admitted(kind: str, arrivals: list[tuple[int, int]]) -> list[tuple[float, int]]:
    """Return the arrivals (milliseconds after the last, amount) that a meter of 100 a minute lets in."""
    limit = SlidingMinute(LIMIT, 60) if kind == "sliding" else Bucket(LIMIT, 60)
    found, now = [], 0.0
    for milliseconds, amount in arrivals:
        now += milliseconds / 1000
        if limit.seconds_until_free(amount, now) == 0:
            limit.charge(amount, now)
            found.append((now, amount))
    return found


@given(ARRIVALS)
def test_no_minute_exceeds_the_sliding_limit(arrivals: list[tuple[int, int]]) -> None:
    assert most_in_any_minute(admitted("sliding", arrivals), 60) <= LIMIT


@given(ARRIVALS)
def test_no_minute_of_a_bucket_holds_more_than_twice_its_limit(arrivals: list[tuple[int, int]]) -> None:
    assert most_in_any_minute(admitted("bucket", arrivals), 60) <= 2 * LIMIT


@given(ARRIVALS)
def test_what_a_sliding_minute_lets_in_never_overfills_a_bucket(arrivals: list[tuple[int, int]]) -> None:
    bucket = Bucket(LIMIT, 60)
    for now, amount in admitted("sliding", arrivals):
        assert bucket.seconds_until_free(amount, now) == pytest.approx(0, abs=1e-6)
        bucket.charge(amount, now)


@pytest.mark.parametrize("model", ["bucket", "sliding"])
@given(arrivals=ARRIVALS, amount=st.integers(1, LIMIT))
def test_who_waits_as_long_as_told_is_let_in_and_not_a_moment_sooner(
    model: str,
    arrivals: list[tuple[int, int]],
    amount: int,
) -> None:
    limit = SlidingMinute(LIMIT, 60) if model == "sliding" else Bucket(LIMIT, 60)
    charges = admitted(model, arrivals)
    for at, charged in charges:
        limit.charge(charged, at)
    now = charges[-1][0] if charges else 0.0
    wait = limit.seconds_until_free(amount, now)
    if wait > 0.01:
        assert limit.seconds_until_free(amount, now + wait - 0.005) > 0
    assert limit.seconds_until_free(amount, now + wait + 1e-6) == 0


def test_a_bucket_refills_continuously() -> None:
    bucket = Bucket(30_000, 60)
    bucket.charge(30_000, 0.0)
    assert bucket.seconds_until_free(663, 0.0) == pytest.approx(1.326)
    assert bucket.used(30.0) == 15_000
    assert bucket.used(90.0) == 0


def test_a_sliding_minute_frees_a_charge_when_it_is_a_minute_old() -> None:
    minute = SlidingMinute(30_000, 60)
    minute.charge(20_000, 0.0)
    minute.charge(10_000, 10.0)
    assert minute.seconds_until_free(15_000, 15.0) == 45
    assert minute.seconds_until_free(25_000, 15.0) == 55
    assert minute.used(60.0) == 10_000


@pytest.mark.parametrize("model", ["bucket", "sliding"])
def test_what_is_given_back_can_be_used_again(model: str) -> None:
    limit = meter("bucket" if model == "bucket" else "sliding", 100, 60)
    limit.charge(100, 0.0)
    limit.charge(-40, 0.0)
    assert limit.seconds_until_free(40, 0.0) == 0


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9)), max_size=30), st.integers(1, 100))
def test_the_fullest_minute_is_the_one_that_counting_each_of_them_finds(
    charges: list[tuple[float, int]],
    minute: int,
) -> None:
    every = [sum(amount for at, amount in charges if start <= at < start + minute) for start in range(301)]
    assert most_in_any_minute(charges, minute) == max(every)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.002, "2ms"), (0.374, "374ms"), (1.326, "1.326s"), (20, "20s"), (60, "1m0s"), (360, "6m0s")],
)
def test_durations_are_written_as_the_service_writes_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
