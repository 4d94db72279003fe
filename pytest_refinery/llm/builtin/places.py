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
    rows = []
    for step in reading.steps:
        row = {f"role:{step.role}": 1.0}
        if step.role in {"assistant", "user"}:
            row |= shaped(reading, step)
        rows.append(row)
    return rows


def _at_desk(reading: Reading, step: Step) -> dict[str, float]:
    row = {"desk:depth": step.number / len(reading.steps)}
    if any(is_write(call) for call in step.calls):
        row["desk:change"] = 1.0
    if step.role == "assistant" and not step.calls:
        row["desk:answer"] = 1.0
    return row


def _in_team(reading: Reading, step: Step) -> dict[str, float]:
    row = _turn("team", reading, step)
    ran = _execution(reading, step)
    if step.number == 1:
        row["team:opening with code" if has_code(step) else "team:opening"] = 1.0
    elif has_code(step):
        row["team:code"] = 1.0
    if ran is not None and not is_failed(ran):
        row["team:ran"] = 1.0
    return row


def _led(reading: Reading, step: Step) -> dict[str, float]:
    row = _turn("led", reading, step)
    if step.speaker in reading.leaders:
        row["led:order" if step.note.startswith("->") else "led:thought"] = 1.0
    else:
        row["led:worker"] = 1.0
        if not any(earlier.role == "assistant" and earlier.speaker not in reading.leaders for earlier in reading.conversation.before(step)):
            row["led:first worker"] = 1.0
    return row


def _turn(shape: str, reading: Reading, step: Step) -> dict[str, float]:
    """Return how early a step is, whether its speaker is new, the busiest, or says next to nothing."""
    spoken = [earlier.speaker for earlier in reading.conversation.before(step) if earlier.role == "assistant"]
    row = {f"{shape}:late": math.log1p(len(spoken))}
    if step.speaker not in spoken:
        row[f"{shape}:first words"] = 1.0
    if step.speaker == _busiest(reading):
        row[f"{shape}:busiest"] = 1.0
    if len(step.text) < _SHORT:
        row[f"{shape}:short"] = 1.0
    return row


def _busiest(reading: Reading) -> str:
    turns = Counter(step.speaker for step in reading.steps if step.role == "assistant" and step.speaker not in reading.leaders)
    return turns.most_common(1)[0][0] if turns else ""


def _execution(reading: Reading, step: Step) -> Step | None:
    """Return the result of the code in ``step``, if the next step is one."""
    following = reading.conversation.after(step)[:1]
    return following[0] if following and following[0].role == "tool" else None
