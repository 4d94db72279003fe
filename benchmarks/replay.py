"""Seconds that an item takes which replays its diagnosis: 35 runs in six groups, judged and searched by a model.

``python -m benchmarks.replay`` records three expectations about such a trace against the loopback service, replays them
strictly offline in processes of their own, and writes ``benchmarks/results/replay.{json,md}``. The first item of a run
also loads what all of them need: the OpenAI SDK, VCR.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks import machine
from tests.openai_server import OpenAIServer, RunReader

RESULTS = Path(__file__).parent / "results"
BOUND_SECONDS = 1.0
_ITEMS, _RUNS, _RUNS_IN_A_GROUP = 3, 35, 6

_CONFTEST = """\
import json, time
from pathlib import Path
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    before = time.perf_counter(), time.process_time()
    result = yield
    taken = [time.perf_counter() - before[0], time.process_time() - before[1]]
    with Path("taken.jsonl").open("a") as file:
        file.write(json.dumps(taken) + "\\n")
    return result
"""


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7, help="replays, each in a process of its own")
    given = parser.parse_args()
    figures = measure(given.turns)
    print(page(figures))
    RESULTS.joinpath("replay.json").write_text(json.dumps({"machine": machine.describe(), **figures}, indent=2) + "\n")
    RESULTS.joinpath("replay.md").write_text(page(figures))


def measure(turns: int) -> dict[str, object]:
    """Return the seconds of the first item and of a later one, of the clock and of CPU."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        requests = _record(folder)
        taken = [_replayed(folder) for _ in range(turns)]
        size = sum(path.stat().st_size for path in folder.rglob("cassettes/*/*"))
    firsts, laters = [each[0] for each in taken], [item for each in taken for item in each[1:]]
    return {
        "items": _ITEMS,
        "requests": requests // _ITEMS,
        "kilobytes": round(size / _ITEMS / 1000),
        "first": {"seconds": _least(firsts, 0), "cpu": _least(firsts, 1), "median": _middle(firsts, 0)},
        "later": {"seconds": _least(laters, 0), "cpu": _least(laters, 1), "median": _middle(laters, 0)},
        "turns": turns,
        "load": round(os.getloadavg()[0], 1),
        "bound": BOUND_SECONDS,
    }


def _record(folder: Path) -> int:
    """Write the suite and its cassettes; return how many requests they hold."""
    said = [
        f"Step {number}: I have looked at account {number * 37}, and found what was asked for."
        for number in range(_RUNS)
    ]
    said[20] = "Done. I will exclude all cash sweep redemptions from now on."
    talk = [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(said)]
    (folder / "talk.json").write_text(json.dumps(talk))
    expectations = "".join(
        f"  - id: number-{number}\n    expect: The agent promises nothing, and says so {number} times.\n"
        for number in range(_ITEMS)
    )
    (folder / "talk.refinery.yaml").write_text(f"trace: talk.json\nexpectations:\n{expectations}")
    with OpenAIServer(brain=RunReader(markers=("from now on",))) as server:
        _run(folder, "all", OPENAI_API_KEY="any-key-will-do", OPENAI_BASE_URL=server.base_url, REFINERY_TPM="1000000")
        return len(server.log)


def _replayed(folder: Path) -> list[list[float]]:
    (folder / "conftest.py").write_text(_CONFTEST)
    taken = folder / "taken.jsonl"
    taken.unlink(missing_ok=True)
    _run(folder, "none")
    return [json.loads(line) for line in taken.read_text().splitlines()]


def _run(folder: Path, mode: str, **more: str) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "refinery", "--refinery", f"--refinery-record={mode}", "-q"]
    environment = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "REFINERY_GROUP_SIZE_RUNS": str(_RUNS_IN_A_GROUP),
        "XDG_CACHE_HOME": str(folder / "cache"),
        **more,
    }
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if f"{_ITEMS} failed" not in done.stdout or "No diagnosis" in done.stdout:
        sys.exit(done.stdout + done.stderr)


def _least(taken: list[list[float]], place: int) -> float:
    return round(min(each[place] for each in taken), 3)


def _middle(taken: list[list[float]], place: int) -> float:
    return round(median(each[place] for each in taken), 3)


def page(figures: dict[str, object]) -> str:
    """Return the figures as a Markdown page."""
    rows = "\n".join(
        "| {name} | {seconds} | {median} | {cpu} |".format(name=name, **figures[key])  # type: ignore[arg-type]
        for name, key in (("first of a run", "first"), ("later", "later"))
    )
    return f"""\
# Replay: seconds of an item that is judged and diagnosed from its cassette

A trace of {_RUNS} runs in groups of {_RUNS_IN_A_GROUP}, put into a vector store: {figures["requests"]} requests an
item, in a cassette of {figures["kilobytes"]} kB, replayed strictly offline in {figures["turns"]} processes. Setup,
call and teardown of the item; the first one of a run also loads the OpenAI SDK and VCR.py. The bound is
{BOUND_SECONDS} s. Seconds of the clock hold what else the machine did (its load was {figures["load"]}), seconds of CPU
do not.

| item | seconds, least | seconds, median | CPU, least |
|---|---|---|---|
{rows}

Measured on: {machine.sentence()}. Again with `python -m benchmarks.replay`.
"""


if __name__ == "__main__":
    main()
