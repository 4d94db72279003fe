"""Answers that are none: empty ones, and ones that no program can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules.facts import results
from pytest_refinery.analysts.rules.findings import Found, Quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts

_SHOWN = 80


def empty_answers(facts: TraceFacts) -> Iterator[Found]:
    """Find model answers with neither text nor calls."""
    for step in facts.agent_steps:
        if not step.text.strip() and not step.calls:
            before = next(facts.before(step), None)
            yield Found(
                rule="empty_answer",
                step=step,
                what="The model answers nothing here: no text and no call.",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.5,
                quotes=(Quoted(before, before.text[:_SHOWN].strip()),) if before else (),
                holds=lambda case, step=step: case.is_agent(step) and not step.text.strip() and not step.calls,  # type: ignore[misc]
            )


def unreadable_outputs(facts: TraceFacts) -> Iterator[Found]:
    """Find answers that begin as JSON and are none."""
    for step in facts.answers:
        text = step.text.strip().removeprefix("```json").removesuffix("```").strip()
        if text.startswith(("{", "[{")) and results.parsed(text) is None:
            yield Found(
                rule="unreadable_output",
                step=step,
                what="The output begins as JSON here and is none, so that no program can read it.",
                failure_type=FailureType.OUTPUT_PARSING_ISSUE,
                points=0.5,
                quotes=(Quoted(step, text[-_SHOWN:]),),
                holds=lambda _, text=text: results.parsed(text) is None,  # type: ignore[misc]
            )
