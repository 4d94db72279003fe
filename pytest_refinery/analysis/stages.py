"""The stages: one call per group, merged; then the gaps; then the conclusion."""

from __future__ import annotations

import time
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
from pytest_refinery.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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


class Stages:
    """The stages of one case, and what they found so far.

    Attributes:
        gaps: The answer of stage 2, empty until it is there.
        conclusion: The answer of stage 3, ``None`` until it is there.
        reports: What each stage cost.
        missing: What could not be found out, one sentence each.
    """

    def __init__(self, analyst: Analyst, case: Case, groups: Sequence[Group], deadline: Deadline) -> None:
        self._analyst = analyst
        self._case = case
        self._groups = groups
        self._deadline = deadline
        self._answers: dict[int, GroupAnalysis] = {}
        self.gaps = GapAnalysis()
        self.conclusion: Conclusion | None = None
        self.reports: list[StageReport] = []
        self.missing: list[str] = []

    def run(self) -> None:
        """Run all stages; where one fails, go on with what there is."""
        self._read_groups()
        findings = self.findings
        self.gaps = self._single("gap analysis", lambda: self._analyst.find_gaps(self._case, findings)) or self.gaps
        self.conclusion = self._single("diagnosis", lambda: self._analyst.conclude(self._case, findings, self.gaps))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What stage 1 found in the groups that were read, merged."""
        return merged(self._case.trace, [self._answers[index].findings for index in sorted(self._answers)])

    @property
    def coverage(self) -> Coverage:
        """Which runs were read."""
        return coverage(self._case.trace, self._groups, self._answers)

    def _read_groups(self) -> None:
        started = self._deadline.clock()
        failed = self._ask(range(len(self._groups)))
        # A group that failed is asked once more, alone.
        for index in [index for index, error in failed.items() if not isinstance(error, CutShort)]:
            failed |= self._ask([index])
        for index, error in sorted(failed.items()):
            if index not in self._answers:
                self.missing.append(f"group {self._groups[index].name}: {self._reason(error)}")
        self._record("trace analysis", calls=len(self._groups), started=started)

    def _ask(self, indices: Sequence[int]) -> dict[int, Exception]:
        calls = [partial(self._analyst.analyse_group, self._case, self._groups[index]) for index in indices]
        failed: dict[int, Exception] = {}
        for place, result in run_all(calls, workers=_GROUPS_AT_ONCE, seconds_left=self._deadline.seconds_left):
            if isinstance(result, Exception):
                failed[indices[place]] = result
            else:
                self._answers[indices[place]] = result
        return failed

    def _single(self, name: str, call: Callable[[], T]) -> T | None:
        started = self._deadline.clock()
        ((_, result),) = run_all([call], workers=1, seconds_left=self._deadline.seconds_left)
        self._record(name, calls=1, started=started)
        if isinstance(result, Exception):
            self.missing.append(f"{name}: {self._reason(result)}")
            return None
        return result

    def _record(self, name: str, *, calls: int, started: float) -> None:
        seconds = self._deadline.clock() - started
        self.reports.append(StageReport(name=name, calls=calls, seconds=round(seconds, 3)))

    def _reason(self, error: Exception) -> str:
        if isinstance(error, CutShort):
            return f"not finished within {self._deadline.seconds:g} s (--refinery-timeout)"
        if isinstance(error, AnalysisError):
            return str(error)
        return f"{type(error).__name__}: {error}"


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
    return tuple(
        sorted(best.values(), key=lambda finding: (trace.numbers[finding.run_id], -finding.weight, finding.rule))
    )


def _joined(one: Finding, other: Finding) -> Finding:
    first, second = (one, other) if one.weight >= other.weight else (other, one)
    evidence = tuple(dict.fromkeys((*first.evidence, *second.evidence)))
    return first.model_copy(update={"evidence": evidence})


def coverage(trace: Trace, groups: Sequence[Group], answers: Mapping[int, GroupAnalysis]) -> Coverage:
    """Return the share of runs that were read whole.

    A run that is split over several groups counts when it was read in each of them.
    """
    read = {index: set(answer.runs_read) for index, answer in answers.items()}
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
