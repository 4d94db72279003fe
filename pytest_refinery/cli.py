"""The command ``pytest-refinery``: the engine's second front end. It does not need pytest."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery import options, wiring
from pytest_refinery.errors import ConfigurationError, RefineryError, TraceError, Undecided, did_you_mean
from pytest_refinery.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysis.ports import Case, Judge
    from pytest_refinery.expectations.model import Expectation
    from pytest_refinery.sources.langsmith import Download
    from pytest_refinery.traces.model import Trace

_WIDTH = 80


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 with one sentence on stderr where it could not do its work."""
    given = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console shows what it can of a trace; a file or a pipe gets all of it, whatever the locale.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")
    try:
        given.run(given)
    except RefineryError as error:
        print(f"pytest-refinery: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader (head, less) has gone; nothing more to say.
        sys.stderr.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-refinery",
        description="Expectations about LLM-agent traces, and diagnoses of those that fail.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    schema = commands.add_parser("schema", help="print the JSON Schema of expectation files, for editors")
    schema.set_defaults(run=_schema)
    _add_diagnose(commands.add_parser("diagnose", help="say why a trace does not meet an expectation"))
    _add_new(commands.add_parser("new", help="write an expectation file about a trace"))
    _add_fetch(commands.add_parser("fetch", help="save a trace of LangSmith as a file"))
    _add_capture(commands.add_parser("capture", help="call an agent once and save its trace as a file"))
    _add_baseline(commands.add_parser("baseline", help="keep a report under a name, to compare later runs with it"))
    _add_budget(commands.add_parser("budget", help="show the token budget that all workers share"))
    cleanup = commands.add_parser("cleanup", help="remove what earlier runs left with the OpenAI account")
    cleanup.add_argument("--list", action="store_true", help="only say what there is")
    cleanup.add_argument("--all", action="store_true", help="also what was used within the last hour, maybe by a run")
    cleanup.set_defaults(run=_cleanup)
    return parser


def _add_baseline(parser: argparse.ArgumentParser) -> None:
    save = parser.add_subparsers(required=True, metavar="ACTION").add_parser("save", help="keep a report under a name")
    save.add_argument("name", metavar="NAME", help="the name for --refinery-baseline")
    save.add_argument("--report", default="refinery-report", metavar="DIR", help="the report's folder (%(default)s)")
    save.set_defaults(run=_save_baseline)


def _add_budget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reset", action="store_true", help="forget what was used, who waits and what was learned")
    parser.add_argument("--model", help="the model whose budget it is, if not the one of REFINERY_MODEL")
    parser.set_defaults(run=_budget)


def _add_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", metavar="TRACE", help="a trace file, or an id, address or public link of LangSmith")
    parser.add_argument("--expect", required=True, metavar="SENTENCE", help="what the agent should have done")
    parser.add_argument("--because", default="", metavar="SENTENCE", help="why that matters to the business")
    parser.add_argument("--folder", default="expectations", metavar="DIR", help="where the file goes (%(default)s)")
    parser.add_argument("--name", metavar="NAME", help="the name of the file and the id; made of SENTENCE by default")
    parser.add_argument("--project", metavar="PROJECT", help="the project it is in, if not that of LANGSMITH_PROJECT")
    parser.set_defaults(run=_new)


def _add_capture(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("agent", metavar="MODULE:CALLABLE", help="a function, or an object with invoke or ainvoke")
    parser.add_argument("--input", default="{}", metavar="JSON", help="what it is called with (%(default)s)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the file, or - to print it")
    parser.add_argument("--force", action="store_true", help="overwrite the file")
    parser.set_defaults(run=_capture)


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", metavar="TRACE", help="a run or trace id, the address of a run, or a public link")
    parser.add_argument("file", nargs="?", metavar="FILE", help="the file, or - to print it; named after the trace")
    parser.add_argument("--project", metavar="PROJECT", help="the project it is in, if not that of LANGSMITH_PROJECT")
    parser.add_argument("--force", action="store_true", help="overwrite the file")
    parser.set_defaults(run=_fetch)


def _add_diagnose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "subject",
        metavar="TRACE | FILE::ID",
        help="a trace file, or the id or address of a trace in LangSmith; or an expectation as pytest names it, "
        "with all that its file says",
    )
    parser.add_argument("--expect", default="", metavar="SENTENCE", help="what the agent should have done with a TRACE")
    parser.add_argument("--because", default="", metavar="SENTENCE", help="why that matters to the business")
    parser.add_argument(
        "--was", action="append", default=[], metavar="SENTENCE", help="what was wrong (may be repeated)"
    )
    parser.add_argument("--prompts", action="append", default=[], metavar="GLOB", help="prompt files (may be repeated)")
    parser.add_argument("--json", action="store_true", help="print the diagnosis as JSON, as in report.json")
    parser.set_defaults(run=_diagnose)


def _say(words: str) -> None:
    """Say what is being done; the answer alone goes to stdout."""
    print(f"pytest-refinery: {words}", file=sys.stderr)


def _cleanup(given: argparse.Namespace) -> None:
    left = wiring.build_stale_resources()
    found = list(left.found(everything=given.all))
    for each in found:
        print(f"{each.kind:<13}{each.id}  {each.about}")
    if not found:
        print(
            "Nothing of ours is left with the account"
            + ("." if given.all else " that was not used within the last hour.")
        )
    elif not given.list:
        print(f"{left.remove(found)} of {len(found)} removed.")


def _schema(_: argparse.Namespace) -> None:
    from pytest_refinery.expectations import model

    print(json.dumps(model.json_schema(), indent=2, ensure_ascii=False))


def _save_baseline(given: argparse.Namespace) -> None:
    from pytest_refinery.reports import baselines

    saved = baselines.save(given.name, Path(given.report), root=Path.cwd())
    print(f"{saved.relative_to(Path.cwd())} is the baseline {given.name}: pytest --refinery-baseline {given.name}")


def _budget(given: argparse.Namespace) -> None:
    from pytest_refinery.budget import messages

    settings = options.read_environment()
    settings = replace(settings, model=given.model or settings.model)
    ledger = wiring.build(settings, wiring.Hooks(show=lambda sentence: print(sentence, file=sys.stderr))).ledger
    if given.reset:
        ledger.reset()
    print(messages.page(settings.model, ledger.status()), end="")


def _new(given: argparse.Namespace) -> None:
    from pytest_refinery.analysis import prompt_versions
    from pytest_refinery.expectations import drafting, loader, suggestions
    from pytest_refinery.sources import prompt_files
    from pytest_refinery.traces import prompts

    here, folder = Path.cwd(), Path(given.folder)
    name = _free_name(folder, loader.slug(given.name or given.expect))
    trace, file, content = _trace_of(given, here, folder / "traces" / name)
    found = prompts.extract(trace)
    with_prompts = prompt_versions.written(found, list(prompt_files.in_repository(here)))
    draft = drafting.Draft(
        id=name,
        expect=given.expect,
        business_context=given.because,
        trace=_relative(file, folder),
        prompt_files=tuple(_relative(here / prompt.path, folder) for prompt in with_prompts),
        trace_prompts=found,
        suggestions=suggestions.suggest(trace, expect=given.expect),
    )
    path, text = folder / f"{name}.refinery.yaml", drafting.text(draft)
    loader.parse(text, source=path.as_posix())
    if content is not None:
        _write(file, content)
    _write(path, text.encode())
    print(drafting.next_steps(draft, path=path.as_posix(), runs=len(trace.runs)), end="")


def _free_name(folder: Path, wanted: str) -> str:
    """Return a name of which the folder has neither an expectation file nor a trace."""
    taken = {
        path.name.partition(".")[0].casefold() for place in (folder, folder / "traces") for path in place.glob("*.*")
    }
    names = (wanted if number == 1 else f"{wanted}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def _trace_of(given: argparse.Namespace, here: Path, target: Path) -> tuple[Trace, Path, bytes | None]:
    """Return the trace, the file to refer to, and what is to be saved there: nothing where it is below this folder."""
    from pytest_refinery.sources import langsmith

    source = here / given.trace
    if source.is_file() or langsmith.read_reference(given.trace) is None:
        trace = wiring.build(Settings()).source.load(given.trace, base=here)
        if source.resolve().is_relative_to(here.resolve()):
            return trace, source, None
        return trace, target.with_name(target.name + "".join(source.suffixes[-2:])), source.read_bytes()
    found = _downloaded(given)
    return found.trace, target.with_name(f"{target.name}.json"), found.as_json().encode()


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _write(path: Path, content: bytes, *, may_overwrite: bool = False) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb" if may_overwrite else "xb") as file:
            file.write(content)
    except OSError as error:
        msg = f"{path} cannot be written ({error.strerror or error})."
        raise TraceError(msg) from error


def _downloaded(given: argparse.Namespace) -> Download:
    found = wiring.build(options.read_environment()).langsmith.download(given.trace, project=given.project)
    if found.doubt:
        _say(f"warning: {found.doubt}")
    return found


def _fetch(given: argparse.Namespace) -> None:
    if given.file and not given.force:
        # Before it is fetched, which may take minutes.
        _refuse_taken(Path(given.file))
    found = _downloaded(given)
    if given.file == "-":
        print(found.as_json())
        return
    path = Path(given.file or found.file_name)
    if not given.force:
        _refuse_taken(path)
    _write(path, f"{found.as_json()}\n".encode(), may_overwrite=given.force)
    _say(f"{len(found.records)} runs saved; name them in an expectation file as trace: {path.as_posix()}")


def _capture(given: argparse.Namespace) -> None:
    from pytest_refinery.traces import saving
    from pytest_refinery.traces.recorder import Recorder

    path = Path(given.output)
    if given.output != "-" and not given.force:
        _refuse_taken(path)
    inputs = _inputs(given.input)
    call = wiring.build_agent(given.agent, import_from=[Path.cwd()]).call(inputs)
    recorder, raised = Recorder(given.agent, source=f"agent {given.agent}"), ""
    try:
        with recorder.capturing(wiring.build_captures(), inputs=inputs) as root:
            root.outputs = call()
    except Exception as error:  # noqa: BLE001  (whatever an agent raises is in its trace)
        raised = f"; the agent raised {type(error).__name__}: {error}"
    trace = recorder.trace()
    if trace is None:
        msg = f"{given.agent}: nothing was captured{raised}."
        raise TraceError(msg)
    text = saving.text(wiring.build_scrubber().trace(trace))
    if given.output == "-":
        print(text, end="")
    else:
        _write(path, text.encode(), may_overwrite=given.force)
        _say(f"{len(trace.runs)} runs saved; name them in an expectation file as trace: {path.as_posix()}{raised}")


def _inputs(written: str) -> object:
    try:
        return json.loads(written)
    except ValueError as error:
        msg = f'--input is not valid JSON ({error}); write it in single quotes: --input \'{{"question": "..."}}\''
        raise TraceError(msg) from error


def _refuse_taken(path: Path) -> None:
    if path.exists():
        msg = f"{path} is there already; name another file, or overwrite it with --force."
        raise TraceError(msg)


def _diagnose(given: argparse.Namespace) -> None:
    from pytest_refinery.reports import text

    services = wiring.build(options.read_environment(), wiring.Hooks(show=_say))
    is_expectation = re.search(r"\.refinery\.ya?ml(::|$)", given.subject) is not None
    case = (_case_of_expectation if is_expectation else _case_of_trace)(given, services)
    if case is None:
        print("The expectation is met: there is nothing to diagnose.")
        return
    found = services.engine.diagnose(services.as_sent(case))
    print(found.model_dump_json(indent=2) if given.json else text.diagnosis(found, width=_WIDTH, is_whole=True))


def _case_of_trace(given: argparse.Namespace, services: wiring.Services) -> Case:
    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.expectations.verdicts import CheckFailure
    from pytest_refinery.traces import prompts

    if not given.expect:
        msg = f"Say what was expected, with --expect SENTENCE; or diagnose an expectation: {given.subject} is a trace."
        raise ConfigurationError(msg)
    here = Path.cwd()
    trace = services.source.load(given.subject, base=here)
    return Case(
        trace=trace,
        expect=given.expect,
        business_context=given.because,
        failures=tuple(CheckFailure(check="assertion", expected=given.expect, actual=was) for was in given.was),
        prompts=prompts.extract(trace),
        prompt_files=wiring.read_prompt_files(given.prompts, base=here, root=here),
    )


def _case_of_expectation(given: argparse.Namespace, services: wiring.Services) -> Case | None:
    """Return the case of an expectation that is not met, as pytest would diagnose it; ``None`` where it is met."""
    from pytest_refinery.analysis import cases
    from pytest_refinery.analysis.ports import Judge
    from pytest_refinery.expectations import checks

    if given.expect or given.because or given.was or given.prompts:
        msg = "--expect, --because, --was and --prompts are for a TRACE; an expectation has its own in its file."
        raise ConfigurationError(msg)
    path, expectation = _expectation(given.subject)
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


def _expectation(subject: str) -> tuple[Path, Expectation]:
    """Return the file and the expectation that ``subject`` (``FILE::ID``, or the file of only one) names."""
    from pytest_refinery.expectations import loader

    name, _, wanted = subject.partition("::")
    found = {each.id: each for each in loader.load(Path(name))}
    if not wanted and len(found) == 1:
        return Path(name), next(iter(found.values()))
    if wanted not in found:
        known = ", ".join(f"{name}::{each}" for each in found)
        problem = (
            f"{name} has no expectation {wanted!r}.{did_you_mean(wanted, found)}" if wanted else "Name one of them."
        )
        msg = f"{problem} There are: {known}."
        raise ConfigurationError(msg)
    return Path(name), found[wanted]
