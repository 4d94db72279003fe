"""The command ``pytest-refinery``: the engine's second front end. It does not need pytest."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery import options, wiring
from pytest_refinery.errors import RefineryError, TraceError

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH = 80


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 with one sentence on stderr where it could not do its work."""
    given = _parser().parse_args(arguments)
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
    _add_fetch(commands.add_parser("fetch", help="save a trace of LangSmith as a file"))
    _add_budget(commands.add_parser("budget", help="show the token budget that all workers share"))
    cleanup = commands.add_parser("cleanup", help="remove what earlier runs left with the OpenAI account")
    cleanup.add_argument("--list", action="store_true", help="only say what there is")
    cleanup.set_defaults(run=_cleanup)
    return parser


def _add_budget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reset", action="store_true", help="forget what was used, who waits and what was learned")
    parser.add_argument("--model", help="the model whose budget it is, if not the one of REFINERY_MODEL")
    parser.set_defaults(run=_budget)


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", metavar="TRACE", help="a run or trace id, the address of a run, or a public link")
    parser.add_argument("file", nargs="?", metavar="FILE", help="the file, or - to print it; named after the trace")
    parser.add_argument("--project", metavar="PROJECT", help="the project it is in, if not that of LANGSMITH_PROJECT")
    parser.add_argument("--force", action="store_true", help="overwrite the file")
    parser.set_defaults(run=_fetch)


def _add_diagnose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", metavar="TRACE", help="a trace file: a LangSmith run export or a chat transcript")
    parser.add_argument("--expect", required=True, metavar="SENTENCE", help="what the agent should have done")
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
    left = wiring.build_leftovers()
    found = list(left.found())
    for each in found:
        print(f"{each.kind:<13}{each.id}  {each.about}")
    if not found:
        print("Nothing of ours is left with the account.")
    elif not given.list:
        print(f"{left.remove(found)} of {len(found)} removed.")


def _schema(_: argparse.Namespace) -> None:
    from pytest_refinery.expectations import model

    print(json.dumps(model.json_schema(), indent=2, ensure_ascii=False))


def _budget(given: argparse.Namespace) -> None:
    from pytest_refinery.budget import wording

    settings = options.read_environment()
    settings = replace(settings, model=given.model or settings.model)
    ledger = wiring.build_ledger(settings, tell=lambda sentence: print(sentence, file=sys.stderr))
    if given.reset:
        ledger.reset()
    print(wording.page(settings.model, ledger.status()), end="")


def _fetch(given: argparse.Namespace) -> None:
    langsmith = wiring.build_langsmith(options.read_environment())
    found = langsmith.download(given.trace, project=given.project)
    if found.doubt:
        _say(f"warning: {found.doubt}")
    if given.file == "-":
        print(found.as_json())
        return
    path = Path(given.file or found.file_name)
    _write(path, found.as_json() + "\n", may_overwrite=given.force)
    _say(f"{len(found.records)} runs saved; name them in an expectation file as trace: {path.as_posix()}")


def _write(path: Path, text: str, *, may_overwrite: bool) -> None:
    try:
        with path.open("w" if may_overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        msg = f"{path} is there already; name another file, or overwrite it with --force."
        raise TraceError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be written ({error.strerror or error})."
        raise TraceError(msg) from error


def _diagnose(given: argparse.Namespace) -> None:
    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.schemas import Gap
    from pytest_refinery.reports import text
    from pytest_refinery.traces import prompts

    settings = options.read_environment()
    here = Path.cwd()
    trace = wiring.build_source().load(given.trace, base=here)
    case = Case(
        trace=trace,
        expect=given.expect,
        business_context=given.because,
        failures=tuple(Gap(expected=given.expect, actual=was) for was in given.was),
        prompts=prompts.extract(trace),
        prompt_files=wiring.read_prompt_files(given.prompts, base=here, root=here),
    )
    analyst = wiring.build_analyst(settings.analyst, settings, tell=_say)
    engine = wiring.build_engine(settings, analyst, watch=_say)
    found = engine.diagnose(case)
    print(found.model_dump_json(indent=2) if given.json else text.diagnosis(found, width=_WIDTH, is_whole=True))
