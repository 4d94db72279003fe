"""How sure a diagnosis may be: measured, rule by rule, on data that the rule was not made with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TypeAlias

from pytest_refinery.analysis.schemas import Confidence

Precision: TypeAlias = Mapping[str, Mapping[str, tuple[int, int]]]
"""For each rule and data set: how often its step was the right one, of how often it was named as the cause."""

_HIGH = 0.8
_MEDIUM = 0.5
_ENOUGH_FOR_HIGH = 10
_ENOUGH_FOR_MEDIUM = 5
_NEVER_HIGH = frozenset({"contradicted_expectation"})


@cache
def shipped() -> Precision:
    """Return the counts that the package comes with."""
    text = resources.files(__package__ or "").joinpath("precision.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, list[int]]] = json.loads(text)
    return {rule: {name: (right, fired) for name, (right, fired) in sets.items()} for rule, sets in loaded.items()}


def of(rule: str, precision: Precision, *, is_led: bool) -> tuple[Confidence, str]:
    """Return how sure a cause that ``rule`` names may be, and what that rests on."""
    counts = precision.get(rule, {})
    right, fired = sum(right for right, _ in counts.values()), sum(fired for _, fired in counts.values())
    if fired < _ENOUGH_FOR_MEDIUM:
        return Confidence.LOW, f"The rule {rule} was the cause in {fired} measured cases, too few to rely on."
    basis = f"The rule {rule} named the right step in {right} of {fired} measured cases."
    is_high = right >= _HIGH * fired and fired >= _ENOUGH_FOR_HIGH and not is_led and rule not in _NEVER_HIGH
    if is_high:
        return Confidence.HIGH, basis
    return (Confidence.MEDIUM if right >= _MEDIUM * fired else Confidence.LOW), basis
