"""What an analyst answered, checked by code and put together to a diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis import candidates, confidence, exchange, fixes, prompt_versions
from pytest_refinery.analysis.evidence import Verifier
from pytest_refinery.analysis.schemas import Conclusion, Diagnosis, Finding
from pytest_refinery.expectations.verdicts import EXPECTATION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.stages import Stages


# More are no help to a person, and a long trace has thousands that weigh nearly nothing.
_MOST_FINDINGS = 50


class Composer:
    """Puts the diagnosis of one case together, for any analyst.

    Args:
        shown: What analysts are shown of each run, by its id.
    """

    def __init__(self, case: Case, *, shown: Mapping[str, str]) -> None:
        self._case = case
        self._verifier = Verifier(case.trace, shown=shown)
        self._labels = {EXPECTATION, *(failure.label for failure in case.failures)}

    def diagnosis(
        self, stages: Stages, *, analyst: str, model: str = "", missing: Sequence[str], notes: tuple[str, ...]
    ) -> Diagnosis:
        """Return what the stages found; ``missing`` says what they could not."""
        trace, coverage = self._case.trace, stages.coverage
        weighty, left_out = _weighty(stages.findings)
        findings = tuple(map(self._checked, weighty))
        conclusion = stages.conclusion or Conclusion()
        evidence = tuple(each for each in self._verifier.verified(conclusion.evidence) if each.verified)
        run = trace.by_id.get(conclusion.responsible_run_id or "")
        unknown = [conclusion.responsible_run_id] if conclusion.responsible_run_id and run is None else []
        # A cause that points at nothing in the trace is a guess.
        if not (conclusion.root_cause or "").strip() or not (run or evidence):
            conclusion, run = _without_cause(conclusion), None
        call, result = exchange.call_of(trace, run, words=conclusion.root_cause or "") if run else ("", "")
        missing = [*missing, *(f"the analyst named a run that the trace does not have ({each})" for each in unknown)]
        return Diagnosis(
            failure_type=conclusion.failure_type,
            cause=conclusion.cause,
            root_cause=conclusion.root_cause,
            responsible_run_id=run.id if run else None,
            responsible_run_name=run.name if run else None,
            responsible_run_number=trace.numbers[run.id] if run else None,
            responsible_run_path=tuple(ancestor.name for ancestor in trace.ancestors(run))[::-1] if run else (),
            responsible_run_kind=run.kind if run else "",
            call=call,
            result=result,
            candidates=candidates.of(conclusion, findings, trace),
            confidence=confidence.of(conclusion, run, evidence=evidence, coverage=coverage),
            confidence_basis=confidence.basis(conclusion, run, evidence=evidence, coverage=coverage),
            evidence=evidence,
            gaps=stages.gaps.gaps,
            missing_context=stages.gaps.missing_context,
            wrong_assumptions=stages.gaps.wrong_assumptions,
            affected_components=conclusion.affected_components,
            suggested_fix=fixes.shown(conclusion.suggested_fix, self._case, run=run),
            executive_summary=conclusion.executive_summary,
            findings=findings,
            findings_left_out=left_out,
            coverage=coverage,
            analyst=analyst,
            model=model,
            stages=tuple(stages.reports),
            stale_prompts=prompt_versions.stale(self._case),
            notes=notes,
            partial="; ".join(missing) or None,
        )

    def with_remains(self, found: Diagnosis, stages: Stages, *, model: str) -> Diagnosis:
        """Return a diagnosis with what another analyst, who did not finish, had noticed, and what it cost."""
        weighty, left_out = _weighty(stages.findings)
        noticed = tuple(self._checked(each).model_copy(update={"explains": ()}) for each in weighty)
        spent = tuple(report.model_copy(update={"model": model}) for report in stages.reports)
        return found.model_copy(
            update={
                "findings": (*found.findings, *noticed),
                "findings_left_out": found.findings_left_out + left_out,
                "stages": (*spent, *found.stages),
            }
        )

    def _checked(self, finding: Finding) -> Finding:
        known = {
            "evidence": self._verifier.verified(finding.evidence),
            "run_number": self._case.trace.numbers[finding.run_id],
            "explains": tuple(label for label in finding.explains if label in self._labels),
        }
        return finding.model_copy(update=known)


def _weighty(findings: Sequence[Finding]) -> tuple[list[Finding], int]:
    """Return the findings that weigh most, those that explain something first, in their order, and how many do not."""
    heaviest = sorted(findings, key=lambda each: (not each.explains, -each.weight))[:_MOST_FINDINGS]
    kept = set(map(id, heaviest))
    return [each for each in findings if id(each) in kept], len(findings) - len(kept)


def _without_cause(conclusion: Conclusion) -> Conclusion:
    """Return a conclusion without its cause and what would rest on one."""
    empty = {"failure_type": None, "cause": "", "root_cause": None, "responsible_run_id": None, "suggested_fix": None}
    return conclusion.model_copy(update=empty)
