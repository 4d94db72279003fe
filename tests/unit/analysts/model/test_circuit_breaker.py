from __future__ import annotations

import pytest

from pytest_refinery.analysts.model.circuit_breaker import CircuitBreaker
from pytest_refinery.analysts.model.service_errors import AccountRejected, TransientError
from tests.fakes import FakeClock

DOWN = TransientError("It is down.")


def broken(clock: FakeClock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock)
    assert [breaker.failed(DOWN) for _ in range(5)] == [True, True, True, True, False]
    return breaker


def test_after_failures_in_a_row_one_request_passes_once_in_a_while() -> None:
    clock = FakeClock()
    breaker, passed = broken(clock), []
    for second in range(200):
        clock.now = second
        try:
            breaker.check()
        except TransientError:
            continue
        passed.append(second)
        assert not breaker.failed(DOWN)
    assert passed == [15, 45, 105]


def test_an_answer_lets_everything_pass_again() -> None:
    clock = FakeClock()
    breaker = broken(clock)
    clock.now = 20
    breaker.check()
    breaker.succeeded()
    breaker.check()
    assert breaker.failed(DOWN)


def test_failures_with_answers_in_between_are_not_in_a_row() -> None:
    breaker = CircuitBreaker(FakeClock())
    for _ in range(20):
        assert breaker.failed(DOWN)
        breaker.succeeded()


def test_a_rejected_account_is_rejected_for_good() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock)
    breaker.close_for_good(AccountRejected("No such key."))
    breaker.succeeded()
    clock.now = 9_999
    for _ in range(2):
        with pytest.raises(AccountRejected, match="No such key") as caught:
            breaker.check()
        assert caught.value.__cause__ is None
