"""Weighs the signs of all detectors against each other: which step is the decisive one?

Each step has features: the strength of each rule's sign on it, and where it stands in the
conversation (``places``). Its score is the sum of feature times weight; the scores of all
steps become probabilities by the softmax. The weights stand in ``weights.json``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import Confidence
from pytest_refinery.llm.builtin import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_refinery.llm.builtin.reading import Reading, Sign
    from pytest_refinery.traces.conversation import Step


@dataclass(frozen=True)
class Weights:
    """What the features count.

    Attributes:
        features: The weight of each feature, by its name.
        unknown: The weight of a rule that the weights do not name.
        high: The least probability of a decisive step with high confidence.
        medium: The least probability of one with medium confidence.
    """

    features: Mapping[str, float]
    unknown: float
    high: float
    medium: float

    @classmethod
    def shipped(cls) -> Weights:
        """Return the weights that the package comes with."""
        text = resources.files(__package__ or "").joinpath("weights.json").read_text(encoding="utf-8")
        return cls(**json.loads(text))

    def of(self, feature: str) -> float:
        """Return the weight of ``feature``."""
        return self.features.get(feature, 0.0 if ":" in feature else self.unknown)


@dataclass(frozen=True)
class Ranked:
    """One step with its signs, the one that counts most first, and the probability that it is the decisive one."""

    step: Step
    signs: tuple[Sign, ...]
    probability: float


def rank(reading: Reading, signs: Iterable[Sign], weights: Weights) -> tuple[Ranked, ...]:
    """Return the steps in their order with the probability of each."""
    found: dict[int, list[Sign]] = {}
    for sign in signs:
        found.setdefault(sign.step.number, []).append(sign)
    rows = features(reading, found)
    scores = [sum(weights.of(name) * value for name, value in row.items()) for row in rows]
    return tuple(
        Ranked(step, _by_weight(found.get(step.number, ()), weights), probability)
        for step, probability in zip(reading.steps, _softmax(scores), strict=True)
    )


def features(reading: Reading, signs: Mapping[int, Sequence[Sign]]) -> list[dict[str, float]]:
    """Return the features of each step: the rules' by their name, a place's with a colon in it."""
    rows = places.features(reading)
    for row, step in zip(rows, reading.steps, strict=True):
        for sign in signs.get(step.number, ()):
            row[sign.rule] = max(row.get(sign.rule, 0.0), sign.strength)
    return rows


def confidence(probability: float, weights: Weights) -> Confidence:
    """Return how sure a probability makes us, as measured on labelled traces."""
    if probability >= weights.high:
        return Confidence.HIGH
    return Confidence.MEDIUM if probability >= weights.medium else Confidence.LOW


def _by_weight(signs: Sequence[Sign], weights: Weights) -> tuple[Sign, ...]:
    best: dict[str, Sign] = {}
    for sign in signs:
        if sign.rule not in best or best[sign.rule].strength < sign.strength:
            best[sign.rule] = sign
    return tuple(sorted(best.values(), key=lambda sign: -weights.of(sign.rule) * sign.strength))


def _softmax(scores: Sequence[float]) -> list[float]:
    top = max(scores, default=0.0)
    raised = [math.exp(score - top) for score in scores]
    return [value / sum(raised) for value in raised]
