"""How right answers are, with intervals. Steps compare by equality; a missing answer is wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from benchmarks.accuracy import floors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.accuracy.labelled import Answer, Labelled

_RESAMPLINGS = 2000
_SEED = 20260101


@dataclass(frozen=True)
class Figure:
    """A mean with its bootstrap 95 % interval."""

    mean: float
    low: float
    high: float


def distance(case: Labelled, answer: Answer) -> float:
    """Return how many steps an answer is off; the whole conversation where there is none."""
    return float(len(case.run_ids) if answer.step is None else abs(answer.step - case.decisive))


def _within(steps: int) -> Callable[[Labelled, Answer], float]:
    return lambda case, answer: float(answer.step is not None and distance(case, answer) <= steps)


METRICS: dict[str, Callable[[Labelled, Answer], float]] = {
    "agent": lambda case, answer: float(answer.agent == case.agent),
    "exact step": lambda case, answer: float(answer.step == case.decisive),
    "within 1": _within(1),
    "within 3": _within(3),
    "within 5": _within(5),
    "mean distance": distance,
    "any labelled failure": lambda case, answer: float(answer.step in case.failures),
}


def figures(cases: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, Figure]:
    """Return every metric over the cases; the category only over those that have one."""
    result = {
        name: _figure([metric(*pair) for pair in zip(cases, answers, strict=True)]) for name, metric in METRICS.items()
    }
    named = [float(a.category == c.category) for c, a in zip(cases, answers, strict=True) if c.category]
    if named and any(answer.category for answer in answers):
        result["category"] = _figure(named)
    return result


def random_floor(cases: Sequence[Labelled]) -> dict[str, float]:
    """Return each metric's expected value for a step drawn at random."""
    return {
        name: fmean(fmean(metric(case, answer) for answer in floors.every_step(case)) for case in cases)
        for name, metric in METRICS.items()
    }


def _figure(values: Sequence[float]) -> Figure:
    draw = random.Random(_SEED)
    means = sorted(fmean(draw.choices(values, k=len(values))) for _ in range(_RESAMPLINGS))
    return Figure(fmean(values), means[int(0.025 * _RESAMPLINGS)], means[int(0.975 * _RESAMPLINGS) - 1])
