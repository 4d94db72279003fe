"""CPU that installing the plugin adds to a run that does not ask for it.

``python -m benchmarks.startup`` makes two environments from the package index, one with pytest alone and one with the
plugin and what it requires, runs pytest in each on one trivial test, in turns, and writes
``benchmarks/results/startup.{json,md}``. Whatever pytest loads of what the plugin has brought counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import machine

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BOUND_MS = 20


@dataclass(frozen=True)
class Spread:
    """Milliseconds of CPU: the least, and the median."""

    minimum: float
    median: float


@dataclass(frozen=True)
class Startup:
    """What runs in the two environments took, and what the plugin adds."""

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
        suite = Path(folder, "suite")
        suite.mkdir()
        write_suite(suite)
        pythons = (
            environment(Path(folder, "plain"), f"pytest=={metadata.version('pytest')}"),
            environment(Path(folder, "installed"), f"pytest=={metadata.version('pytest')}", str(ROOT)),
        )
        _, *turns = ([cpu_of_run(str(suite), python=python) for python in pythons] for _ in range(runs + 1))
    plain, installed = zip(*turns, strict=True)
    added = Spread(
        minimum=round(min(installed) - min(plain), 1),
        median=round(median(after - before for before, after in turns), 1),
    )
    return Startup(runs=runs, plain=spread(plain), installed=spread(installed), added=added)


def environment(folder: Path, *requirements: str) -> str:
    """Return the interpreter of a new environment in which ``requirements`` are installed, and nothing else."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
    return python


def spread(times: Iterable[float]) -> Spread:
    """Return the least and the median of ``times``."""
    taken = sorted(times)
    return Spread(minimum=round(taken[0], 1), median=round(median(taken), 1))


def write_suite(folder: Path) -> None:
    """Write one test, with an expectation file beside it that nobody asks for."""
    folder.joinpath("test_trivial.py").write_text("def test_trivial():\n    pass\n")
    folder.joinpath("some.refinery.yaml").write_text("trace: t.json\nexpectations: [{id: one, expect: Anything.}]\n")


def cpu_of_run(folder: str, *args: str, python: str = "", code: int = 0) -> float:
    """Return the milliseconds of CPU that one pytest run took; it must end with exit code ``code``.

    Without ``python`` it runs in this environment, with the plugins that ``args`` name and no others.
    """
    command = [python or sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args]
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if not python:
        variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != code:
        sys.exit(f"pytest ended with {process.returncode}:\n{said}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def page(startup: Startup) -> str:
    """Return the figures as a Markdown page."""
    rows = {"pytest alone": startup.plain, "the plugin alone": startup.installed, "**added**": startup.added}
    table = "\n".join(f"| {title} | {row.minimum} | {row.median} |" for title, row in rows.items())
    return f"""\
# Start-up: CPU added to a run of one trivial test

Milliseconds of user and system CPU of a run that does not ask for the plugin, {startup.runs} of each kind, in turns: in
an environment with pytest alone, and in one where the plugin was installed, without extras, and nothing else.
The minimum added is the difference of the minima, the median added that of the pairs. The bound is {BOUND_MS} ms.

| | minimum | median |
|---|---|---|
{table}

Measured on: {machine.sentence()}. Again with `python -m benchmarks.startup`.
"""


if __name__ == "__main__":
    main()
