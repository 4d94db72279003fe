"""How sure a diagnosis may be: measured, rule by rule, on data that the rule was not made with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TypeAlias

from pytest_refinery.analysis import statistics
from pytest_refinery.analysis.schemas import Confidence, Trials

Precision: TypeAlias = Mapping[str, Mapping[str, tuple[int, int]]]
"""For each rule and data set: how often its step was the right one, of how often it was named as the cause."""

_HIGH = 0.8
# One-sided 90 %: counts that a lucky draw could explain are no promise.
_NORMAL_QUANTILE = 1.2816
_MEDIUM = 0.5
_ENOUGH_FOR_HIGH = 10
_ENOUGH_FOR_MEDIUM = 5
_EVERYWHERE = 0.6
_TEAMS = frozenset({"generated teams", "hand-crafted team"})
_NEVER_HIGH = frozenset({"contradicted_expectation"})


@cache
def shipped() -> Precision:
    """Return the counts that the package comes with."""
    text = resources.files(__package__ or "").joinpath("precision.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, list[int]]] = json.loads(text)
    return {rule: {name: (right, fired) for name, (right, fired) in sets.items()} for rule, sets in loaded.items()}


def of(rule: str, precision: Precision, *, is_team: bool, is_led: bool = False) -> tuple[Confidence, str]:
    """Return how sure a cause that ``rule`` names may be, and what that rests on: cases of the same shape only."""
    counts = [count for name, count in precision.get(rule, {}).items() if (name in _TEAMS) is is_team]
    right, fired = sum(right for right, _ in counts), sum(fired for _, fired in counts)
    among = "of teams of agents" if is_team else "of one agent each"
    if fired < _ENOUGH_FOR_MEDIUM:
        return Confidence.LOW, f"The rule {rule} was the cause in {fired} measured cases {among}, too few to rely on."
    basis = f"The rule {rule} named the right step in {right} of {fired} measured cases {among}."
    is_even = all(right >= _EVERYWHERE * fired for right, fired in counts if fired >= _ENOUGH_FOR_MEDIUM)
    may_be_high = not is_led and rule not in _NEVER_HIGH and is_even
    if (
        may_be_high
        and statistics.interval(Trials(passed=right, trials=fired), _NORMAL_QUANTILE)[0] >= _HIGH
        and fired >= _ENOUGH_FOR_HIGH
    ):
        return Confidence.HIGH, basis
    return (Confidence.MEDIUM if right >= _MEDIUM * fired else Confidence.LOW), basis
