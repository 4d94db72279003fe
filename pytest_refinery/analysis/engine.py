"""From a case to a diagnosis, whoever the analyst is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.analysis.evidence import Verifier
from pytest_refinery.analysis.schemas import Confidence, Conclusion, Diagnosis, FailureType, Finding
from pytest_refinery.analysis.stages import Deadline, Progress, Stages
from pytest_refinery.digest import grouping, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysis.ports import Analyst, Case


@dataclass(frozen=True)
class Limits:
    """How a trace is cut, and how long its diagnosis may take.

    ``group_size_runs`` takes precedence over ``group_tokens``, ``disable_chunking`` over both.
    """

    group_tokens: int = 20_000
    group_size_runs: int | None = None
    disable_chunking: bool = False
    timeout_seconds: float = 300.0


class Engine:
    """Diagnoses failed expectations with one analyst."""

    def __init__(self, analyst: Analyst, limits: Limits) -> None:
        self._analyst = analyst
        self._limits = limits

    def diagnose(self, case: Case) -> Diagnosis:
        """Read the whole trace in stages and return what was found.

        Never raises for what an analyst does: what is missing stands in ``partial``.
        """
        digest = render.digest(case.trace)
        groups = grouping.group(
            digest,
            group_tokens=self._limits.group_tokens,
            group_size_runs=self._limits.group_size_runs,
            disable_chunking=self._limits.disable_chunking,
        )
        stages = Stages(self._analyst, case, Deadline(self._limits.timeout_seconds))
        progress = stages.run(groups)
        verifier = Verifier(case.trace, shown={entry.run_id: entry.text for entry in digest.entries})
        return _diagnosis(case, progress, verifier, analyst=self._analyst.name)


def _diagnosis(case: Case, progress: Progress, verifier: Verifier, *, analyst: str) -> Diagnosis:
    findings = tuple(finding.model_copy(update={"evidence": verifier.verified(finding.evidence)}) for finding in progress.findings)
    conclusion = progress.conclusion or _fallback(findings)
    evidence = tuple(found for found in verifier.verified(conclusion.evidence) if found.verified)
    run = case.trace.by_id.get(conclusion.responsible_run_id or "")
    missing = list(progress.missing)
    if conclusion.responsible_run_id and run is None:
        missing.append(f"the analyst named a run that the trace does not have ({conclusion.responsible_run_id})")
    return Diagnosis(
        failure_type=conclusion.failure_type,
        cause=conclusion.cause,
        root_cause=conclusion.root_cause,
        responsible_run_id=run.id if run else None,
        responsible_run_name=run.name if run else None,
        responsible_run_number=case.trace.numbers[run.id] if run else None,
        confidence=conclusion.confidence if evidence and run else Confidence.LOW,
        evidence=evidence,
        gaps=progress.gaps.gaps,
        missing_context=progress.gaps.missing_context,
        wrong_assumptions=progress.gaps.wrong_assumptions,
        affected_components=conclusion.affected_components,
        suggested_fix=conclusion.suggested_fix,
        executive_summary=conclusion.executive_summary,
        findings=findings,
        coverage=progress.coverage,
        analyst=analyst,
        stages=tuple(progress.stages),
        partial="; ".join(missing) or None,
    )


def _fallback(findings: Sequence[Finding]) -> Conclusion:
    """Conclude from stage 1 alone, where stage 3 gave no answer."""
    if not findings:
        return Conclusion(failure_type=FailureType.INFRASTRUCTURE, root_cause="The cause was not found: the diagnosis is not complete.")
    top = max(findings, key=lambda finding: finding.weight)
    return Conclusion(
        failure_type=top.failure_type,
        root_cause=top.what,
        responsible_run_id=top.run_id,
        evidence=top.evidence,
    )
