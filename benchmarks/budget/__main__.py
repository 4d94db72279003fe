"""Measure the token budget and write ``benchmarks/results/budget.{json,md}``.

``python -m benchmarks.budget`` takes about 50 minutes; ``--quick`` leaves the unscaled minute and half of the runs out.
It needs ``redis-server``, and the dependency group ``bench-budget`` for the limiters that are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import redis

from benchmarks import machine
from benchmarks.budget import crashes, load, page, steps, whole
from benchmarks.budget.limiters import LIMITERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.budget.load import Outcome

RESULTS = Path(__file__).parents[1] / "results"
OURS = "pytest-refinery, file"
PROCESSES = (1, 2, 4, 8, 16)
MODELS = ("sliding", "bucket")
_MINUTE = 6.0
_WINDOWS = 5.5
T = TypeVar("T")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the unscaled minute, one run of each kind")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each kind of our own")
    given = parser.parse_args()
    with _redis() as url:
        figures = measure(url, repeat=1 if given.quick else given.repeat, unscaled=not given.quick)
    RESULTS.joinpath("budget.json").write_text(json.dumps(figures, indent=2) + "\n")
    RESULTS.joinpath("budget.md").write_text(page.page(figures))


def measure(url: str, *, repeat: int, unscaled: bool) -> dict[str, object]:
    """Return every figure, printing each as it comes."""
    before = _load()
    figures: dict[str, Any] = {
        "machine": machine.describe(),
        "whole": [asdict(_said(outcome)) for outcome in whole.matrix()],
        "latency": [asdict(_said(steps.latency(count))) for count in PROCESSES],
        "waiting": [asdict(_said(steps.waiting(count, seconds=10.0))) for count in (1, 4, 16)],
        "crowds": [asdict(_said(steps.crowd(count, seconds=10.0))) for count in (200, 1000)],
        "crashes": _crashes(1000),
        "ours": [_run(OURS, model, count, url) for _ in range(repeat) for model in MODELS for count in PROCESSES],
        "compared": [_run(name, model, 8, url, windows=3.5) for name in LIMITERS for model in MODELS],
    }
    if unscaled:
        figures["whole"] = [
            *figures["whole"],
            asdict(_said(whole.run("ours", tpm=30_000, algorithm="sliding", workers=8, minute=60.0, diagnoses=18))),
        ]
        figures["unscaled"] = [_run(OURS, model, 8, url, minute=60.0, windows=2.5) for model in MODELS]
    return figures | {"load_average": [before, _load()]}


def _run(
    name: str, model: str, processes: int, url: str, *, minute: float = _MINUTE, windows: float = _WINDOWS
) -> dict[str, object]:
    outcome: Outcome = load.run(
        name, model=model, processes=processes, minute=minute, windows=windows, redis_url=_emptied(url)
    )
    _said(outcome)
    return asdict(outcome) | {"use": round(outcome.use, 4), "minute": minute, "load_average": _load()}


def _crashes(kills: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="budget-") as folder:
        return asdict(_said(crashes.run(Path(folder), kills=kills, workers=8)))


def _said(figure: T) -> T:
    print(figure, flush=True)
    return figure


def _load() -> float:
    return round(os.getloadavg()[0], 2)


def _emptied(url: str) -> str:
    redis.Redis.from_url(url).flushall()
    return url


@contextmanager
def _redis() -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        msg = "The comparison needs redis-server."
        raise SystemExit(msg)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as process:
        time.sleep(1.0)
        yield f"redis://127.0.0.1:{port}"
        process.kill()


if __name__ == "__main__":
    main()
