"""The stages: one call per group, merged; then the gaps; then the conclusion."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from pytest_refinery.analysis.concurrency import CutShort, run_all
from pytest_refinery.analysis.ports import Stage
from pytest_refinery.analysis.schemas import (
    Conclusion,
    Coverage,
    Finding,
    GapAnalysis,
    GroupAnalysis,
    StageReport,
)
from pytest_refinery.errors import AnalysisError
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_refinery.analysis.diagnosis_job import TimedJob
    from pytest_refinery.analysis.ports import Analyst, Case
    from pytest_refinery.digest.grouping import Group
    from pytest_refinery.traces.model import Run, Trace

T = TypeVar("T")

_GROUPS_AT_ONCE = 8


def no_progress(_: str) -> None:
    """Show nothing."""


class Stages:
    """The stages of one case, and what they found so far.

    Args:
        watch: Called with a few words whenever something is begun or done.
        pause: Seconds between two groups, which are then read one after the other.

    Attributes:
        gaps: The answer of stage 2, empty until it is there.
        conclusion: The answer of stage 3, ``None`` until it is there.
        reports: What each stage cost.
    """

    def __init__(
        self,
        analyst: Analyst,
        case: Case,
        groups: Sequence[Group],
        job: TimedJob,
        *,
        watch: Callable[[str], None] = no_progress,
        pause: float = 0.0,
    ) -> None:
        self._analyst = analyst
        self._case = case
        self._groups = groups
        self._job = job
        self._watch = watch
        self._pause = pause
        self._answers: dict[int, GroupAnalysis] = {}
        self._failures: dict[str, list[str]] = {}
        self.gaps = GapAnalysis()
        self.conclusion: Conclusion | None = None
        self.reports: list[StageReport] = []

    def run(self) -> None:
        """Run all stages; where one fails, go on with what there is."""
        try:
            self._read_groups()
            if not self.has_read:
                return
            findings = self.findings
            find_gaps = partial(self._analyst.find_gaps, self._case, findings)
            self.gaps = self._single(Stage.GAP_ANALYSIS, find_gaps) or self.gaps
            self.conclusion = self._single(
                Stage.DIAGNOSIS, lambda: self._analyst.conclude(self._case, findings, self.gaps)
            )
        finally:
            # Also after Ctrl-C: threads that still wait for the budget give up their places.
            self._job.finish()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What stage 1 found in the groups that were read, merged."""
        return merged(self._case.trace, [self._answers[index].findings for index in sorted(self._answers)])

    @property
    def has_read(self) -> bool:
        """Whether the analyst was given the content of any run."""
        return any(answer.runs_read for answer in self._answers.values())

    @property
    def coverage(self) -> Coverage:
        """Which runs were read."""
        return coverage(self._case.trace, self._groups, self._answers)

    @property
    def missing(self) -> list[str]:
        """What could not be found out: a sentence for each reason, with all that it hit."""
        return [f"{', '.join(hit)}: {reason}" for reason, hit in self._failures.items()]

    @property
    def reasons(self) -> list[str]:
        """Why something could not be found out, each once."""
        return list(self._failures)

    def _read_groups(self) -> None:
        started = self._job.clock()
        failed = self._ask(range(len(self._groups)))
        # A group that failed is asked once more, alone.
        for index in [index for index, error in failed.items() if _may_pass(error)]:
            failed |= self._ask([index])
        for index, error in sorted(failed.items()):
            if index not in self._answers:
                self._miss(f"group {self._groups[index].name}", error)
        self.reports.append(self._job.report(Stage.TRACE_ANALYSIS, calls=len(self._groups), started=started))

    def _ask(self, indices: Sequence[int]) -> dict[int, Exception]:
        calls = [partial(self._read, index, is_first=index == indices[0]) for index in indices]
        failed: dict[int, Exception] = {}
        workers = 1 if self._pause else _GROUPS_AT_ONCE
        self._say_how_far()
        for place, result in run_all(calls, workers=workers, seconds_left=self._job.seconds_left):
            if isinstance(result, Exception):
                failed[indices[place]] = result
            else:
                self._answers[indices[place]] = result
                self._say_how_far()
        return failed

    def _read(self, index: int, *, is_first: bool) -> GroupAnalysis:
        if self._pause and not is_first:
            self._job.cancelled.wait(self._pause)
        return self._analyst.analyse_group(self._case, self._groups[index])

    def _say_how_far(self) -> None:
        self._watch(f"{Stage.TRACE_ANALYSIS}, {len(self._answers)} of {len(self._groups)} groups")

    def _single(self, stage: Stage, call: Callable[[], T]) -> T | None:
        started = self._job.clock()
        self._watch(stage)
        ((_, result),) = run_all([call], workers=1, seconds_left=self._job.seconds_left)
        self.reports.append(self._job.report(stage, calls=1, started=started))
        if isinstance(result, Exception):
            self._miss(stage, result)
            return None
        return result

    def _miss(self, what: str, error: Exception) -> None:
        self._failures.setdefault(self._reason(error), []).append(what)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, CutShort):
            return f"not finished within {self._job.seconds:g} s (--refinery-timeout)"
        if isinstance(error, AnalysisError):
            return str(error)
        return f"{type(error).__name__}: {error}"


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, CutShort) and not (isinstance(error, AnalysisError) and error.is_final)


def merged(trace: Trace, answers: Iterable[Iterable[Finding]]) -> tuple[Finding, ...]:
    """Return all findings in the order of their runs, each rule once a run.

    Of duplicates the weightiest stays, with the evidence of all. Findings about runs that the
    trace does not have are dropped: they cannot be looked up.
    """
    best: dict[tuple[str, str], Finding] = {}
    for finding in (finding for findings in answers for finding in findings):
        if finding.run_id not in trace.numbers:
            continue
        key = (finding.run_id, finding.rule or finding.what)
        best[key] = _joined(best[key], finding) if key in best else finding
    return tuple(
        sorted(best.values(), key=lambda finding: (trace.numbers[finding.run_id], -finding.weight, finding.rule))
    )


def _joined(one: Finding, other: Finding) -> Finding:
    first, second = (one, other) if one.weight >= other.weight else (other, one)
    evidence = tuple(dict.fromkeys((*first.evidence, *second.evidence)))
    return first.model_copy(update={"evidence": evidence})


def _unseen(trace: Trace) -> frozenset[str]:
    """Return the runs that hold what no analyst is shown."""
    return frozenset(run.id for run in trace.runs if _is_unseen(run, trace))


def _is_unseen(run: Run, trace: Trace) -> bool:
    if run.kind not in {RunKind.MESSAGE, RunKind.LLM}:
        return False
    values = [run.inputs, run.outputs] if trace.is_log_of_calls else [run.outputs]
    return any(message.attached for message in messages.read(values).messages)


def coverage(trace: Trace, groups: Sequence[Group], answers: Mapping[int, GroupAnalysis]) -> Coverage:
    """Return the share of runs that were read whole.

    A run that is split over several groups counts when it was read in each of them. One with an image or a file does
    not count: no analyst is shown these.
    """
    read = {index: set(answer.runs_read) for index, answer in answers.items()}
    unread = {run_id for i, group in enumerate(groups) for run_id in group.run_ids if run_id not in read.get(i, ())}
    planned = {run_id for group in groups for run_id in group.run_ids}
    unseen = trace.derived(_unseen)
    missing = tuple(run.id for run in trace.runs if run.id in unread or run.id in unseen or run.id not in planned)
    total = len(trace.runs)
    return Coverage(
        runs_total=total,
        runs_read=total - len(missing),
        percentage=round(100 * (total - len(missing)) / total, 1) if total else 0.0,
        missing_run_ids=missing,
    )
