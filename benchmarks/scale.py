"""How time and memory grow with a trace: load, digest and group 1,000 and 10,000 runs.

Time is that of the processor, so that a busy machine does not blur how it grows.

``python -m benchmarks.scale --data ../shared/data`` makes the traces out of real ones, measures each in a process of
its own and writes ``benchmarks/results/scale.{json,md}``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks import big_traces, machine
from pytest_refinery.digest.grouping import group
from pytest_refinery.digest.render import digest
from pytest_refinery.sources.json_files import JsonFiles

RESULTS = Path(__file__).parent / "results"
SIZES = (1_000, 10_000)
MOST_TIME = 12
MOST_MEMORY = 4
GROUP_TOKENS = 20_000


@dataclass(frozen=True)
class Measured:
    """One trace: its size, and what it took. Memory is the peak above that of the process before it began."""

    runs: int
    file_mb: float
    load_seconds: float
    digest_seconds: float
    group_seconds: float
    peak_mb: float
    digest_tokens: int
    groups: int

    @property
    def seconds(self) -> float:
        """Of all three."""
        return self.load_seconds + self.digest_seconds + self.group_seconds

    @property
    def memory_ratio(self) -> float:
        """Peak memory by file size."""
        return self.peak_mb / self.file_mb


def main() -> None:
    """Measure, print and write; or, with ``--one``, measure one file and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(asdict(measure(asked.one))))
        return
    measured = [in_own_process(size, asked.data) for size in SIZES]
    print(page(measured))
    figures = {"machine": machine.describe(), "measured": [asdict(each) for each in measured]}
    RESULTS.joinpath("scale.json").write_text(json.dumps(figures, indent=2) + "\n")
    RESULTS.joinpath("scale.md").write_text(page(measured))


def in_own_process(runs: int, data: Path) -> Measured:
    """Return the figures for a trace of ``runs`` runs, made for the purpose."""
    models = sorted(data.glob("langsmith_tau/nested/*.json.gz"))
    if not models:
        sys.exit(f"{data}: no langsmith_tau/nested/*.json.gz in it; name the folder of real traces with --data.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        big_traces.write(path, runs=runs, models=models)
        command = [sys.executable, "-m", "benchmarks.scale", "--one", str(path)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Measured(**json.loads(said))


def measure(path: Path) -> Measured:
    """Return the figures for the trace in ``path``, taken in this process."""
    before = peak_mb()
    times = [time.process_time()]
    trace = JsonFiles().load(path.name, base=path.parent)
    times.append(time.process_time())
    digested = digest(trace)
    times.append(time.process_time())
    groups = group(digested, group_tokens=GROUP_TOKENS)
    times.append(time.process_time())
    load, digest_, group_ = (round(after - begin, 2) for begin, after in pairwise(times))
    return Measured(
        runs=len(trace.runs),
        file_mb=round(path.stat().st_size / 1e6, 1),
        load_seconds=load,
        digest_seconds=digest_,
        group_seconds=group_,
        peak_mb=round(peak_mb() - before, 1),
        digest_tokens=digested.tokens,
        groups=len(groups),
    )


def peak_mb() -> float:
    """Return the most memory that this process has had."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count what the process that started this one had.
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def page(measured: list[Measured]) -> str:
    """Return the figures as a Markdown page."""
    rows = "\n".join(
        f"| {each.runs:,} | {each.file_mb} | {each.load_seconds} | {each.digest_seconds} | {each.group_seconds} "
        f"| {each.peak_mb} | {each.memory_ratio:.2f} | {each.digest_tokens:,} | {each.groups} |"
        for each in measured
    )
    small, big = measured[0], measured[-1]
    return f"""\
# Scale: load, digest and group a big trace

Made from real nested LangSmith traces, contents varied. Seconds are those of the processor; memory is the peak above
that of the process before it loaded the trace.

| runs | file, MB | load, s | digest, s | group, s | peak, MB | peak / file | digest, tokens | groups |
|---|---|---|---|---|---|---|---|---|
{rows}

{big.runs:,} runs take {big.seconds / small.seconds:.1f} times as long as {small.runs:,} (bound: {MOST_TIME}). Peak
memory is {max(each.memory_ratio for each in measured):.2f} times the file (bound: {MOST_MEMORY}).

Measured on: {machine.sentence()}. Again with `python -m benchmarks.scale`.
"""


if __name__ == "__main__":
    main()
