"""What is different since the expectation was met: its cause may be what the agent was given otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules.facts import texts
from pytest_refinery.analysts.rules.findings import Found, Quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts

_SHOWN = 80
_KINDS = {
    "model": FailureType.MODEL_LIMITATION,
    "settings": FailureType.MODEL_LIMITATION,
    "prompt": FailureType.PROMPT_ISSUE,
    "tool schema": FailureType.TOOL_ISSUE,
    "tool result": FailureType.TOOL_ISSUE,
}


def given_otherwise(facts: TraceFacts) -> Iterator[Found]:
    """Find the first thing that the agent did otherwise than in the run that passed, having been given something else.

    What it did otherwise with the same prompt, model and results is chance, and says nothing.
    """
    parted = facts.case.divergence
    if parted is None or parted.did is None or not parted.given:
        return
    step = next((each for each in reversed(facts.steps) if each.run_number == parted.did.step), None)
    changed = next((each for each in parted.given if each.aspect in _KINDS), None)
    if step is None or changed is None:
        return
    yield Found(
        rule="given_otherwise",
        step=step,
        what=f"The agent acts otherwise here than in the run that passed, after a changed {changed.aspect} (step "
        f"{changed.step}): “{texts.shown(changed.before, _SHOWN)}” is now “{texts.shown(changed.after, _SHOWN)}”.",
        failure_type=_KINDS[changed.aspect],
        points=0.6,
        quotes=(Quoted(step, step.text[:_SHOWN].strip()),),
        explains=tuple(failure.label for failure in facts.case.failures),
        holds=lambda case: case.case.divergence == parted,
    )
