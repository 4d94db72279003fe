"""From an expectation to a verdict: its trace, its prompts, its checks, or the judge."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from pytest_refinery.analysis.ports import Case
from pytest_refinery.analysis.records import (
    CheckRecord,
    ExpectationRecord,
    ItemRecord,
    JudgeRecord,
    JudgeVerdict,
    Outcome,
    TraceRecord,
)
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
    "Set OPENAI_API_KEY (and leave --refinery-analyst at auto or openai), or add `checks:` to the expectation."
)
_OUTCOMES = {
    JudgeVerdict.MET: Outcome.PASSED,
    JudgeVerdict.NOT_MET: Outcome.FAILED,
    JudgeVerdict.UNDECIDED: Outcome.UNDECIDED,
}


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

    Where the judge could not tell, the record's outcome is undecided, and its ``error`` says why.

    Raises:
        RefineryError: The expectation cannot be decided.
    """
    prompt_files = workbench.read_files(expectation.prompts, base=base)
    eval_files = workbench.read_files(expectation.evals, base=base)
    trace = workbench.load(expectation.trace or "", base=base, project=expectation.project)
    case = Case(
        trace=trace,
        expect=expectation.expect,
        business_context=expectation.business_context,
        prompts=prompts.extract(trace),
        prompt_files=prompt_files,
        eval_files=eval_files,
    )
    record = record.model_copy(update={"trace": trace_record(trace)})
    if expectation.checks:
        record, failures = _checked(expectation, record, case, workbench, base=base)
    else:
        record, failures = _judged(expectation, record, case, workbench)
    return record, replace(case, failures=failures) if record.outcome == Outcome.FAILED else None


def _checked(
    expectation: Expectation, record: ItemRecord, case: Case, workbench: Workbench, *, base: Path
) -> tuple[ItemRecord, tuple[Gap, ...]]:
    results = checks.run_checks(
        expectation.checks,
        case.trace,
        custom=workbench.custom_checks,
        import_from=tuple(dict.fromkeys((base, workbench.root))),
    )
    failures = tuple(
        Gap(expected=result.expected, actual=result.actual, run_id=result.run_id)
        for result in results
        if not result.passed
    )
    outcome = Outcome.FAILED if failures else Outcome.PASSED
    return record.model_copy(
        update={"outcome": outcome, "checks": tuple(CheckRecord(**asdict(result)) for result in results)}
    ), failures


def _judged(
    expectation: Expectation, record: ItemRecord, case: Case, workbench: Workbench
) -> tuple[ItemRecord, tuple[Gap, ...]]:
    if not workbench.has_judge:
        raise Undecided(NO_JUDGE)
    if workbench.is_planning:
        return workbench.planned_judge(record, case, trials=expectation.trials), ()
    found = workbench.judged(record.nodeid, case, trials=expectation.trials, pass_rate=expectation.pass_rate)
    record = record.model_copy(update={"judge": found, "outcome": _OUTCOMES[found.verdict]})
    if found.verdict == JudgeVerdict.UNDECIDED:
        return record.model_copy(update={"error": f"The judge could not decide it. {_reasons(found)}"}), ()
    run_id = found.quotes[0].run_id if found.quotes else None
    return record, (Gap(expected=case.expect, actual=_reasons(found), run_id=run_id),)


def _reasons(found: JudgeRecord) -> str:
    return " ".join(found.reasons) or "It gave no reason."
