from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis import confidence
from pytest_refinery.analysis.schemas import Conclusion, Confidence, Coverage, Evidence
from tests.fakes import make_conclusion, make_trace

RUN = make_trace("one").root
QUOTES = (Evidence(run_id="r1", quote="one", verified=True),)
SURE = make_conclusion("r1")
HIGH, MEDIUM, LOW = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW


def covered(percentage: float, *missing: str) -> Coverage:
    return Coverage(runs_total=10, runs_read=0, percentage=percentage, missing_run_ids=missing)


@pytest.mark.parametrize(
    ("percentage", "expected"), [(100, HIGH), (90, HIGH), (89.9, MEDIUM), (50, MEDIUM), (49.9, LOW), (0, LOW)]
)
def test_confidence_is_never_above_what_was_read(percentage: float, expected: Confidence) -> None:
    coverage = covered(percentage)
    assert confidence.of(SURE, RUN, evidence=QUOTES, coverage=coverage) == expected
    basis = confidence.basis(SURE, RUN, evidence=QUOTES, coverage=coverage)
    assert basis == "Measured." + ("" if expected == HIGH else f" Only {percentage:g} % of the runs were read.")


def test_what_was_not_measured_is_never_high() -> None:
    conclusion = make_conclusion("r1", basis="")
    assert confidence.of(conclusion, RUN, evidence=QUOTES, coverage=covered(100)) == MEDIUM
    assert confidence.basis(conclusion, RUN, evidence=QUOTES, coverage=covered(100)) == (
        "How often such answers are right has not been measured."
    )


@pytest.mark.parametrize(
    ("conclusion", "named", "quotes", "coverage", "why"),
    [
        (SURE, False, QUOTES, covered(100), "Measured. No single run is named."),
        (SURE, True, (), covered(100), "Measured. No quote supports it."),
        (SURE, True, QUOTES, covered(99, "r1"), "Measured. The run that is named was not read."),
        (Conclusion(confidence=HIGH), False, (), covered(100), ""),
    ],
)
def test_what_supports_nothing_is_low(
    conclusion: Conclusion, *, named: bool, quotes: tuple[Evidence, ...], coverage: Coverage, why: str
) -> None:
    run = RUN if named else None
    assert confidence.of(conclusion, run, evidence=quotes, coverage=coverage) == LOW
    assert confidence.basis(conclusion, run, evidence=quotes, coverage=coverage) == why


@given(
    wanted=st.sampled_from(Confidence),
    percentage=st.floats(0, 100),
    basis=st.sampled_from(["", "So."]),
    named=st.booleans(),
    quoted=st.booleans(),
)
def test_nothing_raises_a_confidence(
    wanted: Confidence, percentage: float, basis: str, *, named: bool, quoted: bool
) -> None:
    ranks = [LOW, MEDIUM, HIGH]
    found = confidence.of(
        make_conclusion("r1", confidence=wanted, basis=basis),
        RUN if named else None,
        evidence=QUOTES if quoted else (),
        coverage=covered(percentage),
    )
    assert ranks.index(found) <= ranks.index(wanted)
