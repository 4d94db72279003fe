"""Stage 2: what was expected beside what was there, and what a rule proves to be missing in the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType, Gap, GapAnalysis
from pytest_refinery.analysts.rules.facts import texts
from pytest_refinery.traces import answer

if TYPE_CHECKING:
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.findings import Found

_LONGEST = 240
_MISSING = {
    "lasting_promise": "The prompt does not say that nothing is kept between conversations, and no tool could keep it.",
}
_ASSUMED = {
    "lasting_promise": "The agent assumed that it can remember what users ask.",
    "claimed_without_call": "The agent took the change as made without calling the tool.",
    "unasked_choice": "The agent chose one of several options without asking.",
    "unavailable_choice": "The agent assumed that the option was available.",
    "assumed_data": "The agent used made-up data instead of looking it up.",
    "closed_door": "The agent assumed that its changes could be made in any order.",
    "wider_than_asked": "The agent assumed that the tool would change only a part of the record.",
    "stale_record": "The agent assumed that the record was still as before.",
}


def find(facts: TraceFacts, cause: Found | None) -> GapAnalysis:
    """Return the gaps between the expectation and the trace."""
    rule = cause.rule if cause else ""
    lacks = rule in _MISSING and cause is not None and cause.failure_type is FailureType.PROMPT_ISSUE
    return GapAnalysis(
        gaps=_gaps(facts, cause),
        missing_context=(_MISSING[rule],) if lacks else (),
        wrong_assumptions=(_ASSUMED[rule],) if rule in _ASSUMED else (),
    )


def _gaps(facts: TraceFacts, cause: Found | None) -> tuple[Gap, ...]:
    case = facts.case
    if case.failures:
        return tuple(Gap(expected=each.expected, actual=each.actual, run_id=each.run_id) for each in case.failures)
    found = answer.of(case.trace).text if case.trace.runs else None
    said = texts.shown(found, _LONGEST) if found else "The trace ends without an answer."
    expected = case.expect.strip() or "What the test asserts."
    return (Gap(expected=expected, actual=said, run_id=cause.step.run_id if cause else None),)
