"""Stage 3: the decisive step, the cause in words, and the change that would have helped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import Candidate, Conclusion, Evidence
from pytest_refinery.llm.builtin import causes, fixes, ranking, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.llm.builtin.ranking import Ranked, Weights
    from pytest_refinery.llm.builtin.reading import Reading, Sign

_MOST_EVIDENCE = 4


def conclude(reading: Reading, ranked: Sequence[Ranked], weights: Weights) -> Conclusion:
    """Return the conclusion about the step with the highest probability."""
    if not ranked:
        return Conclusion(
            executive_summary="The trace holds no messages, tool calls or outputs, so there is nothing to read."
        )
    decisive = max(ranked, key=lambda candidate: candidate.probability)
    sign = decisive.signs[0] if decisive.signs else None
    return _explained(reading, decisive, sign, weights) if sign else _unexplained(reading, ranked)


def _explained(reading: Reading, decisive: Ranked, sign: Sign, weights: Weights) -> Conclusion:
    cause = causes.of(sign.rule)
    fix = fixes.suggest(reading, sign)
    return Conclusion(
        failure_type=sign.failure_type,
        cause=cause.general,
        root_cause=f"{sign.what} {cause.why}".strip(),
        responsible_run_id=decisive.step.run_id,
        confidence=ranking.confidence(decisive.probability, weights),
        evidence=_evidence(reading, decisive),
        affected_components=tuple(dict.fromkeys(filter(None, (fix.component if fix else "", decisive.step.speaker)))),
        suggested_fix=fix,
        executive_summary=_summary(reading, cause.business, fix.component if fix else ""),
    )


def _unexplained(reading: Reading, ranked: Sequence[Ranked]) -> Conclusion:
    likeliest = sorted(ranked, key=lambda candidate: -candidate.probability)[:3]
    return Conclusion(
        candidates=tuple(
            Candidate(run_id=each.step.run_id, reason="No rule recognised a mistake.", share=each.probability)
            for each in likeliest
        ),
        executive_summary=_summary(reading, "No rule recognised a mistake; a person should read the steps named.", ""),
    )


def _evidence(reading: Reading, decisive: Ranked) -> tuple[Evidence, ...]:
    found = [evidence for sign in decisive.signs for evidence in sign.evidence]
    request = reading.request(decisive.step)
    if request is not None and request.text.strip():
        asked = words.nearest(request.text, words.content(decisive.step.text) | reading.expected)
        found.append(Evidence(run_id=request.run_id, quote=asked, why="What the user had asked for."))
    return tuple({evidence.quote: evidence for evidence in reversed(found)}.values())[::-1][:_MOST_EVIDENCE]


def _summary(reading: Reading, business: str, component: str) -> str:
    context = reading.case.business_context.strip()
    parts = [f"Expected: {words.shown(reading.case.expect, limit=300)}", business]
    if context:
        parts.append(f"Why it matters: {words.shown(context, limit=300)}")
    if component:
        parts.append(f"A change of the {component} is suggested.")
    return " ".join(parts)
