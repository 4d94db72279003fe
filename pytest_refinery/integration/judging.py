"""From an expectation to a verdict: its trace, its prompts, its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.ports import Case
from pytest_refinery.analysis.records import CheckRecord, ExpectationRecord, ItemRecord, Outcome, TraceRecord
from pytest_refinery.analysis.schemas import Gap
from pytest_refinery.errors import Undecided
from pytest_refinery.expectations import checks
from pytest_refinery.traces import prompts

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.expectations.model import Expectation
    from pytest_refinery.integration.workbench import Workbench
    from pytest_refinery.traces.model import Trace

NO_JUDGE = (
    "Nothing can decide this expectation: it has no checks, and no model is set up to judge the sentence. "
    "Add `checks:` to the expectation."
)


def blank_record(expectation: Expectation, *, nodeid: str, file: str) -> ItemRecord:
    """Return the record of an expectation about which nothing is known."""
    return ItemRecord(
        nodeid=nodeid,
        outcome=Outcome.UNDECIDED,
        expectation=ExpectationRecord(
            id=expectation.id,
            expect=expectation.expect,
            business_context=expectation.business_context,
            file=file,
            line=expectation.line,
            tags=expectation.tags,
        ),
    )


def trace_record(trace: Trace) -> TraceRecord:
    """Return what a report says of a trace."""
    return TraceRecord(
        id=trace.id, name=trace.name, source=trace.source, format=trace.format, runs=len(trace.runs), notes=trace.notes
    )


def judge(
    expectation: Expectation, record: ItemRecord, workbench: Workbench, *, base: Path
) -> tuple[ItemRecord, Case | None]:
    """Return the record with its verdict, and the case to diagnose where the expectation does not hold.

    Raises:
        RefineryError: The expectation cannot be decided.
    """
    prompt_files = workbench.read_prompts(expectation.prompts, base=base)
    trace = workbench.load(expectation.trace, base=base)
    if not expectation.checks:
        raise Undecided(NO_JUDGE)
    results = checks.run_checks(
        expectation.checks,
        trace,
        custom=workbench.custom_checks,
        import_from=tuple(dict.fromkeys((base, workbench.root))),
    )
    record = record.model_copy(
        update={
            "trace": trace_record(trace),
            "checks": tuple(
                CheckRecord(
                    name=result.name,
                    passed=result.passed,
                    expected=result.expected,
                    actual=result.actual,
                    run_id=result.run_id,
                    run_name=result.run_name,
                )
                for result in results
            ),
        }
    )
    failures = tuple(
        Gap(expected=result.expected, actual=result.actual, run_id=result.run_id)
        for result in results
        if not result.passed
    )
    if not failures:
        return record.model_copy(update={"outcome": Outcome.PASSED}), None
    case = Case(
        trace=trace,
        expect=expectation.expect,
        business_context=expectation.business_context,
        failures=failures,
        prompts=prompts.extract(trace),
        prompt_files=prompt_files,
    )
    return record.model_copy(update={"outcome": Outcome.FAILED}), case
