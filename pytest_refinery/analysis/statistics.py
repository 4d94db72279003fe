"""What a few trials can show, and what may be chance. Exact arithmetic; pure."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_refinery.analysis.schemas import Trials

NORMAL_95 = 1.959964
"""The two-sided 95 % quantile of the normal distribution."""


def chance_of_more(before: Trials, after: Trials) -> Fraction:
    """Return how likely at least so many passes are among those ``after``, if both have one pass rate.

    This is the p-value of Fisher's exact test, one-sided (Fisher 1935).
    """
    passed, trials = before.passed + after.passed, before.trials + after.trials
    most = min(passed, after.trials)
    ways = sum(
        math.comb(passed, k) * math.comb(trials - passed, after.trials - k) for k in range(after.passed, most + 1)
    )
    return Fraction(ways, math.comb(trials, after.trials))


def chance_of_worse(better: int, worse: int) -> Fraction:
    """Return how likely at least ``worse`` of ``better + worse`` changes are for the worse, if either is as likely.

    This is the p-value of the exact sign test, one-sided (Dixon and Mood 1946).
    """
    changes = better + worse
    return Fraction(sum(math.comb(changes, k) for k in range(worse, changes + 1)), 2**changes)


def interval(counted: Trials, quantile: float = NORMAL_95) -> tuple[float, float]:
    """Return the Wilson score interval of a pass rate (Wilson 1927).

    Args:
        counted: At least one trial.
        quantile: That of the normal distribution for the confidence wanted.
    """
    rate, spread = counted.passed / counted.trials, quantile**2 / counted.trials
    half = math.sqrt(spread * rate * (1 - rate) + spread**2 / 4)
    low, high = ((rate + spread / 2 + sign * half) / (1 + spread) for sign in (-1, 1))
    return max(low, 0.0), min(high, 1.0)


def chance_that_all_pass(counted: Trials, k: int) -> float | None:
    """Return the unbiased estimate of ``pass^k``: how likely k trials in a row all pass (Yao and others 2024).

    Returns:
        ``None`` where there were fewer than k trials.
    """
    return math.comb(counted.passed, k) / math.comb(counted.trials, k) if counted.trials >= k else None
