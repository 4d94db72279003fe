"""The stages: one call per group, merged; then the gaps; then the conclusion."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from pytest_refinery.analysis.concurrency import CutShort, run_all
from pytest_refinery.analysis.schemas import (
    Conclusion,
    Coverage,
    Finding,
    GapAnalysis,
    GroupAnalysis,
    StageReport,
)

if TYPE_CHECKING:
    from pytest_refinery.analysis.ports import Analyst, Case
    from pytest_refinery.digest.grouping import Group
    from pytest_refinery.traces.model import Trace

T = TypeVar("T")

_GROUPS_AT_ONCE = 8


class Deadline:
    """The end of the time that one diagnosis may take."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self.clock = clock
        self._end = clock() + seconds

    def seconds_left(self) -> float:
        """Return the seconds until the end, below 0 after it."""
        return self._end - self.clock()


@dataclass
class Progress:
    """What the stages found so far, kept so that a diagnosis cut short can still show it."""

    findings: tuple[Finding, ...] = ()
    gaps: GapAnalysis = field(default_factory=GapAnalysis)
    conclusion: Conclusion | None = None
    coverage: Coverage = field(default_factory=lambda: Coverage(runs_total=0, runs_read=0, percentage=0.0))
    stages: list[StageReport] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Stages:
    """Runs the stages of one case one after the other."""

    def __init__(self, analyst: Analyst, case: Case, deadline: Deadline) -> None:
        self._analyst = analyst
        self._case = case
        self._deadline = deadline
        self.progress = Progress(coverage=coverage(case.trace, (), ()))

    def run(self, groups: Sequence[Group]) -> Progress:
        """Run all stages; where one fails, go on with what there is."""
        self._read_groups(groups)
        progress = self.progress
        gaps = self._single("gap analysis", lambda: self._analyst.find_gaps(self._case, progress.findings))
        progress.gaps = gaps or progress.gaps
        progress.conclusion = self._single(
            "diagnosis", lambda: self._analyst.conclude(self._case, progress.findings, progress.gaps)
        )
        return progress

    def _read_groups(self, groups: Sequence[Group]) -> None:
        started = self._deadline.clock()
        answers: dict[int, GroupAnalysis] = {}
        failed = self._ask(groups, range(len(groups)), answers)
        # A group that failed is asked once more, alone.
        for index in sorted(failed):
            if not isinstance(failed[index], CutShort):
                failed |= self._ask(groups, (index,), answers)
        self.progress.missing += [f"group {groups[i].name}: {self._reason(failed[i])}" for i in sorted(failed) if i not in answers]
        self.progress.findings = merged(self._case.trace, [answers[i].findings for i in sorted(answers)])
        self.progress.coverage = coverage(self._case.trace, groups, answers.items())
        self._record("trace analysis", calls=len(groups), started=started)

    def _ask(
        self, groups: Sequence[Group], indices: Iterable[int], answers: dict[int, GroupAnalysis]
    ) -> dict[int, Exception]:
        asked = list(indices)
        calls = [partial(self._analyst.analyse_group, self._case, groups[index]) for index in asked]
        failed: dict[int, Exception] = {}
        for place, result in run_all(calls, workers=_GROUPS_AT_ONCE, seconds_left=self._deadline.seconds_left):
            if isinstance(result, Exception):
                failed[asked[place]] = result
            else:
                answers[asked[place]] = result
        return failed

    def _single(self, name: str, call: Callable[[], T]) -> T | None:
        started = self._deadline.clock()
        ((_, result),) = run_all([call], workers=1, seconds_left=self._deadline.seconds_left)
        self._record(name, calls=1, started=started)
        if isinstance(result, Exception):
            self.progress.missing.append(f"{name}: {self._reason(result)}")
            return None
        return result

    def _record(self, name: str, *, calls: int, started: float) -> None:
        seconds = self._deadline.clock() - started
        self.progress.stages.append(StageReport(name=name, calls=calls, seconds=round(seconds, 3)))

    def _reason(self, error: Exception) -> str:
        if isinstance(error, CutShort):
            return f"not finished within {self._deadline.seconds:g} s (--refinery-timeout)"
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def merged(trace: Trace, answers: Iterable[Iterable[Finding]]) -> tuple[Finding, ...]:
    """Return all findings in the order of their runs, each rule once a run.

    Of duplicates the weightiest stays, with the evidence of all. Findings about runs that the
    trace does not have are dropped: nobody could look them up.
    """
    best: dict[tuple[str, str], Finding] = {}
    for finding in (finding for findings in answers for finding in findings):
        if finding.run_id not in trace.numbers:
            continue
        key = (finding.run_id, finding.rule or finding.what)
        best[key] = _joined(best[key], finding) if key in best else finding
    return tuple(sorted(best.values(), key=lambda finding: (trace.numbers[finding.run_id], -finding.weight, finding.rule)))


def _joined(one: Finding, other: Finding) -> Finding:
    first, second = (one, other) if one.weight >= other.weight else (other, one)
    evidence = tuple(dict.fromkeys((*first.evidence, *second.evidence)))
    return first.model_copy(update={"evidence": evidence})


def coverage(trace: Trace, groups: Sequence[Group], answers: Iterable[tuple[int, GroupAnalysis]]) -> Coverage:
    """Return the share of runs that were read whole.

    A run that is split over several groups counts when it was read in each of them.
    """
    read = {index: set(answer.runs_read) for index, answer in answers}
    unread = {run_id for i, group in enumerate(groups) for run_id in group.run_ids if run_id not in read.get(i, ())}
    planned = {run_id for group in groups for run_id in group.run_ids}
    missing = tuple(run.id for run in trace.runs if run.id in unread or run.id not in planned)
    total = len(trace.runs)
    return Coverage(
        runs_total=total,
        runs_read=total - len(missing),
        percentage=round(100 * (total - len(missing)) / total, 1) if total else 0.0,
        missing_run_ids=missing,
    )
