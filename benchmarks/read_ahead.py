"""What reading ahead saves: a suite of recorded traces behind a service that takes its time.

``python -m benchmarks.read_ahead`` starts a loopback LangSmith whose every answer takes 200 ms, and runs a suite of 50
expectations about 50 traces of it: one after the other (``--maxfail`` switches reading ahead off), and as it is; each
also with two workers. Nothing is kept between runs, and no other plugin is loaded. Beside it stands the same suite
about local files: what a run costs that waits for nobody. It writes ``benchmarks/results/read-ahead.{json,md}``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import machine
from tests.langsmith_server import traces
from tests.langsmith_server.server import LangSmithServer
from tests.langsmith_server.terms import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

RESULTS = Path(__file__).parent / "results"
LATENCY = 0.2
BOUND = 5.0
FETCHED, LOCAL = "fetched.refinery.yaml", "local.refinery.yaml"
ARMS = {
    "one after the other": (FETCHED, "--maxfail=1000"),
    "read ahead": (FETCHED,),
    "from local files": (LOCAL,),
    "one after the other, `-n 2`": (FETCHED, "-p", "xdist", "-n2", "--maxfail=1000"),
    "read ahead, `-n 2`": (FETCHED, "-p", "xdist", "-n2"),
    "from local files, `-n 2`": (LOCAL, "-p", "xdist", "-n2"),
}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with LangSmithServer(latency_seconds=LATENCY, has_limits=False) as server, tempfile.TemporaryDirectory() as folder:
        write_suites(Path(folder), server, count=given.traces)
        rounds = [
            {arm: seconds_of_run(folder, server, *args) for arm, args in ARMS.items()} for _ in range(given.rounds)
        ]
    seconds = {arm: min(each[arm] for each in rounds) for arm in ARMS}
    print(page(seconds, count=given.traces, rounds=given.rounds))
    figures = {
        "unit": "s",
        "bound": BOUND,
        "traces": given.traces,
        "latency": LATENCY,
        "least": seconds,
        "all": rounds,
    }
    RESULTS.joinpath("read-ahead.json").write_text(
        json.dumps({"machine": machine.describe(), **figures}, indent=2) + "\n"
    )
    RESULTS.joinpath("read-ahead.md").write_text(page(seconds, count=given.traces, rounds=given.rounds))


def write_suites(folder: Path, server: LangSmithServer, *, count: int) -> None:
    """Write a file with an expectation about each of ``count`` traces of 40 runs, and one about the same as files."""
    exports = [traces.made(40, name=f"agent {number}") for number in range(count)]
    for number, export in enumerate(exports):
        folder.joinpath(f"{number}.json").write_text(json.dumps(export), encoding="utf-8")
    write_suite(folder / FETCHED, [server.store.add(export).id for export in exports])
    write_suite(folder / LOCAL, [f"{number}.json" for number in range(count)])


def write_suite(path: Path, references: Iterable[str]) -> None:
    """Write a file with an expectation about each trace."""
    items = [
        {"id": f"trace-{number}", "expect": "The agent counts.", "trace": reference, "checks": [{"errors": "none"}]}
        for number, reference in enumerate(references)
    ]
    path.write_text(json.dumps({"expectations": items}), encoding="utf-8")


def seconds_of_run(folder: str, server: LangSmithServer, *args: str) -> float:
    """Return how long one run took, from the start of its process to the end; all of it must pass."""
    command = [sys.executable, "-m", "pytest", "-p", "refinery", "--refinery", "-q", "-p", "no:cacheprovider", *args]
    environment = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        # Compiled once, by the first run, as on any machine of a user.
        "PYTHONDONTWRITEBYTECODE": "",
        "LANGSMITH_ENDPOINT": server.endpoint,
        "LANGSMITH_API_KEY": KEY,
        "LANGSMITH_PROJECT": "default",
        "XDG_CACHE_HOME": folder,
    }
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return round(taken, 2)


def priority() -> str:
    """Return how this process stands to others: ahead of them under ``chrt -f``, else beside them."""
    return "ahead of" if os.sched_getscheduler(0) == os.SCHED_FIFO else "beside"


def page(seconds: dict[str, float], *, count: int, rounds: int) -> str:
    """Return the figures as a Markdown page."""
    slow, fast, least = (seconds[arm] for arm in ("one after the other", "read ahead", "from local files"))
    table = "\n".join(f"| {arm} | {taken:.2f} | {slow / taken:.1f} |" for arm, taken in seconds.items())
    return f"""\
# Reading ahead: {count} traces behind a service that takes {1000 * LATENCY:.0f} ms for an answer

Seconds of whole runs of pytest, from the start of the process to its end, the least of {rounds} (other work on the
machine only adds); the service is a loopback LangSmith, and no run has anything from an earlier one. Sixteen items are
read ahead at most. The bound is {BOUND:g} times as fast as one after the other; it is {slow / fast:.1f} times. Beyond
what a run from local files takes, it is {fast - least:.2f} s instead of {slow - least:.2f} s.

| | seconds | times as fast |
|---|---|---|
{table}

A worker of pytest-xdist knows only the items that it has been given, six of fifty at first; so far it reads ahead.

Measured on: {machine.sentence()}, {priority()} other work (load at the end {os.getloadavg()[0]:.1f}). Again with
`python -m benchmarks.read_ahead`, on a machine with other work behind `chrt -f 5`.
"""


if __name__ == "__main__":
    main()
