"""From a case to a diagnosis, whoever the analyst is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.analysis import candidates, fixes, prompt_versions
from pytest_refinery.analysis.evidence import Verifier
from pytest_refinery.analysis.job import TimedJob
from pytest_refinery.analysis.ports import PreparingAnalyst
from pytest_refinery.analysis.schemas import Conclusion, Confidence, Diagnosis, Finding
from pytest_refinery.analysis.stages import Stages, nobody_watches
from pytest_refinery.digest import grouping, render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_refinery.analysis.ports import Analyst, Case, Forecast
    from pytest_refinery.analysis.schemas import SuggestedFix
    from pytest_refinery.digest.grouping import Group
    from pytest_refinery.digest.render import Digest
    from pytest_refinery.traces.model import Run, Trace

_GROUP_TOKENS = 20_000


@dataclass(frozen=True)
class Limits:
    """How a trace is cut, and how long its diagnosis may take.

    ``group_size_runs`` takes precedence over ``group_tokens``, ``disable_chunking`` over both. Without
    ``group_tokens`` a group may be as large as the analyst's calls. The time in which a diagnosis waits for others is
    no part of ``timeout_seconds``; ``max_wait_seconds`` bounds it, by default twice of what is foreseen at first.
    """

    group_tokens: int | None = None
    group_size_runs: int | None = None
    disable_chunking: bool = False
    timeout_seconds: float = 300.0
    max_wait_seconds: float | None = None
    pause_seconds: float = 0.0


class Engine:
    """Diagnoses failed expectations with one analyst.

    Args:
        watch: Called with a few words about what an analyst that takes its time is doing.
    """

    def __init__(
        self, analyst: Analyst | PreparingAnalyst, limits: Limits, *, watch: Callable[[str], None] = nobody_watches
    ) -> None:
        self._analyst = analyst
        self._limits = limits
        self._watch = watch

    def begin(self, case: Case) -> Analysis:
        """Cut the trace into groups and return the analysis of it, ready to run."""
        digest, groups = self._cut(case)
        job = TimedJob(self._limits.timeout_seconds, max_wait=self._limits.max_wait_seconds)
        verifier = Verifier(case.trace, shown={entry.run_id: entry.text for entry in digest.entries})
        stages = self._stages(case, groups, job)
        return Analysis(case, stages, verifier, job, analyst=self._analyst.name, model=self.model)

    def forecast(self, case: Case) -> Forecast | None:
        """Return what the diagnosis of ``case`` would cost, ``None`` where it costs nothing."""
        if not isinstance(self._analyst, PreparingAnalyst):
            return None
        return self._analyst.forecast(case, self._cut(case)[1])

    @property
    def model(self) -> str:
        """The model that the analyst asks, ``""`` where there is none."""
        return self._analyst.model if isinstance(self._analyst, PreparingAnalyst) else ""

    def _cut(self, case: Case) -> tuple[Digest, tuple[Group, ...]]:
        digest = render.digest(case.trace)
        fitting = (
            self._analyst.group_tokens(digest.tokens) if isinstance(self._analyst, PreparingAnalyst) else _GROUP_TOKENS
        )
        groups = grouping.group(
            digest,
            group_tokens=self._limits.group_tokens or fitting,
            group_size_runs=self._limits.group_size_runs,
            disable_chunking=self._limits.disable_chunking,
        )
        return digest, groups

    def _stages(self, case: Case, groups: Sequence[Group], job: TimedJob) -> Stages:
        if not isinstance(self._analyst, PreparingAnalyst):
            return Stages(self._analyst, case, groups, job)
        answering = self._analyst.prepare(case, groups, job)
        return Stages(answering, case, groups, job, watch=self._watch, pause=self._limits.pause_seconds)

    def diagnose(self, case: Case) -> Diagnosis:
        """Read the whole trace in stages and return what was found.

        What an analyst does never raises here: what is missing stands in ``partial``.
        """
        return self.begin(case).finish()


class Analysis:
    """The diagnosis of one case while it is being made."""

    def __init__(
        self, case: Case, stages: Stages, verifier: Verifier, job: TimedJob, *, analyst: str, model: str = ""
    ) -> None:
        self._case = case
        self._stages = stages
        self._verifier = verifier
        self._job = job
        self._analyst = analyst
        self._model = model

    def finish(self) -> Diagnosis:
        """Run the stages and return the diagnosis."""
        self._stages.run()
        return self.so_far()

    @property
    def ran_out_of_time(self) -> bool:
        """Whether something is missing because the time was up."""
        return bool(self._stages.missing) and self._job.is_out_of_time

    def so_far(self, interruption: str | None = None) -> Diagnosis:
        """Return the diagnosis as far as it has come; ``interruption`` says what cut it short."""
        trace, stages = self._case.trace, self._stages
        findings = tuple(map(self._checked, stages.findings))
        conclusion = stages.conclusion or _fallback(findings)
        evidence = tuple(found for found in self._verifier.verified(conclusion.evidence) if found.verified)
        run = trace.by_id.get(conclusion.responsible_run_id or "")
        missing = [*([interruption] if interruption else ()), *stages.missing]
        if conclusion.responsible_run_id and run is None:
            missing.append(f"the analyst named a run that the trace does not have ({conclusion.responsible_run_id})")
        return Diagnosis(
            failure_type=conclusion.failure_type,
            cause=conclusion.cause,
            root_cause=conclusion.root_cause,
            responsible_run_id=run.id if run else None,
            responsible_run_name=run.name if run else None,
            responsible_run_number=trace.numbers[run.id] if run else None,
            responsible_run_path=_path(trace, run) if run else (),
            candidates=candidates.of(conclusion, findings, trace),
            confidence=conclusion.confidence if evidence and run else Confidence.LOW,
            confidence_basis=conclusion.confidence_basis,
            evidence=evidence,
            gaps=stages.gaps.gaps,
            missing_context=stages.gaps.missing_context,
            wrong_assumptions=stages.gaps.wrong_assumptions,
            affected_components=conclusion.affected_components,
            suggested_fix=_located(conclusion.suggested_fix, self._case),
            executive_summary=conclusion.executive_summary,
            findings=findings,
            coverage=stages.coverage,
            analyst=self._analyst,
            model=self._model,
            stages=tuple(stages.reports),
            stale_prompts=prompt_versions.stale(self._case),
            notes=self._job.notes,
            partial="; ".join(missing) or None,
        )

    def _checked(self, finding: Finding) -> Finding:
        evidence = self._verifier.verified(finding.evidence)
        return finding.model_copy(update={"evidence": evidence, "run_number": self._case.trace.numbers[finding.run_id]})


def _path(trace: Trace, run: Run) -> tuple[str, ...]:
    """Return the names of the runs around ``run``, the outermost first."""
    return tuple(ancestor.name for ancestor in trace.ancestors(run))[::-1]


def _located(fix: SuggestedFix | None, case: Case) -> SuggestedFix | None:
    return None if fix is None else fixes.located(fix, case.prompt_files)


def _fallback(findings: Sequence[Finding]) -> Conclusion:
    """Conclude from stage 1 alone, where stage 3 gave no answer."""
    if not findings:
        return Conclusion()
    top = max(findings, key=lambda finding: finding.weight)
    return Conclusion(
        failure_type=top.failure_type,
        root_cause=top.what,
        responsible_run_id=top.run_id,
        evidence=top.evidence,
    )
