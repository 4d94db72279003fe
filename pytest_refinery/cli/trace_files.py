"""``pytest-refinery new``, ``fetch`` and ``capture``: traces as files, and expectations about them."""

from __future__ import annotations

import json
import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery import options, wiring
from pytest_refinery.cli import diagnosing, printing
from pytest_refinery.errors import TraceError
from pytest_refinery.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from pytest_refinery.sources.langsmith import Download
    from pytest_refinery.traces.model import Trace


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands; ``command`` makes the parser of one."""
    _add_new(command("new", help="write an expectation file about a trace"))
    _add_fetch(command("fetch", help="save a trace of LangSmith as a file"))
    _add_capture(command("capture", help="call an agent once and save its trace as a file"))


def _add_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", metavar="TRACE", help="a trace file, or an id, address or public link of LangSmith")
    parser.add_argument("--expect", required=True, metavar="SENTENCE", help="what the agent should have done")
    diagnosing.add_why(parser)
    parser.add_argument("--folder", default="expectations", metavar="DIR", help="where the file goes (%(default)s)")
    parser.add_argument("--name", metavar="NAME", help="the name of the file and the id; made of SENTENCE by default")
    parser.add_argument("--project", metavar="PROJECT", help="the project it is in, if not that of LANGSMITH_PROJECT")
    parser.set_defaults(run=_new)


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", metavar="TRACE", help="a run or trace id, the address of a run, or a public link")
    parser.add_argument("file", nargs="?", metavar="FILE", help="the file, or - to print it; named after the trace")
    parser.add_argument("--project", metavar="PROJECT", help="the project it is in, if not that of LANGSMITH_PROJECT")
    parser.add_argument("--force", action="store_true", help="overwrite the file")
    parser.set_defaults(run=_fetch)


def _add_capture(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("agent", metavar="MODULE:CALLABLE", help="a function, or an object with invoke or ainvoke")
    parser.add_argument("--input", default="{}", metavar="JSON", help="what it is called with (%(default)s)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the file, or - to print it")
    parser.add_argument("--force", action="store_true", help="overwrite the file")
    parser.set_defaults(run=_capture)


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
        printing.say(f"warning: {found.doubt}")
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
    printing.say(f"{len(found.records)} runs saved; name them in an expectation file as trace: {path.as_posix()}")


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
        printing.say(
            f"{len(trace.runs)} runs saved; name them in an expectation file as trace: {path.as_posix()}{raised}"
        )


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
