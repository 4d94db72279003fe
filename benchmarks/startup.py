"""CPU that the installed plugin adds to a run that does not ask for it.

``python -m benchmarks.startup`` runs pytest on one trivial test, in turns without any plugin and with this one alone,
and writes ``benchmarks/results/startup.{json,md}``. No other plugin is loaded, so nothing that another one has imported
already makes ours look cheaper.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import machine

if TYPE_CHECKING:
    from collections.abc import Iterable

RESULTS = Path(__file__).parent / "results"
BOUND_MS = 20


@dataclass(frozen=True)
class Spread:
    """Milliseconds of CPU: the least, and the median."""

    minimum: float
    median: float


@dataclass(frozen=True)
class Startup:
    """What runs without and with the plugin took, and what it adds."""

    runs: int
    plain: Spread
    installed: Spread
    added: Spread


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="runs of each arm")
    startup = measure(parser.parse_args().runs)
    print(page(startup))
    figures = {"unit": "ms of user and system CPU", "bound": BOUND_MS, **asdict(startup)}
    RESULTS.joinpath("startup.json").write_text(json.dumps({"machine": machine.describe(), **figures}, indent=2) + "\n")
    RESULTS.joinpath("startup.md").write_text(page(startup))


def measure(runs: int) -> Startup:
    """Return the figures of ``runs`` turns."""
    with tempfile.TemporaryDirectory() as folder:
        write_suite(Path(folder))
        turn(folder)  # writes bytecode
        turns = [turn(folder) for _ in range(runs)]
    plain, installed = zip(*turns, strict=True)
    added = Spread(
        minimum=round(min(installed) - min(plain), 1),
        median=round(median(after - before for before, after in turns), 1),
    )
    return Startup(runs=runs, plain=spread(plain), installed=spread(installed), added=added)


def turn(folder: str) -> tuple[float, float]:
    """Return what one run without the plugin took, then one with it."""
    return cpu_of_run(folder), cpu_of_run(folder, "-p", "refinery")


def spread(times: Iterable[float]) -> Spread:
    """Return the least and the median of ``times``."""
    taken = sorted(times)
    return Spread(minimum=round(taken[0], 1), median=round(median(taken), 1))


def write_suite(folder: Path) -> None:
    """Write one test, with an expectation file beside it that nobody asks for."""
    folder.joinpath("test_trivial.py").write_text("def test_trivial():\n    pass\n")
    folder.joinpath("some.refinery.yaml").write_text("trace: t.json\nexpectations: [{id: one, expect: Anything.}]\n")


def cpu_of_run(folder: str, *args: str, code: int = 0) -> float:
    """Return the milliseconds of CPU that one pytest run took; it must end with exit code ``code``."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != code:
        sys.exit(f"pytest ended with {process.returncode}:\n{said}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def page(startup: Startup) -> str:
    """Return the figures as a Markdown page."""
    rows = {"without the plugin": startup.plain, "with it": startup.installed, "**added**": startup.added}
    table = "\n".join(f"| {title} | {row.minimum} | {row.median} |" for title, row in rows.items())
    return f"""\
# Start-up: CPU added to a run of one trivial test

Milliseconds of user and system CPU of a run that does not ask for the plugin, {startup.runs} of each kind, in turns.
The minimum added is the difference of the minima, the median added that of the pairs. The bound is {BOUND_MS} ms.

| | minimum | median |
|---|---|---|
{table}

Measured on: {machine.sentence()}. Again with `python -m benchmarks.startup`.
"""


if __name__ == "__main__":
    main()
