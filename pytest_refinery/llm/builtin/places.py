"""Where a step stands in its conversation: the features that need no rule.

A conversation has one of three shapes, and each shape has its own features: at a ``desk`` one
agent serves a user, in a ``team`` agents speak in turn, a ``led`` team gets its orders from one.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from pytest_refinery.llm.builtin.detectors.errors import is_failed
from pytest_refinery.llm.builtin.reading import has_code, is_write

if TYPE_CHECKING:
    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

_SHORT = 60


def features(reading: Reading) -> list[dict[str, float]]:
    """Return the place features of each step, in the order of the steps."""
    shaped = {"desk": _at_desk, "team": _in_team, "led": _led}[reading.shape]
    busiest = _busiest(reading)
    spoken: Counter[str] = Counter()
    rows = []
    for step in reading.steps:
        row = {f"role:{step.role}": 1.0}
        if step.role in {"assistant", "user"}:
            row |= shaped(reading, step)
        if step.role == "assistant" and reading.shape != "desk":
            row |= _turn(reading.shape, step, spoken, busiest)
            spoken[step.speaker] += 1
        rows.append(row)
    return rows


def _at_desk(reading: Reading, step: Step) -> dict[str, float]:
    depth = step.number / len(reading.steps)
    # Conversations rarely fail with the greeting or the farewell.
    row = {"desk:depth": depth, "desk:middle": 1 - abs(2 * depth - 1)}
    if any(is_write(call) for call in step.calls):
        row["desk:change"] = 1.0
    if step.role == "assistant" and not step.calls:
        row["desk:answer"] = 1.0
    return row


def _in_team(reading: Reading, step: Step) -> dict[str, float]:
    row: dict[str, float] = {}
    ran = reading.conversation.following(step)
    if step.number == 1:
        row["team:opening with code" if has_code(step) else "team:opening"] = 1.0
    elif has_code(step):
        row["team:code"] = 1.0
    if ran is not None and ran.role == "tool" and not is_failed(ran):
        row["team:ran"] = 1.0
    return row


def _led(reading: Reading, step: Step) -> dict[str, float]:
    if step.role != "assistant":
        return {}
    if step.speaker in reading.leaders:
        return {"led:order" if step.note.startswith("->") else "led:thought": 1.0}
    return {"led:worker": 1.0, **({"led:first worker": 1.0} if step is reading.first_worker else {})}


def _turn(shape: str, step: Step, spoken: Counter[str], busiest: str) -> dict[str, float]:
    """Return how late a step is, whether its speaker is new, the busiest, or says next to nothing."""
    row = {f"{shape}:late": math.log1p(spoken.total())}
    if step.speaker not in spoken:
        row[f"{shape}:first words"] = 1.0
    if step.speaker == busiest:
        row[f"{shape}:busiest"] = 1.0
    if len(step.text) < _SHORT:
        row[f"{shape}:short"] = 1.0
    return row


def _busiest(reading: Reading) -> str:
    turns = Counter(
        step.speaker for step in reading.steps if step.role == "assistant" and step.speaker not in reading.leaders
    )
    return turns.most_common(1)[0][0] if turns else ""
