"""The tests and intervals, against scipy where it is installed and against what is known by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis import statistics
from pytest_refinery.analysis.schemas import Trials

# At collection: numpy cannot be loaded again once a run inside this process has forgotten it.
stats = pytest.importorskip("scipy.stats")


@st.composite
def counted(draw: st.DrawFn) -> Trials:
    trials = draw(st.integers(1, 30))
    return Trials(passed=draw(st.integers(0, trials)), trials=trials)


def test_a_fix_that_turns_every_trial_is_beyond_chance() -> None:
    assert statistics.chance_of_more(Trials(passed=0, trials=5), Trials(passed=5, trials=5)) == Fraction(1, 252)


def test_changes_for_the_worse_alone_are_beyond_chance_from_five_on() -> None:
    assert statistics.chance_of_worse(0, 4) == Fraction(1, 16)
    assert statistics.chance_of_worse(0, 5) == Fraction(1, 32)
    assert statistics.chance_of_worse(0, 0) == 1


def test_pass_k_is_not_estimated_from_fewer_trials() -> None:
    assert statistics.chance_that_all_pass(Trials(passed=4, trials=5), 2) == pytest.approx(0.6)
    assert statistics.chance_that_all_pass(Trials(passed=4, trials=5), 6) is None


@given(counted(), counted(), st.integers(0, 30), st.integers(0, 30))
def test_they_are_what_scipy_says(before: Trials, after: Trials, better: int, worse: int) -> None:
    table = [[after.passed, after.trials - after.passed], [before.passed, before.trials - before.passed]]
    assert float(statistics.chance_of_more(before, after)) == pytest.approx(
        stats.fisher_exact(table, alternative="greater").pvalue
    )
    if better + worse:
        sign = stats.binomtest(worse, better + worse, alternative="greater")
        assert float(statistics.chance_of_worse(better, worse)) == pytest.approx(sign.pvalue)
    wilson = stats.binomtest(after.passed, after.trials).proportion_ci(method="wilson")
    assert statistics.interval(after) == pytest.approx((wilson.low, wilson.high), abs=1e-6)
