"""The budget of a replay."""

from __future__ import annotations

import pytest

from pytest_refinery.budget.unmetered import UnmeteredBudget
from pytest_refinery.errors import RequestTooLargeError

LIMIT = 30_000


def test_every_request_is_granted_at_once() -> None:
    budget = UnmeteredBudget(LIMIT)
    for _ in range(100):
        lease = budget.reserve(LIMIT, timeout=0.0)
        assert lease.seconds_waited == 0
        lease.settle(LIMIT)


def test_what_was_too_large_to_be_sent_is_too_large_again() -> None:
    with pytest.raises(RequestTooLargeError, match="30,001 tokens can never pass a limit of 30,000"):
        UnmeteredBudget(LIMIT).reserve(LIMIT + 1)


def test_a_recorded_refusal_is_followed_by_the_next_request_without_a_pause() -> None:
    message = "Rate limit reached for m on tokens per min (TPM): Limit 30000, Used 30000. Please try again in 6m0s."
    assert UnmeteredBudget(LIMIT).refused({"retry-after": "360"}, message, code="rate_limit_exceeded") == 0


def test_a_recorded_refusal_that_was_final_is_final_again() -> None:
    message = "Request too large for m on tokens per min (TPM): Limit 9000, Requested 76503."
    budget = UnmeteredBudget(LIMIT)
    assert budget.refused({}, message, code="rate_limit_exceeded") is None
    assert budget.largest_request == 9_000


def test_a_lower_limit_is_learnt_from_the_recorded_headers_and_a_higher_one_is_not() -> None:
    budget = UnmeteredBudget(LIMIT)
    budget.observe({"x-ratelimit-limit-tokens": "200000"})
    assert budget.largest_request == LIMIT
    budget.observe({"x-ratelimit-limit-tokens": "10000"})
    assert budget.largest_request == 10_000
