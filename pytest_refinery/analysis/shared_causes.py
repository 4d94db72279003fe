"""What the failures of a session have in common: asked of a model, checked by code."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_refinery.analysis import session_report
from pytest_refinery.analysis.concurrency import CutShort, run_all
from pytest_refinery.analysis.ports import Stage
from pytest_refinery.analysis.records import GroupedFailures, RootCause, SummaryRecord, SummaryResult
from pytest_refinery.analysis.schemas import StageReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.analysis.diagnosis_job import TimedJob
    from pytest_refinery.analysis.ports import FailureSummarizer, FailureSummary, SharedCause
    from pytest_refinery.analysis.records import ItemRecord

FEWEST = 2
"""Of fewer failures a summary would only say what their diagnoses say."""


def ask(summarizer: FailureSummarizer, failures: Sequence[ItemRecord], job: TimedJob) -> SummaryResult:
    """Ask what the ``failures`` have in common; no answer in time is one that does not come."""
    started = job.clock()
    try:
        ((_, answer),) = run_all(
            [lambda: summarizer.summarize(failures, job)], workers=1, seconds_left=job.seconds_left
        )
    finally:
        # Also after Ctrl-C: a thread that still waits for the budget gives up its place.
        job.finish()
    problem = _problem(answer, failures, job)
    found = None if problem or isinstance(answer, Exception) else checked(answer, failures)
    cost = job.report(Stage.SUMMARY, started=started)
    return SummaryResult(grouped=found, record=SummaryRecord(model=summarizer.model, cost=cost, problem=problem))


def recalled(model: str, grouped: GroupedFailures) -> SummaryResult:
    """Return what ``model`` said of the same failures in an earlier session, which costs nothing."""
    return SummaryResult(
        grouped=grouped, record=SummaryRecord(model=model, cost=StageReport(name=Stage.SUMMARY), cached=True)
    )


def _problem(answer: FailureSummary | Exception, failures: Sequence[ItemRecord], job: TimedJob) -> str | None:
    """Return why the answer cannot be used, ``None`` where it can."""
    if isinstance(answer, CutShort):
        return f"it was not there within {job.seconds:g} s"
    if isinstance(answer, Exception):
        return str(answer) or type(answer).__name__
    failed = {item.nodeid for item in failures}
    is_about_them = any(failed.intersection(cause.nodeids) for cause in answer.causes)
    return None if is_about_them else "it named no cause of any of the failures"


def checked(answer: FailureSummary, failures: Sequence[ItemRecord]) -> GroupedFailures:
    """Return the answer with each failure in one cause: the first that names it, else one by rules.

    Names of items that did not fail are dropped.
    """
    left = {item.nodeid: item for item in failures}
    causes = [cause for shared in answer.causes if (cause := _taken(shared, left)) is not None]
    rest = session_report.root_causes(left.values())
    return GroupedFailures(summary=answer.summary, causes=session_report.by_frequency((*causes, *rest)))


def _taken(shared: SharedCause, left: dict[str, ItemRecord]) -> RootCause | None:
    """Return a cause with those of its failures that are ``left``, and take them away."""
    members = [left.pop(nodeid) for nodeid in dict.fromkeys(shared.nodeids) if nodeid in left]
    if not members or not shared.cause.strip():
        left.update((item.nodeid, item) for item in members)
        return None
    return RootCause(
        cause=shared.cause,
        failure_type=_most_common_type(members),
        nodeids=tuple(item.nodeid for item in members),
        advice=shared.advice,
    )


def _most_common_type(members: Iterable[ItemRecord]) -> str:
    counted = Counter(_types(members))
    return counted.most_common(1)[0][0] if counted else ""


def _types(members: Iterable[ItemRecord]) -> Iterator[str]:
    return (item.diagnosis.kind for item in members if item.diagnosis is not None and item.diagnosis.is_determined)
