"""What pytest's own reports say of an item, as its record has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.records import Outcome
from pytest_refinery.reports.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_refinery.analysis.records import ItemRecord

_FAILURE_CHARACTERS = 2_000
_MOST_LEAVES = 20


def with_outcome(record: ItemRecord, report: pytest.TestReport, call: pytest.CallInfo[None]) -> ItemRecord | None:
    """Return the record with the outcome of the report, ``None`` where the report changes nothing about it."""
    if report.skipped:
        return _with(record, Outcome.SKIPPED, record.error or _reason(report))
    if report.when == "call":
        return _with(record, Outcome.PASSED if report.passed else Outcome.FAILED, record.error)
    if report.passed or (report.when == "teardown" and record.outcome in {Outcome.FAILED, Outcome.UNDECIDED}):
        return None
    why = printable(str(call.excinfo.value)) if call.excinfo else ""
    return _with(record, Outcome.UNDECIDED, f"The teardown failed: {why}" if report.when == "teardown" else why)


def is_expected_failure(report: pytest.TestReport) -> bool:
    """Tell whether a test failed that was expected to fail."""
    return report.skipped and hasattr(report, "wasxfail")


def is_unexpected_success(report: pytest.TestReport) -> bool:
    """Tell whether a test is a failure only because it was expected, strictly, to fail."""
    said = report.longreprtext if report.failed else ""
    # pytest's words for its own mark, and for unittest's decorator.
    return said.startswith(("[XPASS(strict)]", "Unexpected success"))


def is_rerun(item: pytest.Item, report: pytest.TestReport) -> bool:
    """Tell whether pytest-rerunfailures repeats what has failed; ``False`` where that cannot be known."""
    plugin = item.config.pluginmanager.getplugin("rerunfailures")
    attempt, final_errors = getattr(item, "execution_count", None), getattr(item, "_terminal_errors", None)
    if plugin is None or attempt is None or final_errors is None or any(final_errors.values()) or not report.failed:
        return False
    mark = item.get_closest_marker("flaky")
    # Its condition is evaluated later.
    has_condition = mark is not None and "condition" in mark.kwargs
    return not has_condition and attempt <= (plugin.get_reruns_count(item) or 0)


def _with(record: ItemRecord, outcome: Outcome, error: str | None) -> ItemRecord:
    return record.model_copy(update={"outcome": outcome, "error": error})


def _reason(report: pytest.TestReport) -> str:
    expected = getattr(report, "wasxfail", None)
    if expected is not None:
        return printable(f"Expected to fail: {str(expected).removeprefix('reason: ')}".removesuffix(": "))
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return printable(str(reason)).removeprefix("Skipped: ")


def message(error: BaseException) -> str:
    """Return what a failed assertion says; of a group of exceptions, what each of them says."""
    found = list(_leaves(error))
    head = f"{type(error).__name__}: {error}"
    if isinstance(error, BaseExceptionGroup):
        said = [f"{type(leaf).__name__}: {leaf}" for leaf in found[:_MOST_LEAVES]]
        rest = [f"and {len(found) - _MOST_LEAVES} more"] if len(found) > _MOST_LEAVES else []
        head = "; ".join([head, *said, *rest])
    return head[:_FAILURE_CHARACTERS]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseExceptionGroup):
            waiting += reversed(each.exceptions)
        else:
            yield each
