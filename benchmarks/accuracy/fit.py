"""Fits the builtin analyst's weights, and tells how they do on traces they have not seen.

``python -m benchmarks.accuracy.fit --data PATH`` prints the cross-validated figures beside the
fitted ones; ``--write`` puts the fitted weights into the package.

The model is a conditional logit: each step of a trace has a score, the softmax over the steps is
the probability of each to be the decisive one, and the weights make the labelled steps likely.
A Gaussian prior holds every weight near the value that it has in ``PRIOR`` (0 where none is
named), because there are few labelled traces and many rules.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.accuracy import readers
from benchmarks.accuracy.prior import PRIOR
from pytest_refinery.llm.builtin import ranking
from pytest_refinery.llm.builtin.detectors import DETECTORS
from pytest_refinery.llm.builtin.reading import Reading, Sign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.accuracy.labelled import Labelled

WEIGHTS = Path(ranking.__file__).with_name("weights.json")
# How far a weight may go from its prior: 1 / variance of the Gaussian.
STRENGTH = 3.0
FOLDS = 10
_ROUNDS = 250
_STRIDE = 0.3
_SEED = 7


@dataclass(frozen=True)
class Example:
    """The features of each step of one labelled trace, and which of the steps is the decisive one."""

    labelled: Labelled
    rows: tuple[Mapping[str, float], ...]
    run_ids: tuple[str, ...]
    decisive: int


def example(labelled: Labelled) -> Example:
    """Return a labelled trace as the features that the analyst sees of it."""
    reading = Reading.of(labelled.case)
    found: dict[int, list[Sign]] = {}
    for detector in DETECTORS:
        for sign in detector(reading):
            found.setdefault(sign.step.number, []).append(sign)
    run_ids = tuple(step.run_id for step in reading.steps)
    decisive = labelled.run_ids[labelled.decisive]
    rows = tuple(ranking.features(reading, found))
    return Example(labelled, rows, run_ids, run_ids.index(decisive or run_ids[0]))


def fit(examples: Sequence[Example], *, strength: float = STRENGTH) -> dict[str, float]:
    """Return the weights that make the decisive steps of ``examples`` most likely, held by the prior."""
    names = {name for one in examples for row in one.rows for name in row} | set(PRIOR)
    weights = {name: PRIOR.get(name, 0.0) for name in sorted(names)}
    squares = dict.fromkeys(weights, 1e-8)
    for _ in range(_ROUNDS):
        slope = {name: strength * (PRIOR.get(name, 0.0) - weight) for name, weight in weights.items()}
        for one in examples:
            _add_slope(slope, one, weights)
        for name, value in slope.items():
            squares[name] += value * value
            weights[name] += _STRIDE * value / math.sqrt(squares[name])
    return weights


def _add_slope(slope: dict[str, float], one: Example, weights: Mapping[str, float]) -> None:
    for place, (row, chance) in enumerate(zip(one.rows, chances(one, weights), strict=True)):
        error = (place == one.decisive) - chance
        for name, value in row.items():
            slope[name] += error * value


def chances(one: Example, weights: Mapping[str, float]) -> list[float]:
    """Return the probability of each step."""
    scores = [sum(weights.get(name, 0.0) * value for name, value in row.items()) for row in one.rows]
    top = max(scores)
    raised = [math.exp(score - top) for score in scores]
    return [value / sum(raised) for value in raised]


def named(one: Example, weights: Mapping[str, float]) -> tuple[int, float]:
    """Return the likeliest step and its probability."""
    found = chances(one, weights)
    best = max(range(len(found)), key=found.__getitem__)
    return best, found[best]


def cross_validated(
    examples: Sequence[Example], *, strength: float = STRENGTH, seed: int = _SEED
) -> list[dict[str, float]]:
    """Return for each example weights that were fitted without it (and without the rest of its fold)."""
    order = list(range(len(examples)))
    random.Random(seed).shuffle(order)
    result: list[dict[str, float]] = [{}] * len(examples)
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS])
        weights = fit([one for place, one in enumerate(examples) if place not in held], strength=strength)
        for place in held:
            result[place] = weights
    return result


def table(examples: Sequence[Example], weights: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return exact, within 3, and agent, for each data set."""
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for one, used in zip(examples, weights, strict=True):
        place, _ = named(one, used)
        step = one.labelled.place(one.run_ids[place])
        off = abs((step if step is not None else 10**6) - one.labelled.decisive)
        agent = step is not None and one.labelled.speakers[step] == one.labelled.agent
        rows.setdefault(one.labelled.data_set, []).append((off == 0, off <= 3, agent))
    return {
        name: {
            word: round(100 * sum(column) / len(found), 1)
            for word, column in zip(("exact", "within 3", "agent"), zip(*found, strict=True), strict=True)
        }
        for name, found in rows.items()
    }


def main() -> None:
    """Fit, cross-validate, print, and with ``--write`` ship the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--strength", type=float, default=STRENGTH)
    options = parser.parse_args()
    examples = [example(labelled) for labelled in readers.read(options.data, answers=True)]
    fitted = fit(examples, strength=options.strength)
    print("fitted         ", table(examples, [fitted] * len(examples)))
    print("cross-validated", table(examples, cross_validated(examples, strength=options.strength)))
    if options.write:
        _write(fitted)


def _write(fitted: Mapping[str, float]) -> None:
    features = {name: round(weight, 3) for name, weight in sorted(fitted.items())}
    shipped = replace(ranking.Weights.shipped(), features=features)
    WEIGHTS.write_text(json.dumps(vars(shipped), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
