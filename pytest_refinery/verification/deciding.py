"""What trials without and with a fix show. Pure, exact arithmetic.

A fix is *confirmed* where the trials with it pass so much more often that chance alone would do it in at most one of
twenty cases: Fisher's exact test, one-sided. It is *refuted* where a fix that works in half of the runs would look so
bad in at most one of twenty cases, or where an expectation is lost that holds without it. All else is *inconclusive*.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import Trials, Verification, VerificationStatus
from pytest_refinery.analysis.statistics import chance_of_more

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.analysis.schemas import VerificationWay

ALPHA = Fraction(1, 20)
"""How often a decision may be wrong."""
_WORKS = Fraction(1, 2)
_MOST_TRIALS = 200


def chance_of_so_few(after: Trials) -> Fraction:
    """Return how likely at most so many passes are, if the fix works in half of the runs."""
    return sum(
        (comb(after.trials, k) * _WORKS**k * (1 - _WORKS) ** (after.trials - k) for k in range(after.passed + 1)),
        Fraction(0),
    )


def status(before: Trials, after: Trials) -> VerificationStatus:
    """Return what the trials show about the failed expectation alone."""
    if before.passed == before.trials:
        return VerificationStatus.INCONCLUSIVE
    if chance_of_more(before, after) <= ALPHA:
        return VerificationStatus.CONFIRMED
    return VerificationStatus.REFUTED if chance_of_so_few(after) <= ALPHA else VerificationStatus.INCONCLUSIVE


@dataclass(frozen=True)
class Others:
    """How the other expectations came out.

    Attributes:
        lost: Those that hold without the fix, and not with it.
        doubtful: Those that hold less often with it, which may be chance.
        undecided: How many no one could decide, without or with it.
        unchanged: How many come out as without it.
    """

    lost: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    undecided: int = 0
    unchanged: int = 0


NO_OTHERS = Others()


def decide(
    before: Trials, after: Trials, others: Others = NO_OTHERS, *, how: VerificationWay, tokens: int = 0
) -> Verification:
    """Return the verdict on a fix.

    Args:
        before: The trials without it.
        after: The trials with it; none where all without it pass.
        others: The other expectations.
        how: The way in which it was tried.
        tokens: What it cost.
    """
    found = VerificationStatus.REFUTED if others.lost else status(before, after)
    if found is VerificationStatus.CONFIRMED and others.doubtful:
        found = VerificationStatus.INCONCLUSIVE
    return Verification(
        status=found,
        how=how,
        before=before,
        after=after if after.trials else None,
        lost=others.lost,
        unchanged=others.unchanged,
        p_value=float(chance_of_more(before, after)),
        why=" ".join(_why(found, before, after, others)),
        tokens=tokens,
    )


def _why(found: VerificationStatus, before: Trials, after: Trials, others: Others) -> Iterator[str]:
    if others.lost:
        yield f"With the fix, what holds without it fails: {', '.join(others.lost)}."
    elif found is VerificationStatus.REFUTED:
        yield "A fix that works in half of the runs would rarely look so bad."
    elif others.doubtful:
        yield f"With the fix, what holds without it fails in some runs: {', '.join(others.doubtful)}."
    elif before.passed == before.trials:
        yield "Without the fix it does not fail either, so nothing can be seen to change."
    elif found is VerificationStatus.INCONCLUSIVE:
        more = more_trials(before, after)
        trials = "trial" if more == 1 else "trials"
        yield "It may be chance" + (f": {more} more {trials} each would decide it at these rates." if more else ".")
    if others.undecided:
        yield f"Other expectations that could not be decided: {others.undecided}."


def more_trials(before: Trials, after: Trials) -> int | None:
    """Return how many more trials, each without and with the fix, would decide it if they came out as these did.

    ``None`` where a few hundred would not.
    """
    for trials in range(after.trials + 1, _MOST_TRIALS + 1):
        passed = [round(Fraction(each.passed * trials, each.trials)) for each in (before, after)]
        scaled = [Trials(passed=each, trials=trials) for each in passed]
        if status(*scaled) is not VerificationStatus.INCONCLUSIVE:
            return trials - after.trials
    return None
