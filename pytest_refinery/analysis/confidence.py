"""How sure a diagnosis may be: never surer than what was read, quoted and measured allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import Confidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.analysis.schemas import Conclusion, Coverage, Evidence
    from pytest_refinery.traces.model import Run

LEAST_COVERAGE = {Confidence.HIGH: 90.0, Confidence.MEDIUM: 50.0}
"""The least percentage of the runs that must have been read for a confidence."""
_RANKS = {Confidence.LOW: 0, Confidence.MEDIUM: 1, Confidence.HIGH: 2}


def of(conclusion: Conclusion, run: Run | None, *, evidence: tuple[Evidence, ...], coverage: Coverage) -> Confidence:
    """Return the confidence of a conclusion about ``run``, as far as it may stand."""
    limits = (limit for limit, _ in _limits(conclusion, run, evidence, coverage))
    return min((conclusion.confidence, *limits), key=_RANKS.__getitem__)


def basis(conclusion: Conclusion, run: Run | None, *, evidence: tuple[Evidence, ...], coverage: Coverage) -> str:
    """Return what the confidence rests on, and what lowered it, in a sentence each; ``""`` without a cause."""
    if conclusion.root_cause is None:
        return ""
    wanted = _RANKS[conclusion.confidence]
    lowered = [why for limit, why in _limits(conclusion, run, evidence, coverage) if _RANKS[limit] < wanted]
    return " ".join(filter(None, (conclusion.confidence_basis, *lowered)))


def _limits(
    conclusion: Conclusion, run: Run | None, evidence: tuple[Evidence, ...], coverage: Coverage
) -> Iterator[tuple[Confidence, str]]:
    if conclusion.root_cause is None:
        yield Confidence.LOW, "No cause was determined."
    if run is None:
        yield Confidence.LOW, "No single run is named."
    elif run.id in coverage.missing_run_ids:
        yield Confidence.LOW, "The run that is named was not read."
    if not evidence:
        yield Confidence.LOW, "No quote supports it."
    if not conclusion.confidence_basis:
        yield Confidence.MEDIUM, "How often such answers are right has not been measured."
    read = f"Only {coverage.percentage:g} % of the runs were read."
    if coverage.percentage < LEAST_COVERAGE[Confidence.MEDIUM]:
        yield Confidence.LOW, read
    elif coverage.percentage < LEAST_COVERAGE[Confidence.HIGH]:
        yield Confidence.MEDIUM, read
