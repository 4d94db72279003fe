"""Stage 3: the cause where a finding explains the failure, the candidates, and what all that rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import Candidate, Conclusion, Confidence, Evidence
from pytest_refinery.analysts.rules import causes, confidence, fixes
from pytest_refinery.analysts.rules.facts import texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysts.rules.confidence import Precision
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.findings import Found
    from pytest_refinery.analysts.rules.ranking import Ranked

_MOST_CANDIDATES = 3
_MOST_EVIDENCE = 4
_SHOWN = 300
_LONGEST_REASON = 240
_NOT_DETERMINED = "No rule explains the failure; a person should read the steps that are named as candidates."
_UNKNOWN_LANGUAGE = (
    "The rules have no words of the language in which the agent answers; they went by values, calls and records alone."
)


def conclude(facts: TraceFacts, ranked: Sequence[Ranked], precision: Precision) -> Conclusion:
    """Return what the ranked steps say about the failure."""
    if not facts.steps:
        return Conclusion(
            executive_summary="The trace holds no messages, tool calls or outputs: there is nothing to read."
        )
    decisive = next((each for each in ranked[:1] if each.cause is not None), None)
    if decisive is None or decisive.cause is None:
        return Conclusion(
            candidates=_candidates(facts, ranked),
            confidence_basis=_language_note(facts, "No rule explains the failure."),
            executive_summary=_summary(facts, _NOT_DETERMINED, is_changed=False),
        )
    return _explained(facts, ranked, decisive.cause, precision)


def _explained(facts: TraceFacts, ranked: Sequence[Ranked], cause: Found, precision: Precision) -> Conclusion:
    meaning = causes.of(cause.rule)
    fix = fixes.suggest(facts, cause)
    level, basis = confidence.of(
        cause.rule, precision, is_team=facts.parties.is_team, is_led=bool(facts.parties.leaders)
    )
    return Conclusion(
        failure_type=cause.failure_type,
        cause=meaning.general,
        root_cause=cause.what,
        responsible_run_id=cause.step.run_id,
        candidates=_candidates(facts, ranked),
        confidence=level if facts.has_cues else min(level, Confidence.LOW, key=_LEVELS.index),
        confidence_basis=_language_note(facts, basis),
        evidence=_evidence(ranked[0], cause),
        affected_components=tuple(dict.fromkeys(filter(None, (fix.component if fix else "", cause.tool)))),
        suggested_fix=fix,
        executive_summary=_summary(facts, meaning.business, is_changed=fix is not None),
    )


_LEVELS = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


def _language_note(facts: TraceFacts, basis: str) -> str:
    return basis if facts.has_cues else f"{basis} {_UNKNOWN_LANGUAGE}"


def _evidence(decisive: Ranked, cause: Found) -> tuple[Evidence, ...]:
    found = [*cause.evidence, *(evidence for each in decisive.found for evidence in each.evidence)]
    return tuple({each.quote: each for each in reversed(found)}.values())[::-1][:_MOST_EVIDENCE]


def _candidates(facts: TraceFacts, ranked: Sequence[Ranked]) -> tuple[Candidate, ...]:
    """Return the three likeliest runs, each with the reason and its share among the three."""
    best: dict[str, Ranked] = {}
    for each in ranked:
        if len(best) < _MOST_CANDIDATES:
            best.setdefault(each.step.run_id, each)
    total = sum(each.score for each in best.values()) or 1.0
    return tuple(
        Candidate(run_id=run_id, reason=_reason(facts, each), share=round(each.score / total, 3))
        for run_id, each in best.items()
    )


def _reason(facts: TraceFacts, ranked: Ranked) -> str:
    if ranked.found:
        return texts.shown(ranked.found[0].what, _LONGEST_REASON)
    said = texts.shown(ranked.step.text, 80) or ", ".join(call.name for call in ranked.step.calls)
    del facts
    return f"No rule found anything here; it is near what the expectation speaks of: “{said}”"


def _summary(facts: TraceFacts, business: str, *, is_changed: bool) -> str:
    context = facts.case.business_context.strip()
    parts = [f"Expected: {texts.shown(facts.case.expect, _SHOWN)}"] if facts.case.expect.strip() else []
    parts.append(business)
    if context:
        parts.append(f"Why it matters: {texts.shown(context, _SHOWN)}")
    if is_changed:
        parts.append("A change of the system prompt is suggested.")
    return " ".join(parts)
