"""``pytest-refinery diagnose``: why a trace does not meet an expectation."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery import options, wiring
from pytest_refinery.cli import arguments, printing
from pytest_refinery.errors import ConfigurationError, TraceError, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.analysis.ports import Case, Judge
    from pytest_refinery.expectations.model import Expectation


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands; ``command`` makes the parser of one."""
    _add_diagnose(command("diagnose", help="say why a trace does not meet an expectation"))


def add_why(parser: argparse.ArgumentParser) -> None:
    """Add the flag for the business reason, and its earlier name."""
    parser.add_argument("--why", default="", metavar="SENTENCE", help="why that matters to the business")
    parser.add_argument("--because", dest="why", help=argparse.SUPPRESS)


def _add_diagnose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "subject",
        metavar="TRACE | FILE::ID",
        help="a trace (file, LangSmith id or address), or an expectation's node id",
    )
    parser.add_argument("--expect", default="", metavar="SENTENCE", help="what the agent should have done with a TRACE")
    add_why(parser)
    parser.add_argument(
        "--actual", action="append", default=[], metavar="SENTENCE", help="what happened instead (may be repeated)"
    )
    parser.add_argument("--was", dest="actual", action="append", help=argparse.SUPPRESS)
    parser.add_argument("--prompts", action="append", default=[], metavar="GLOB", help="prompt files (may be repeated)")
    parser.add_argument("--json", action="store_true", help="print the diagnosis as JSON, as in report.json")
    parser.set_defaults(run=_diagnose)


def _diagnose(given: argparse.Namespace) -> None:
    from pytest_refinery.reports import text

    services = wiring.build(options.read_environment(), wiring.Hooks(show=printing.say))
    is_expectation = re.search(arguments.EXPECTATION_FILE, given.subject) is not None
    case = (_case_of_expectation if is_expectation else _case_of_trace)(given, services)
    if case is None:
        print("The expectation is met: there is nothing to diagnose.")
        return
    found = services.engine.diagnose(services.as_sent(case))
    print(found.model_dump_json(indent=2) if given.json else text.diagnosis(found, width=printing.WIDTH))


def _case_of_trace(given: argparse.Namespace, services: wiring.Services) -> Case:
    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.expectations.verdicts import of_assertion
    from pytest_refinery.traces import prompts

    if not given.expect:
        msg = f"Say what was expected, with --expect SENTENCE; or diagnose an expectation: {given.subject} is a trace."
        raise ConfigurationError(msg)
    here = Path.cwd()
    trace = services.source.load(given.subject, base=here)
    return Case(
        trace=trace,
        expect=given.expect,
        business_context=given.why,
        failures=tuple(of_assertion(given.expect, each) for each in given.actual),
        prompts=prompts.extract(trace),
        prompt_files=wiring.read_prompt_files(given.prompts, base=here, root=here),
    )


def _case_of_expectation(given: argparse.Namespace, services: wiring.Services) -> Case | None:
    """Return the case of an expectation that is not met, as pytest would diagnose it; ``None`` where it is met."""
    from pytest_refinery.analysis import cases
    from pytest_refinery.analysis.ports import Judge
    from pytest_refinery.expectations import checks

    if given.expect or given.why or given.actual or given.prompts:
        msg = "--expect, --why, --actual and --prompts are for a TRACE; an expectation has its own in its file."
        raise ConfigurationError(msg)
    path, expectation = arguments.expectation(given.subject)
    if expectation.trace is None:
        msg = f"{given.subject} names no trace: run its agent with pytest --refinery '{given.subject}'."
        raise TraceError(msg)
    here, base = Path.cwd(), path.resolve().parent
    trace = services.source.load(expectation.trace, base=base, project=expectation.project)
    prompt_files, eval_files = (
        wiring.read_prompt_files(globs, base=base, root=here) for globs in (expectation.prompts, expectation.evals)
    )
    case = cases.of(expectation, trace, prompt_files=prompt_files, eval_files=eval_files)
    if expectation.checks:
        verdicts = checks.run_checks(expectation.checks, trace, import_from=(base, here))
        failures = tuple(verdict.failure for verdict in verdicts if verdict.failure is not None)
        return replace(case, failures=failures) if failures else None
    return (
        _judged(case, expectation, services.analyst, sent=services.as_sent(case))
        if isinstance(services.analyst, Judge)
        else case
    )


def _judged(case: Case, expectation: Expectation, judge: Judge, *, sent: Case) -> Case | None:
    from pytest_refinery.analysis import cases, verdicts
    from pytest_refinery.analysis.diagnosis_job import TimedJob
    from pytest_refinery.analysis.records import JudgeVerdict

    settings = options.read_environment()
    job = TimedJob(settings.timeout, max_wait=settings.max_wait)
    found = verdicts.decide(judge, sent, job, trials=expectation.trials, pass_rate=expectation.pass_rate)
    if found.verdict == JudgeVerdict.UNDECIDED:
        msg = f"The judge could not decide it. {cases.reasons(found)}"
        raise Undecided(msg)
    return None if found.verdict == JudgeVerdict.MET else replace(case, failures=(cases.judge_failure(found, case),))
