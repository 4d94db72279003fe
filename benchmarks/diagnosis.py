"""Seconds of CPU that a verdict and a diagnosis add to a run of pytest, for each nested trace.

``python -m benchmarks.diagnosis --data ../shared/data`` runs pytest on one failing expectation and on one trivial
failing test, in turns, and writes ``benchmarks/results/diagnosis.{json,md}``. What is added holds everything: imports,
the expectation file, the trace, its checks, the builtin analyst and the report.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.startup import cpu_of_run

RESULTS = Path(__file__).parent / "results"
BOUND_SECONDS = 0.5
_FAILED = 1

_EXPECTATION = """\
trace: {trace}
expectations:
  - id: one
    expect: The agent handles the request as its policy says.
    checks: [{{output: {{contains: a word that nobody said}}}}]
"""


@dataclass(frozen=True)
class Row:
    """One trace: its runs, the seconds of CPU of a run with its diagnosis, and what they add to a trivial run."""

    trace: str
    runs: int
    seconds: float
    added: float


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds langsmith_tau")
    parser.add_argument("--turns", type=int, default=7, help="runs of each kind for each trace")
    given = parser.parse_args()
    traces = sorted((given.data.resolve() / "langsmith_tau" / "nested").glob("*.json.gz"))
    rows = [measure(trace, given.turns) for trace in traces]
    print(page(rows))
    figures = {
        "unit": "s of user and system CPU, median",
        "bound": BOUND_SECONDS,
        "rows": [asdict(row) for row in rows],
    }
    RESULTS.joinpath("diagnosis.json").write_text(
        json.dumps({"machine": machine.describe(), **figures}, indent=2) + "\n"
    )
    RESULTS.joinpath("diagnosis.md").write_text(page(rows))


def measure(trace: Path, turns: int) -> Row:
    """Return the figures of one trace, the two kinds of run taking turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.joinpath("one.refinery.yaml").write_text(_EXPECTATION.format(trace=trace))
        folder.joinpath("test_trivial.py").write_text("def test_trivial():\n    assert False\n")
        report = folder / "report"
        diagnosed = ("-p", "refinery", "--refinery", "one.refinery.yaml", "--refinery-report", str(report))
        turn(name, *diagnosed)  # writes bytecode
        taken = [turn(name, *diagnosed) for _ in range(turns)]
        (item,) = json.loads(report.joinpath("report.json").read_text())["expectations"]
    return Row(
        trace=trace.name.partition(".")[0],
        runs=item["trace"]["runs"],
        seconds=round(median(after for _, after in taken), 3),
        added=round(median(after - before for before, after in taken), 3),
    )


def turn(folder: str, *diagnosed: str) -> tuple[float, float]:
    """Return the seconds of CPU of one trivial run, then of one with a diagnosis."""
    trivial = cpu_of_run(folder, "test_trivial.py", code=_FAILED)
    return trivial / 1000, cpu_of_run(folder, *diagnosed, code=_FAILED) / 1000


def page(rows: list[Row]) -> str:
    """Return the figures as a Markdown page."""
    table = "\n".join(f"| {row.trace} | {row.runs} | {row.seconds} | {row.added} |" for row in rows)
    worst = max(row.added for row in rows)
    return f"""\
# Diagnosis: seconds that one failing expectation adds to a run

Median seconds of CPU, user and system, of a run of pytest with one failing expectation, diagnosed by the builtin
analyst, and what it adds to a run with one trivial failing test, runs taking turns. The most is {worst} s; the bound is
{BOUND_SECONDS} s.

| trace | runs | seconds | added |
|---|---|---|---|
{table}

Measured on: {machine.sentence()}. Again with `python -m benchmarks.diagnosis --data PATH`.
"""


if __name__ == "__main__":
    main()
