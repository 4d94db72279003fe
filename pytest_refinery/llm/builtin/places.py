"""Where a step stands in its conversation: the features that need no rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.llm.builtin.reading import is_write

if TYPE_CHECKING:
    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step


def features(reading: Reading) -> list[dict[str, float]]:
    """Return the place features of each step, in the order of the steps."""
    return [_features(reading, step) for step in reading.steps]


def _features(reading: Reading, step: Step) -> dict[str, float]:
    found = {f"role:{step.role}": 1.0, "place:depth": step.number / max(len(reading.steps), 1)}
    if any(is_write(call) for call in step.calls):
        found["place:change"] = 1.0
    if step.role == "assistant" and not step.calls:
        found["place:answer"] = 1.0
    return found
