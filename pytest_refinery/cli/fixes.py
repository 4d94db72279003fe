"""``pytest-refinery verify``, ``accept`` and ``replay``: whether a fix helps."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery import options, wiring
from pytest_refinery.cli import arguments, printing
from pytest_refinery.errors import ConfigurationError, TraceError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from pytest_refinery.analysis.records import ItemRecord, Report
    from pytest_refinery.analysis.schemas import Verification
    from pytest_refinery.expectations.checks import Check
    from pytest_refinery.traces.model import Trace
    from pytest_refinery.verification.rerun import Patch


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands; ``command`` makes the parser of one."""
    _add_verify(command("verify", help="try the suggested fixes of a report, or a fix of your own"))
    _add_accept(command("accept", help="make the fixes of a report that are confirmed"))
    _add_replay(command("replay", help="make a recorded model call again, with another prompt or model"))


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("report", metavar="DIR", help="the folder of a report, with report.json in it")
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="only this one (may be repeated)")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--fix", metavar="FILE", help="try this patch, instead of the suggested ones")
    change.add_argument("--against", metavar="REV", help="compare the working tree with this revision of git")
    parser.add_argument(
        "--times", type=arguments.times, default=5, metavar="K", help="runs without and with it (%(default)s)"
    )
    parser.set_defaults(run=_verify)


def _add_accept(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("report", metavar="DIR", help="the folder of a report, with report.json in it")
    parser.add_argument("only", nargs="*", metavar="ID", help="only the fixes for these expectations")
    parser.set_defaults(run=_accept)


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subject", metavar="TRACE | FILE::ID", help="a trace, or an expectation as pytest names it")
    parser.add_argument(
        "--run", dest="step", required=True, metavar="N", help="the number of the step in the trace, or its id"
    )
    parser.add_argument("--prompt", metavar="FILE", help="the system prompt to give it instead")
    parser.add_argument("--model", metavar="NAME", help="the model to ask instead")
    parser.add_argument(
        "--times", type=arguments.times, default=5, metavar="K", help="calls as it was, and changed (%(default)s)"
    )
    parser.add_argument("--check", action="append", default=[], metavar="CHECK", help="'output: {not_contains: ...}'")
    parser.set_defaults(run=_replay)


def _verify(given: argparse.Namespace) -> int:
    from pytest_refinery.analysis.schemas import VerificationStatus
    from pytest_refinery.reports import verification
    from pytest_refinery.verification import suite_runs
    from pytest_refinery.verification.rerun import Patch

    wiring.remove_leftover_copies()
    report, root = arguments.report(Path(given.report))
    own = _own_fix(given, root)
    alone = ("-n0",) if find_spec("xdist") else ()
    found: dict[str, Verification] = {}
    with wiring.session_folder() as shared:
        variables = {suite_runs.SHARED_FOLDER: str(shared)}
        timeout = options.read_environment().timeout
        suite = suite_runs.Suite(root, Path.cwd(), arguments=alone, variables=variables, timeout=timeout)
        verifier = wiring.build_verifier(suite, given.times, show=printing.say)
        for record in arguments.chosen(report, given.only, has_fix=own is None):
            found[record.nodeid] = verifier.verify(record, own or Patch(arguments.diff(record), root))
            printing.show(f"{record.nodeid}  {verification.sentence(found[record.nodeid])}")
    if own is None:
        # What is shown about a fix of somebody else's says nothing about the suggested one.
        _update(report, found, Path(given.report), root)
    return int(any(each.status is not VerificationStatus.CONFIRMED for each in found.values()))


def _accept(given: argparse.Namespace) -> int:
    report, root = arguments.report(Path(given.report))
    refused = 0
    for record in arguments.chosen(report, given.only, has_fix=True):
        why = _refusal(record, root)
        # Without a name, all that can be accepted is meant.
        refused += bool(why and given.only)
        printing.show(f"{record.nodeid}  {f'not accepted: {why}' if why else 'accepted'}")
    return int(refused > 0)


def _refusal(record: ItemRecord, root: Path) -> str:
    """Make the fix for an expectation, or return why not."""
    from pytest_refinery.reports import verification
    from pytest_refinery.verification import scratch

    diagnosis = record.diagnosis
    fix = diagnosis.suggested_fix if diagnosis else None
    if diagnosis is None or fix is None or not fix.verified:
        return f"it is {verification.sentence(diagnosis.verification if diagnosis else None)}"
    try:
        scratch.accept(fix.diff, root, file=fix.file)
    except scratch.NotPossible as why:
        return str(why)
    return ""


def _own_fix(given: argparse.Namespace, root: Path) -> Patch | None:
    from pytest_refinery.verification import scratch
    from pytest_refinery.verification.rerun import Patch

    if given.against:
        text, top = scratch.changes_since(given.against, root)
        return Patch(text, top, is_applied=True)
    if not given.fix:
        return None
    try:
        return Patch(Path(given.fix).read_text(encoding="utf-8"), scratch.top_of(root))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"--fix {given.fix} cannot be read ({error})."
        raise ConfigurationError(msg) from error


def _update(report: Report, found: Mapping[str, Verification], folder: Path, root: Path) -> None:
    """Write what was shown into the files of the report."""
    from pytest_refinery.integration.reporting import report_files
    from pytest_refinery.reports import markdown
    from pytest_refinery.reports.page import kept
    from pytest_refinery.reports.page.render import render

    items = tuple(
        item.model_copy(update={"diagnosis": item.diagnosis.with_verification(found[item.nodeid])})
        if item.diagnosis and item.nodeid in found
        else item
        for item in report.expectations
    )
    report = report.model_copy(update={"expectations": items})
    files: dict[str, Callable[[], str | None]] = {
        "report.json": lambda: report.model_dump_json(indent=2) + "\n",
        "report.md": lambda: markdown.render(report),
        "index.html": lambda: render(report, kept.read(folder)),
        "refinery-fix.patch": lambda: report_files.patch_of(report, root=root).text or None,
    }
    _, problems = report_files.write(folder, files)
    if problems:
        raise TraceError(problems[0])


def _replay(given: argparse.Namespace) -> int:
    from pytest_refinery.analysis.diagnosis_job import TimedJob
    from pytest_refinery.analysis.schemas import VerificationStatus
    from pytest_refinery.reports import verification
    from pytest_refinery.verification import replay

    settings = options.read_environment()
    services = wiring.build(settings, wiring.Hooks(show=printing.say))
    trace, wanted, base = _step_of(given, services)
    trace = services.scrubber.trace(trace)
    runs = {str(number): run for number, run in enumerate(trace.runs, start=1)} | trace.by_id
    if given.step not in runs:
        msg = f"{trace.source} has no step {given.step!r}: --run is a number from 1 to {len(trace.runs)}, or an id."
        raise ConfigurationError(msg)
    call = replay.whole(runs[given.step])
    changed = replace(call.told(_prompt(given.prompt)) if given.prompt else call, model=given.model or call.model)
    import_from = (base, Path.cwd())
    failed = replay.failed_by(runs[given.step], trace, wanted, custom={}, import_from=import_from) if wanted else None
    ask = services.replayer(TimedJob(settings.timeout, max_wait=settings.max_wait))
    found = replay.made_again(ask, call, None if changed == call else changed, given.times)
    for said in found.lines(" and ".join(filter(None, (given.prompt, given.model)))):
        printing.show(said)
    if failed is None or not found.changed:
        return 0
    verdict = found.verdict(failed)
    print(verification.sentence(verdict))
    return int(verdict.status is not VerificationStatus.CONFIRMED)


def _step_of(given: argparse.Namespace, services: wiring.Services) -> tuple[Trace, tuple[Check, ...], Path]:
    """Return the trace, the checks that are to hold, and the folder that their modules are in."""
    from pytest_refinery.expectations import loader

    written = "".join(f"\n    - {check}" for check in given.check) or " []"
    own = loader.parse(f"trace: given\nexpectations:\n- expect: It.\n  checks:{written}", source="--check")[0].checks
    here = Path.cwd()
    if not re.search(arguments.EXPECTATION_FILE, given.subject):
        return services.source.load(given.subject, base=here), own, here
    path, expectation = arguments.expectation(given.subject)
    base = path.resolve().parent
    if expectation.trace is None:
        msg = f"{given.subject} names no trace."
        raise TraceError(msg)
    trace = services.source.load(expectation.trace, base=base, project=expectation.project)
    return trace, (*expectation.checks, *own), base


def _prompt(name: str) -> str:
    from pytest_refinery.traces import templates

    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"--prompt {name} cannot be read ({error})."
        raise ConfigurationError(msg) from error
    if templates.has_variables(text):
        msg = f"--prompt {name} has variables, and no one knows their values here. Write the text with the values."
        raise ConfigurationError(msg)
    return text
