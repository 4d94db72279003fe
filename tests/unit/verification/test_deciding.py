from __future__ import annotations

import random
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis.schemas import Trials, VerificationStatus
from pytest_refinery.analysis.statistics import chance_of_more
from pytest_refinery.verification import deciding
from pytest_refinery.verification.deciding import Others, decide, more_trials, status

CONFIRMED, REFUTED, INCONCLUSIVE = (
    VerificationStatus.CONFIRMED,
    VerificationStatus.REFUTED,
    VerificationStatus.INCONCLUSIVE,
)
trials = st.integers(1, 30).flatmap(lambda n: st.integers(0, n).map(lambda passed: Trials(passed=passed, trials=n)))


def of(passed: int, number: int = 5) -> Trials:
    return Trials(passed=passed, trials=number)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (of(0), of(5), CONFIRMED),
        (of(0), of(4), CONFIRMED),
        (of(0), of(3), INCONCLUSIVE),
        (of(0), of(0), REFUTED),
        (of(0), of(1), INCONCLUSIVE),
        (of(4), of(0), REFUTED),
        (of(3), of(3), INCONCLUSIVE),
        (of(5), of(5), INCONCLUSIVE),
        (of(0, 3), of(3, 3), CONFIRMED),
        (of(0, 2), of(2, 2), INCONCLUSIVE),
        (of(0, 1), of(0, 1), INCONCLUSIVE),
        (of(0, 4), of(0, 4), INCONCLUSIVE),
    ],
)
def test_the_status_of_typical_trials(before: Trials, after: Trials, expected: VerificationStatus) -> None:
    assert status(before, after) is expected


@given(trials, trials)
def test_the_chance_is_one_of_all_ways(before: Trials, after: Trials) -> None:
    more = chance_of_more(before, after)
    assert 0 < more <= 1
    failed_instead = chance_of_more(
        of(before.trials - before.passed, before.trials), of(after.trials - after.passed, after.trials)
    )
    # The two ends together are all ways, and what was seen is in both.
    assert more + failed_instead > 1


@given(trials, trials)
def test_another_pass_with_the_fix_speaks_for_it(before: Trials, after: Trials) -> None:
    if after.passed < after.trials:
        better = of(after.passed + 1, after.trials)
        assert chance_of_more(before, better) <= chance_of_more(before, after)
        assert deciding.chance_of_so_few(better) > deciding.chance_of_so_few(after)


@given(trials, trials)
def test_so_many_more_trials_do_decide_and_one_less_does_not(before: Trials, after: Trials) -> None:
    if before.trials != after.trials or status(before, after) is not INCONCLUSIVE:
        return
    more = more_trials(before, after)
    if more is not None:
        number = after.trials + more
        scaled = [of(round(Fraction(each.passed * number, each.trials)), number) for each in (before, after)]
        assert status(*scaled) is not INCONCLUSIVE


@pytest.mark.parametrize("number", [3, 5, 8, 12])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_useless_fix_is_rarely_confirmed(number: int, rate: float) -> None:
    assert _share(number, rate, rate, CONFIRMED) <= 0.05


@pytest.mark.parametrize("number", [3, 5, 8, 12])
@pytest.mark.parametrize("rate", [0.5, 0.6, 0.8, 1.0])
def test_a_fix_that_works_is_rarely_refuted(number: int, rate: float) -> None:
    assert _share(number, 0.0, rate, REFUTED) <= 0.05


def _share(number: int, before: float, after: float, wrong: VerificationStatus) -> float:
    """Return the share of 10,000 simulated verifications that end in the wrong status."""
    draw = random.Random(f"{number} {before} {after}")  # noqa: S311  (simulated)

    def passed(rate: float) -> int:
        return sum(draw.random() < rate for _ in range(number))

    return sum(_status(passed(before), passed(after), number) is wrong for _ in range(10_000)) / 10_000


@cache
def _status(before: int, after: int, number: int) -> VerificationStatus:
    return status(of(before, number), of(after, number))


def test_what_others_lose_refutes_a_fix_that_helps() -> None:
    found = decide(of(0), of(5), Others(lost=("a.refinery.yaml::b",), unchanged=3), how="rerun")
    assert (found.status, found.lost, found.unchanged) == (REFUTED, ("a.refinery.yaml::b",), 3)
    assert "a.refinery.yaml::b" in found.why


def test_what_others_may_lose_leaves_it_open() -> None:
    found = decide(of(0), of(5), Others(doubtful=("a.refinery.yaml::b",)), how="rerun")
    assert (found.status, found.lost) == (INCONCLUSIVE, ())
    assert "a.refinery.yaml::b" in found.why


def test_an_open_verdict_says_how_many_more_trials_would_decide() -> None:
    found = decide(of(0), of(3), how="rerun")
    assert found.why == "It may be chance: 1 more trial each would decide it at these rates."


def test_what_nobody_could_decide_is_said() -> None:
    found = decide(of(0), of(5), Others(undecided=2), how="rerun")
    assert (found.status, found.why) == (CONFIRMED, "Other expectations that could not be decided: 2.")
