"""The command ``pytest-refinery``: the engine's second front end. It does not need pytest."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
from dataclasses import replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery import options, wiring
from pytest_refinery.errors import ConfigurationError, RefineryError, TraceError, Undecided, did_you_mean
from pytest_refinery.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_refinery.analysis.gate import Baseline
    from pytest_refinery.analysis.ports import Case, Judge
    from pytest_refinery.analysis.records import FailOn, ItemRecord, Report
    from pytest_refinery.analysis.schemas import Verification
    from pytest_refinery.expectations.checks import Check
    from pytest_refinery.expectations.model import Expectation
    from pytest_refinery.reports.merging import Merged
    from pytest_refinery.sources.langsmith import Download
    from pytest_refinery.traces.model import Trace
    from pytest_refinery.verification.rerun import Patch

_WIDTH = 80
_EXPECTATION_FILE = r"\.refinery\.ya?ml(::|$)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 where it found what it looks for to be wrong, or could not do its work.

    Why it could not do its work stands on stderr, in one sentence.
    """
    given = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console shows what it can of a trace; a file or a pipe gets all of it, whatever the locale.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")
    try:
        return int(given.run(given) or 0)
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
    _add_verify(commands.add_parser("verify", help="try the suggested fixes of a report, or a fix of your own"))
    _add_accept(commands.add_parser("accept", help="make the fixes of a report that are confirmed"))
    _add_replay(commands.add_parser("replay", help="make a recorded model call again, with another prompt or model"))
    _add_merge(commands.add_parser("merge", help="make one report of those of several shards"))
    _add_compare(commands.add_parser("compare", help="say how expectations stand beside an earlier report"))
    _add_explain(commands.add_parser("explain", help="print all that is needed to fix one failure"))
    _add_skill(commands.add_parser("skill", help="print the skill for coding agents, or install it"))
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


def _add_merge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reports", nargs="+", metavar="DIR", help="folders of reports, a re-run after what it repeats")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="the folder for the one report")
    parser.add_argument("--of", type=_times, metavar="N", help="how many reports there must be")
    parser.add_argument("--baseline", metavar="BASELINE", help="compare with this report or saved baseline")
    parser.add_argument("--fail-on", choices=["any", "new", "regression"], default="any", help="as --refinery-fail-on")
    parser.set_defaults(run=_merge)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="BEFORE", help="a report, its folder, or a saved baseline")
    parser.add_argument("after", metavar="AFTER", help="the later one")
    parser.add_argument("id", nargs="?", metavar="ID", help="only this expectation")
    parser.set_defaults(run=_compare)


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="NODEID | ID", help="a failed expectation of the report")
    parser.add_argument("--report", default="refinery-report", metavar="DIR", help="the report's folder (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print its record as JSON, as in report.json")
    parser.set_defaults(run=_explain)


def _add_skill(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--install", metavar="DIR", help="write it into this folder of skills instead")
    parser.set_defaults(run=_skill)


def _add_budget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reset", action="store_true", help="forget what was used, who waits and what was learned")
    parser.add_argument("--model", help="the model whose budget it is, if not the one of REFINERY_MODEL")
    parser.set_defaults(run=_budget)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("report", metavar="DIR", help="the folder of a report, with report.json in it")
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="only this one (may be repeated)")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--fix", metavar="FILE", help="try this patch, instead of the suggested ones")
    change.add_argument("--against", metavar="REV", help="compare the working tree with this revision of git")
    parser.add_argument("--times", type=_times, default=5, metavar="K", help="runs without and with it (%(default)s)")
    parser.set_defaults(run=_verify)


def _times(text: str) -> int:
    # argparse says what is wrong with other texts.
    return max(1, int(text))


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
        "--times", type=_times, default=5, metavar="K", help="calls as it was, and changed (%(default)s)"
    )
    parser.add_argument("--check", action="append", default=[], metavar="CHECK", help="'output: {not_contains: ...}'")
    parser.set_defaults(run=_replay)


def _add_why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--why", default="", metavar="SENTENCE", help="why that matters to the business")
    parser.add_argument("--because", dest="why", help=argparse.SUPPRESS)


def _add_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", metavar="TRACE", help="a trace file, or an id, address or public link of LangSmith")
    parser.add_argument("--expect", required=True, metavar="SENTENCE", help="what the agent should have done")
    _add_why(parser)
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
        help="a trace (file, LangSmith id or address), or an expectation's node id",
    )
    parser.add_argument("--expect", default="", metavar="SENTENCE", help="what the agent should have done with a TRACE")
    _add_why(parser)
    parser.add_argument(
        "--actual", action="append", default=[], metavar="SENTENCE", help="what happened instead (may be repeated)"
    )
    parser.add_argument("--was", dest="actual", action="append", help=argparse.SUPPRESS)
    parser.add_argument("--prompts", action="append", default=[], metavar="GLOB", help="prompt files (may be repeated)")
    parser.add_argument("--json", action="store_true", help="print the diagnosis as JSON, as in report.json")
    parser.set_defaults(run=_diagnose)


def _say(words: str) -> None:
    """Say what is being done; the answer alone goes to stdout."""
    print(f"pytest-refinery: {words}", file=sys.stderr)


def _print(text: str) -> None:
    """Print what may hold words of a trace, so that they steer nothing."""
    from pytest_refinery.reports.escape import inert, printable

    print(inert(printable(text)))


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


def _merge(given: argparse.Namespace) -> int:
    from pytest_refinery.reports import merging

    folders = [Path(each) for each in given.reports]
    missing = [folder for folder in folders if not (folder / "report.json").is_file()]
    found = [(str(folder), _report(folder)[0]) for folder in folders if folder not in missing]
    merged = merging.merge(found)
    notes = [*(f"{folder} has no report.json" for folder in missing), *merged.notes]
    if given.of and len(found) != given.of:
        notes.append(f"{len(found)} of {given.of} reports are there")
    output = Path(given.output)
    report = _write_merged(merged, folders, output, _named_baseline(given.baseline, given.fail_on))
    for note in notes:
        _say(f"warning: {note}")
    from pytest_refinery.reports import text

    print("\n".join(text.summary(report, files=[str(output / "index.html")], width=_WIDTH)))
    return 1 if missing or (given.of and len(found) != given.of) or _fails(report) else 0


def _named_baseline(named: str | None, fail_on: FailOn) -> Baseline | None:
    from pytest_refinery.analysis import history
    from pytest_refinery.analysis.gate import Baseline
    from pytest_refinery.reports import baselines

    if named is None:
        return None
    path = baselines.find(named, root=Path.cwd(), current=Path.cwd())
    return Baseline(history.read_report(path.read_text("utf-8", "replace"), name=f"baseline {named}"), fail_on=fail_on)


def _write_merged(merged: Merged, folders: Sequence[Path], output: Path, baseline: Baseline | None) -> Report:
    """Write the one report of several; return it."""
    import shutil
    from importlib.metadata import version

    from pytest_refinery import shared_file
    from pytest_refinery.analysis import session_report
    from pytest_refinery.reports import markdown, merging
    from pytest_refinery.reports.page import kept
    from pytest_refinery.reports.page.render import render

    report = session_report.compile_report(
        merged.items,
        plugin_version=version("pytest-refinery"),
        dollars=wiring.build_prices(),
        baseline=baseline,
        replayed={item.nodeid for item in merged.items if item.is_replayed},
    )
    known = {str(folder): kept.read(folder).pictures for folder in folders}
    pictures = {nodeid: known[name][nodeid] for nodeid, name in merged.sources.items() if nodeid in known.get(name, {})}
    output.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        if (folder / "traces").is_dir():
            shutil.copytree(folder / "traces", output / "traces", dirs_exist_ok=True)
    files = {
        "report.json": report.model_dump_json(indent=2) + "\n",
        "report.md": markdown.render(report),
        "index.html": render(report, kept.Kept(pictures)),
    }
    xml = [path.read_bytes() for folder in folders for path in sorted(folder.glob("*.xml"))]
    if xml:
        files["junit.xml"] = merging.junit(xml)
    for name, content in files.items():
        shared_file.replace(output / name, content, permissions=shared_file.ORDINARY)
    return report


def _fails(report: Report) -> bool:
    """Tell whether a merged report fails, as the run of all of it would."""
    from pytest_refinery.analysis import gate
    from pytest_refinery.analysis.records import GateVerdict, Outcome

    verdict = report.comparison.gate if report.comparison else None
    excused = gate.excused(report.expectations, verdict) if verdict else frozenset()
    bad = {item.nodeid for item in report.expectations if item.outcome in {Outcome.FAILED, Outcome.UNDECIDED}}
    return bool(bad - excused) or (verdict is not None and verdict.verdict is GateVerdict.FAIL)


def _compare(given: argparse.Namespace) -> None:
    from pytest_refinery.analysis import divergence, gate, history
    from pytest_refinery.analysis.gate import Baseline
    from pytest_refinery.reports import baselines, comparing

    here = Path.cwd()
    before = baselines.find(given.before, root=here, current=here)
    after = baselines.find(given.after, root=here, current=here)
    baseline = Baseline(history.read_report(before.read_text("utf-8", "replace"), name=given.before))
    report, _ = _report(after.parent)
    items = [each for each in report.expectations if given.id in {None, each.nodeid, each.expectation.id}]
    if not items:
        known = [each.expectation.id for each in report.expectations]
        msg = f"{after} has no expectation {given.id!r}.{did_you_mean(given.id, known)}"
        raise ConfigurationError(msg)
    source = wiring.build(options.read_environment(), wiring.Hooks(show=_say)).source
    for item in gate.changes(items, baseline):
        file = baselines.trace_file(item.nodeid)
        pair = [source.load(file, base=path.parent) for path in (before, after) if (path.parent / file).is_file()]
        parted = divergence.first(*pair) if len(pair) == 2 else None  # noqa: PLR2004
        print("\n".join(comparing.lines(item, parted)))


def _explain(given: argparse.Namespace) -> None:
    from pytest_refinery.digest import tokens
    from pytest_refinery.reports import explanation

    report, root = _report(Path(given.report))
    (item,) = _chosen(report, [given.id], has_fix=False)
    if given.json:
        print(item.model_dump_json(indent=2))
        return
    steps = _steps_around(item, Path(given.report), root)
    print(explanation.explain(item, folder=given.report, count=tokens.estimate, steps=steps), end="")


def _steps_around(item: ItemRecord, folder: Path, root: Path) -> list[tuple[int, str]]:
    """Return the decisive step of an item with its neighbours, where its trace is still here."""
    from pytest_refinery.analysis import divergence
    from pytest_refinery.reports import baselines

    decisive = item.diagnosis.responsible_run_number if item.diagnosis else None
    if item.trace is None or decisive is None:
        return []
    kept = folder / baselines.trace_file(item.nodeid)
    try:
        source = wiring.build(options.read_environment(), wiring.Hooks(show=_say)).source
        path, expectation = _expectation(f"{root / item.expectation.file}::{item.expectation.id}")
        reference = str(kept.resolve()) if kept.is_file() else expectation.trace or ""
        trace = source.load(reference, base=path.resolve().parent)
    except RefineryError:
        return []
    return divergence.around(wiring.build_scrubber().trace(trace), decisive)


def _skill(given: argparse.Namespace) -> None:
    from importlib import resources

    text = resources.files("pytest_refinery").joinpath("skill", "SKILL.md").read_text(encoding="utf-8")
    if given.install is None:
        print(text, end="")
        return
    target = Path(given.install) / "fix-agent-expectations" / "SKILL.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(f"{target} is written.")


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
        business_context=given.why,
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
    is_expectation = re.search(_EXPECTATION_FILE, given.subject) is not None
    case = (_case_of_expectation if is_expectation else _case_of_trace)(given, services)
    if case is None:
        print("The expectation is met: there is nothing to diagnose.")
        return
    found = services.engine.diagnose(services.as_sent(case))
    print(found.model_dump_json(indent=2) if given.json else text.diagnosis(found, width=_WIDTH))


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


def _verify(given: argparse.Namespace) -> int:
    from pytest_refinery.analysis.schemas import VerificationStatus
    from pytest_refinery.reports import verification
    from pytest_refinery.verification import suite_runs
    from pytest_refinery.verification.rerun import Patch

    wiring.remove_leftover_copies()
    report, root = _report(Path(given.report))
    own = _own_fix(given, root)
    alone = ("-n0",) if find_spec("xdist") else ()
    found: dict[str, Verification] = {}
    with wiring.session_folder() as shared:
        variables = {suite_runs.SHARED_FOLDER: str(shared)}
        timeout = options.read_environment().timeout
        suite = suite_runs.Suite(root, Path.cwd(), arguments=alone, variables=variables, timeout=timeout)
        verifier = wiring.build_verifier(suite, given.times, show=_say)
        for record in _chosen(report, given.only, has_fix=own is None):
            found[record.nodeid] = verifier.verify(record, own or Patch(_diff(record), root))
            _print(f"{record.nodeid}  {verification.sentence(found[record.nodeid])}")
    if own is None:
        # What is shown about a fix of somebody else's says nothing about the suggested one.
        _update(report, found, Path(given.report), root)
    return int(any(each.status is not VerificationStatus.CONFIRMED for each in found.values()))


def _accept(given: argparse.Namespace) -> int:
    report, root = _report(Path(given.report))
    refused = 0
    for record in _chosen(report, given.only, has_fix=True):
        why = _refusal(record, root)
        # Without a name, all that can be accepted is meant.
        refused += bool(why and given.only)
        _print(f"{record.nodeid}  {f'not accepted: {why}' if why else 'accepted'}")
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


def _report(folder: Path) -> tuple[Report, Path]:
    """Return the report in a folder, and the root folder of the suite that it is about."""
    from pydantic import ValidationError

    from pytest_refinery.analysis.records import Report

    path = folder / "report.json"
    try:
        report = Report.model_validate_json(path.read_bytes())
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}). Write it with pytest --refinery --refinery-report {folder}"
        raise TraceError(msg) from error
    except ValidationError as error:
        msg = f"{path} is not a report of this version of pytest-refinery. Write it again: --refinery-report {folder}"
        raise TraceError(msg) from error
    here = Path.cwd()
    for root in (here, *here.parents):
        if all((root / each.expectation.file).is_file() for each in report.expectations):
            return report, root
    msg = f"The files that {path} names are not here. Start the command in the folder that pytest was started in."
    raise TraceError(msg)


def _chosen(report: Report, only: Sequence[str], *, has_fix: bool) -> list[ItemRecord]:
    """Return the failed expectations, or those of them that are named: by id or node id."""
    from pytest_refinery.analysis.records import Outcome

    failed = [each for each in report.expectations if each.outcome is Outcome.FAILED]
    known = {name for each in failed for name in (each.nodeid, each.expectation.id)}
    for name in only:
        if name not in known:
            msg = f"The report has no failed expectation {name!r}.{did_you_mean(name, known)}"
            raise ConfigurationError(msg)
    chosen = [each for each in failed if not only or {each.nodeid, each.expectation.id} & set(only)]
    found = [each for each in chosen if not has_fix or _diff(each)]
    if not found:
        msg = "No failed expectation of the report has a suggested change of a file. Try one of your own: --fix FILE"
        raise ConfigurationError(msg)
    return found


def _diff(record: ItemRecord) -> str:
    fix = record.diagnosis.suggested_fix if record.diagnosis else None
    return fix.diff if fix else ""


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
    services = wiring.build(settings, wiring.Hooks(show=_say))
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
        _print(said)
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
    if not re.search(_EXPECTATION_FILE, given.subject):
        return services.source.load(given.subject, base=here), own, here
    path, expectation = _expectation(given.subject)
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
