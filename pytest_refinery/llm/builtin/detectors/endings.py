"""Answers that end badly: cut off, empty, given up, or stopped from outside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.llm.builtin.reading import Reading

_LIMIT = re.compile(
    r"recursion ?limit|maximum (number of )?(iterations|steps|turns|rounds)|max[_ ](iterations|steps|turns|rounds)|"
    r"iteration limit|stopped due to|need more steps|step limit|agent stopped",
    re.IGNORECASE,
)
_GAVE_UP = re.compile(
    r"\b(i (was|am) (unable|not able) to (find|access|locate|determine|complete|retrieve|open)|could(n't|"
    r" not) (find|access|locate|determine|retrieve)|"
    r"unable to (find|access|locate|determine|retrieve|complete)|(no|without) (further|additional) (information|"
    r"progress)|"
    r"educated guess|i (don't|do not) know)\b",
    re.IGNORECASE,
)


def step_limits(reading: Reading) -> Iterator[Sign]:
    """Find the notice that a run was stopped at a limit."""
    for step in reading.steps:
        found = _LIMIT.search(step.text) if step.role != "user" else None
        if found:
            yield Sign(
                step=step,
                rule="step_limit",
                what=f"The run was stopped at a limit before it was done: “{words.shown(found.group())}”.",
                failure_type=FailureType.ORCHESTRATION_ISSUE,
                quote=words.quote(step.text, around=found.start()),
            )


def empty_answers(reading: Reading) -> Iterator[Sign]:
    """Find model answers with neither text nor calls."""
    names = {run.id: run.name for run in reading.case.trace.runs}
    for step in reading.steps:
        if step.role == "assistant" and not step.text.strip() and not step.calls:
            yield Sign(
                step=step,
                rule="empty_answer",
                what=f"{step.speaker} gave neither an answer nor a tool call.",
                failure_type=FailureType.MODEL_LIMITATION,
                quote=names.get(step.run_id, step.speaker),
            )


def gave_up(reading: Reading) -> Iterator[Sign]:
    """Find the agent saying that it could not find or do what was asked."""
    for step in reading.steps:
        found = _GAVE_UP.search(step.text) if step.role == "assistant" else None
        if found:
            yield Sign(
                step=step,
                rule="gave_up",
                what=f"{step.speaker} gave up here: “{words.shown(words.quote(step.text, around=found.start()))}”.",
                failure_type=FailureType.RETRIEVAL_ISSUE,
                quote=words.quote(step.text, around=found.start()),
            )


def unparsable_outputs(reading: Reading) -> Iterator[Sign]:
    """Find answers that begin as JSON and are none."""
    for step in reading.steps:
        text = step.text.strip().removeprefix("```json").removesuffix("```").strip()
        if step.role == "assistant" and text.startswith(("{", "[{")) and parsed(text) is None:
            yield Sign(
                step=step,
                rule="unparsable_output",
                what=f"The output of {step.speaker} begins as JSON and is none, so that no program can read it.",
                failure_type=FailureType.OUTPUT_PARSING_ISSUE,
                quote=words.quote(step.text, around=max(len(step.text) - words.LONGEST_QUOTE, 0)),
            )
