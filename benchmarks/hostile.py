"""What hostile traces cost: degenerate answers, every pattern of the package on them, and chains of nested runs.

``python -m benchmarks.hostile`` measures each at two sizes and writes ``benchmarks/results/hostile.{json,md}``. Time is
that of the processor; what grows faster than the size is named, and the command ends with an error.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import math
import pkgutil
import re
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest_refinery
from benchmarks import machine
from pytest_refinery.analysis import cases, exchange, pictures
from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.analysis.records import ExpectationRecord, ItemRecord, Outcome, Report, SessionRecord, TraceRecord
from pytest_refinery.analysts.rules.analyst import RulesAnalyst
from pytest_refinery.analysts.rules.facts import cues, values
from pytest_refinery.expectations import checks
from pytest_refinery.expectations.model import Expectation
from pytest_refinery.reports import markdown, text
from pytest_refinery.reports.page.kept import Kept
from pytest_refinery.reports.page.render import render
from pytest_refinery.scrubbing.scrubber import Scrubber
from pytest_refinery.sources.json_files import JsonFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

RESULTS = Path(__file__).parent / "results"
PIECES = (
    *(
        "\n",
        " ",
        "\t",
        "\r\n",
        "a",
        "A",
        "0",
        "_",
        "-",
        ".",
        ",",
        ":",
        "=",
        '"',
        "'",
        "\\",
        "/",
        "(",
        ")",
        "[",
        "{",
        "<",
    ),
    *("a ", "a\n", "0,", "sk-", '"key":"', "://", "eyJ-", "ä", "\u3000", "token=", "-----BEGIN PRIVATE KEY-----"),
)
_SMALL, _LARGE = 200_000, 800_000
_CHAINS = (1_000, 10_000)
# For each doubling of the size at most so many times the seconds: a quadratic search takes 4.
_MOST_GROWTH = 3.0
# Less says nothing of how it grows.
_LEAST_SECONDS = 0.01
# Of a character, on a busy machine.
_MOST_SECONDS = 50e-6
_ALL = frozenset({"match", "fullmatch", "search", "finditer", "findall", "sub", "subn", "split"})
_DEEPEST = 4


@dataclass(frozen=True)
class Measured:
    """The seconds at the largest size that was tried; ``growth`` above the bound says why no larger one was."""

    what: str
    size: int
    seconds: float
    growth: float

    @property
    def is_slow(self) -> bool:
        """Whether it grows faster than its size."""
        return self.growth > _MOST_GROWTH


def patterns() -> dict[str, tuple[re.Pattern[str], frozenset[str]]]:
    """Return every regular expression of the package for texts, and the methods of it that are called.

    Those of module variables and of classes and values in them, those that functions write down, and those that are
    built of the words of each language.
    """
    modules = [
        importlib.import_module(each.name)
        for each in pkgutil.walk_packages(pytest_refinery.__path__, "pytest_refinery.")
        if not each.name.endswith("__main__")
    ]
    sources = {module.__name__: inspect.getsource(module) for module in modules}
    called: dict[str, set[str]] = {}
    for name, method in re.findall(r"(?<![\w\"'])(_?[A-Z][A-Z_]+)\.([a-z]+)\b", "\n".join(sources.values())):
        called.setdefault(name, set()).add(method)
    found: dict[str, tuple[re.Pattern[str], frozenset[str]]] = {}
    for module in modules:
        held = (
            (pattern, frozenset(called.get(name, ())) & _ALL if pattern is value else _ALL)
            for name, value in vars(module).items()
            for pattern in _held(value, module.__name__)
        )
        for pattern, methods in (*held, *_written(sources[module.__name__], vars(module)), *_built(module)):
            found[f"{module.__name__[16:]} {pattern.pattern[:200]} {pattern.flags}"] = pattern, methods or _ALL
    return found


def _held(value: object, module: str, depth: int = 0) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield from [value] if isinstance(value.pattern, str) else []
        return
    inner: Iterable[object] = ()
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        inner = value
    elif getattr(value, "__module__", None) == module and (isinstance(value, type) or is_dataclass(value)):
        inner = getattr(value, "__dict__", {}).values()
    for each in inner if depth <= _DEEPEST else ():
        yield from _held(each, module, depth + 1)


def _written(source: str, known: dict[str, Any]) -> Iterator[tuple[re.Pattern[str], frozenset[str]]]:
    """Yield the patterns of calls of ``re`` inside functions, but for those that a value of a trace is put into."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.func.attr in _ALL:
            try:
                pattern = eval(compile(ast.Expression(node.args[0]), "pattern", "eval"), dict(known))  # noqa: S307
            except NameError:
                continue
            yield re.compile(pattern), frozenset({node.func.attr})


def _built(module: object) -> Iterator[tuple[re.Pattern[str], frozenset[str]]]:
    if module is not cues:
        return
    # Those of other languages differ in their words alone.
    english = cues.Cues(["en"])
    built = (*map(english.pattern, cues._file("en")), *values._worded(english["months"]))  # noqa: SLF001
    yield from ((pattern, _ALL) for pattern in built)


def slow_patterns(small: int, large: int) -> list[Measured]:
    """Return what grows faster than the text, or takes long at once, of all patterns on all degenerate texts."""
    measured = (
        measure(
            f"{name} on {piece!r}", partial(_search, pattern, methods, piece), small, large, most_each=_MOST_SECONDS
        )
        for name, (pattern, methods) in patterns().items()
        for piece in PIECES
    )
    return [each for each in measured if each.is_slow]


def _search(pattern: re.Pattern[str], methods: frozenset[str], piece: str, size: int) -> None:
    words = f"{piece * (size // len(piece))}!"
    if "match" in methods:
        pattern.match(words)
    if "fullmatch" in methods:
        pattern.fullmatch(words)
    if methods - {"match", "fullmatch"}:
        for _ in pattern.finditer(words):
            pass


def measure(
    what: str, run: Callable[[int], object], small: int, large: int, *, most_each: float = math.inf
) -> Measured:
    """Return how the seconds of ``run`` grow from a small size to a large one, doubled until it grows too fast.

    Args:
        what: What it is.
        run: Gets the size.
        small: Where to begin.
        large: Where to end.
        most_each: Seconds by the size that say that it takes too long, however it grows.
    """
    size, before = small, _seconds(run, small)
    growth = 1.0
    while size < large:
        after = _seconds(run, 2 * size)
        if after > _LEAST_SECONDS and after > _MOST_GROWTH * before:
            # Again: another process may have had the caches.
            before, after = (min(_seconds(run, each) for _ in range(2)) for each in (size, 2 * size))
            growth = after / before
        size *= 2
        if after > max(most_each * size, 10 * _LEAST_SECONDS):
            growth = math.inf
        if growth > _MOST_GROWTH:
            break
        before, growth = after, 1.0
    return Measured(what, size, round(after, 3), round(growth, 2))


def _seconds(run: Callable[[int], object], size: int) -> float:
    begin = time.process_time()
    run(size)
    return time.process_time() - begin


def answer(piece: str, size: int) -> list[dict[str, object]]:
    """Return the messages of a trace whose answer repeats a piece."""
    asked = {"role": "user", "content": "How long do refunds take?"}
    return [asked, {"role": "assistant", "content": f"Refunds take {piece * (size // len(piece))}"}]


def chain(runs: int) -> list[dict[str, object]]:
    """Return the runs of a LangSmith trace, each within the one before it."""
    return [
        {
            "id": f"r{number}",
            "trace_id": "r0",
            "parent_run_id": f"r{number - 1}" if number else None,
            "name": f"step{number % 50}",
            "run_type": ("chain", "llm", "tool")[number % 3],
            "start_time": f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
            "end_time": "2026-01-02T00:00:00Z",
            "inputs": {"messages": [{"role": "user", "content": f"question {number}"}]},
            "outputs": {"messages": [{"role": "assistant", "content": f"answer {number}"}]},
        }
        for number in range(runs)
    ]


def diagnose(content: object, folder: Path) -> None:
    """Do with a trace all that is done with that of a failing item: from its file to its page."""
    (folder / "trace.json").write_text(json.dumps(content))
    trace = Scrubber().trace(JsonFiles().load("trace.json", base=folder))
    expectation = Expectation.model_validate(
        {
            "id": "x",
            "line": 1,
            "expect": "It says 14 days.",
            "trace": "t",
            "checks": [{"output": {"contains": "14 days of it"}}],
        }
    )
    failures = tuple(verdict.failure for verdict in checks.run_checks(expectation.checks, trace) if verdict.failure)
    case = replace(cases.of(expectation, trace), failures=failures)
    found = Engine(RulesAnalyst(), Limits()).diagnose(case)
    texts = TraceRecord(id="t", name="t", source="t", format="t", runs=len(trace.runs))
    record = ItemRecord(
        nodeid="x",
        outcome=Outcome.FAILED,
        diagnosis=found,
        trace=exchange.with_texts(texts, trace),
        expectation=ExpectationRecord(id="x", expect="x", file="x", line=1),
    )
    text.whole(record)
    picture = pictures.draw(trace, quotes=[each.quote for each in found.evidence]).model_dump_json(
        exclude_defaults=True
    )
    session = SessionRecord(plugin_version="0", expectations=1, passed=0, failed=1, undecided=0)
    report = Report(session=session, expectations=(record,), root_causes=(), executive_summary="")
    render(report, Kept(pictures={"x": picture}))
    markdown.render(report)


def main() -> None:
    """Measure, print, write, and end with an error where something grows faster than its size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("patterns", "answers", "chains"), help="measure this and write nothing")
    only = parser.parse_args().only
    measured: list[Measured] = []
    slow = slow_patterns(_SMALL, _LARGE) if only in {None, "patterns"} else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if only in {None, "answers"}:
            measured += [
                measure(f"an answer of {piece!r}", partial(_diagnose_answer, piece, folder), _SMALL, _LARGE)
                for piece in PIECES
            ]
        if only in {None, "chains"}:
            measured.append(measure("runs, each in the one before", partial(_diagnose_chain, folder), *_CHAINS))
    slow += [each for each in measured if each.is_slow]
    print(_page(measured, slow))
    if not only:
        figures = {"machine": machine.describe(), "measured": [asdict(each) for each in measured]}
        RESULTS.joinpath("hostile.json").write_text(json.dumps(figures, indent=2) + "\n")
        RESULTS.joinpath("hostile.md").write_text(_page(measured, slow))
    if slow:
        sys.exit(f"{len(slow)} grow faster than their size")


def _diagnose_answer(piece: str, folder: Path, size: int) -> None:
    diagnose(answer(piece, size), folder)


def _diagnose_chain(folder: Path, runs: int) -> None:
    diagnose(chain(runs), folder)


def _page(measured: list[Measured], slow: list[Measured]) -> str:
    rows = "\n".join(f"| `{each.what}` | {each.size:,} | {each.seconds} |" for each in measured)
    faults = "\n".join(f"- `{each.what}`: {each.seconds} s at {each.size:,}" for each in slow) or "None."
    return f"""\
# Hostile traces

All {len(patterns())} regular expressions of the package search {len(PIECES)} degenerate texts of {_LARGE:,} characters;
an answer made of each is read from its file, checked, scrubbed, diagnosed by the rules, drawn and written to the page;
so is a trace of runs that are nested in one chain. Sizes are doubled from a quarter (of runs, from {_CHAINS[0]:,}) on:
each time at most {_MOST_GROWTH:g} times the seconds. Seconds are those of the processor.

| what | size | seconds |
|---|---|---|
{rows}

What grows faster:

{faults}

Measured on: {machine.sentence()}. Again with `python -m benchmarks.hostile`.
"""


if __name__ == "__main__":
    main()
