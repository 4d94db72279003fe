"""From an expectation and a trace to the case that is diagnosed: the same for pytest and for the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.ports import Case
from pytest_refinery.expectations.verdicts import CheckFailure, Quote
from pytest_refinery.traces import prompts

if TYPE_CHECKING:
    from pytest_refinery.analysis.ports import PromptFile
    from pytest_refinery.analysis.records import JudgeRecord
    from pytest_refinery.expectations.model import Expectation
    from pytest_refinery.traces.model import Trace


def of(
    expectation: Expectation,
    trace: Trace,
    *,
    prompt_files: tuple[PromptFile, ...] = (),
    eval_files: tuple[PromptFile, ...] = (),
) -> Case:
    """Return all that is known of an expectation about ``trace``; nothing has failed yet."""
    return Case(
        trace=trace,
        expect=expectation.expect,
        business_context=expectation.business_context,
        prompts=prompts.extract(trace),
        prompt_files=prompt_files,
        eval_files=eval_files,
    )


def judge_failure(found: JudgeRecord, case: Case) -> CheckFailure:
    """Return what a judge objects to who found the expectation not met."""
    quotes = tuple(Quote(each.run_id, each.quote) for each in found.quotes)
    first = quotes[0] if quotes else None
    return CheckFailure(
        check="judge",
        expected=case.expect,
        actual=reasons(found),
        run_id=first and first.run_id,
        text=first and first.text,
        quotes=quotes,
    )


def reasons(found: JudgeRecord) -> str:
    """Return the reasons of a judge in one text."""
    return " ".join(found.reasons) or "It gave no reason."
