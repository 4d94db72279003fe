"""How time and memory grow with a suite: files collected, items run in one process, failing items of one big trace.

``python -m benchmarks.suite_size`` makes the suites, runs pytest on each in a process of its own and writes
``benchmarks/results/suite-size.{json,md}``. Time is that of the processor; memory is the peak of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import machine

RESULTS = Path(__file__).parent / "results"
_FILES = (1_250, 2_500, 5_000)
_ITEMS = (500, 1_000, 2_000)
_FAILING, _RUNS = 500, 3_000
_MOST_GROWTH, _MOST_MB_GROWTH = 5.0, 20
_MOST_SECONDS, _MOST_MB = 300.0, 1_000
_TRACE = [{"role": "user", "content": "How long?"}, {"role": "assistant", "content": "Refunds take 30 days."}]
_FILE = "trace: t.json\nexpectations:\n"
_ITEM = "  - id: e{number}\n    expect: The agent says {number} days.\n    checks: [{{output: {{contains: {said}}}}}]\n"


_WORDS = """\
# Large suites

Files with one expectation each are collected; items with 50 expectations about each trace of 400 runs pass; items about
one trace of {runs:,} runs fail and are diagnosed by the rules, with a report and its page. Seconds are those of the
processor.

| what | count | seconds | peak, MB | report.json, MB |
|---|---|---|---|---|
{rows}

Bounds: {files[2]:,} files at most {growth:g} times the seconds of {files[0]:,}; {items[2]:,} items at most
{mb_growth} MB more than {items[0]:,}; {failing} failing items at most {seconds:g} s and {mb:,} MB.

Measured on: {machine}. Again with `python -m benchmarks.suite_size`.
"""


@dataclass(frozen=True)
class Measured:
    """One run of pytest."""

    what: str
    count: int
    seconds: float
    peak_mb: int
    report_mb: float = 0.0


def main() -> None:
    """Measure, print, write, and end with an error where a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("collected", "items", "failing"), help="measure this and write nothing")
    only = parser.parse_args().only
    measured = [
        *(_collected(count) for count in _FILES if only in {None, "collected"}),
        *(_run(count) for count in _ITEMS if only in {None, "items"}),
        *(_failing(count) for count in (1, _FAILING) if only in {None, "failing"}),
    ]
    print(_page(measured))
    if not only:
        figures = {"machine": machine.describe(), "measured": [asdict(each) for each in measured]}
        RESULTS.joinpath("suite-size.json").write_text(json.dumps(figures, indent=2) + "\n")
        RESULTS.joinpath("suite-size.md").write_text(_page(measured))
    if broken := list(_broken(measured)):
        sys.exit("\n".join(broken))


def _broken(measured: list[Measured]) -> list[str]:
    by_kind: dict[str, list[Measured]] = {}
    for each in measured:
        by_kind.setdefault(each.what, []).append(each)
    broken = []
    for what, (first, *_, last) in by_kind.items():
        if what == "files collected" and last.seconds > _MOST_GROWTH * first.seconds:
            broken.append(
                f"{last.count:,} files take {last.seconds / first.seconds:.1f} times as long as {first.count:,}"
            )
        if what == "items run" and last.peak_mb - first.peak_mb > _MOST_MB_GROWTH:
            broken.append(f"{last.count:,} items take {last.peak_mb - first.peak_mb} MB more than {first.count:,}")
        if what == "items that fail" and (last.seconds > _MOST_SECONDS or last.peak_mb > _MOST_MB):
            broken.append(f"{last.count:,} failing items take {last.seconds:.0f} s and {last.peak_mb:,} MB")
    return broken


def _collected(count: int) -> Measured:
    with tempfile.TemporaryDirectory() as name:
        folder = _folder(name)
        for number in range(count):
            below = folder / f"d{number // 100}"
            below.mkdir(exist_ok=True)
            (below / f"f{number}.refinery.yaml").write_text(_FILE + _ITEM.format(number=number, said="30 days"))
        return _measure("files collected", count, folder, "--collect-only")


def _run(count: int) -> Measured:
    with tempfile.TemporaryDirectory() as name:
        folder = _folder(name)
        for at in range(0, count, 50):
            # Each file has a trace of its own, as long as real ones.
            (folder / f"t{at}.json").write_text(json.dumps(_TRACE * 200))
            items = "".join(_ITEM.format(number=number, said="30 days") for number in range(at, at + 50))
            (folder / f"f{at}.refinery.yaml").write_text(_FILE.replace("t.json", f"t{at}.json") + items)
        return _measure("items run", count, folder)


def _failing(count: int) -> Measured:
    with tempfile.TemporaryDirectory() as name:
        folder = _folder(name)
        (folder / "t.json").write_text(json.dumps(_big_trace()))
        items = "".join(_ITEM.format(number=number, said="nothing of it") for number in range(count))
        (folder / "f.refinery.yaml").write_text(_FILE + items)
        found = _measure("items that fail", count, folder, "--refinery-report=out")
        report = (folder / "out" / "report.json").stat().st_size / 1e6
        return Measured(found.what, found.count, found.seconds, found.peak_mb, round(report, 1))


def _big_trace() -> list[dict[str, object]]:
    kinds = ("llm", "tool", "llm")
    return [
        {
            "id": f"r{number}",
            "trace_id": "r0",
            "parent_run_id": "r0" if number else None,
            "name": f"step{number % 40}",
            "run_type": kinds[number % 3] if number else "chain",
            "start_time": f"2026-01-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z",
            "end_time": f"2026-01-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.5Z",
            "inputs": {"messages": [{"role": "user", "content": f"Which window has order {number * 7}?"}]},
            "outputs": {
                "messages": [{"role": "assistant", "content": f"It has {number % 90} days, total {number} EUR."}]
            },
        }
        for number in range(_RUNS)
    ]


def _folder(name: str) -> Path:
    folder = Path(name)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "t.json").write_text(json.dumps(_TRACE))
    return folder


def _measure(what: str, count: int, folder: Path, *args: str) -> Measured:
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:langsmith_plugin", "--tb=no")
    command = [sys.executable, "-m", "pytest", "--refinery", "--refinery-analyst=builtin", *options, *args]
    begin = time.perf_counter()
    with (folder / "out.txt").open("w") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1}:
        sys.exit((folder / "out.txt").read_text()[-2_000:])
    print(what, count, f"{time.perf_counter() - begin:.1f} s", file=sys.stderr)
    return Measured(what, count, round(used.ru_utime + used.ru_stime, 1), used.ru_maxrss // 1024)


def _page(measured: list[Measured]) -> str:
    rows = "\n".join(
        f"| {each.what} | {each.count:,} | {each.seconds} | {each.peak_mb:,} | {each.report_mb or ''} |"
        for each in measured
    )
    return _WORDS.format(
        rows=rows,
        runs=_RUNS,
        files=_FILES,
        items=_ITEMS,
        failing=_FAILING,
        growth=_MOST_GROWTH,
        mb_growth=_MOST_MB_GROWTH,
        seconds=_MOST_SECONDS,
        mb=_MOST_MB,
        machine=machine.sentence(),
    )


if __name__ == "__main__":
    main()
