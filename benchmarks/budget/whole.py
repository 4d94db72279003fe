"""Whole diagnoses of real traces under one limit, by several workers, against a server that enforces it.

``python -m benchmarks.budget.whole --tpm 30000 --workers 8 --algorithm sliding`` prints one line for each way of
sharing the limit. A minute is scaled; everything else is what a run of the plugin does.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import multiprocessing
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_refinery import wiring
from pytest_refinery.analysis.ports import Case
from pytest_refinery.budget import schedule, token_budget
from pytest_refinery.budget.window import Limits, WindowAlgorithm
from pytest_refinery.settings import Settings
from pytest_refinery.sources.json_files import JsonFiles
from tests.data_paths import SHARED
from tests.openai_server.server import OpenAIServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysis.engine import Engine

WAYS = ("ours", "first come first served", "fixed share")
_LATENCY = 0.05
_PATIENCE = 900.0
_EXPECT = "The agent does what the customer asked for, after confirming it, and tells the result."


@dataclass(frozen=True)
class Outcome:
    """What a run showed.

    Attributes:
        whole: Diagnoses of which nothing was missing.
        least_seconds: The time in which so many tokens can be let through at best.
        longest_seconds: From the first request of a diagnosis to its end, at most.
    """

    way: str
    tpm: int
    algorithm: str
    workers: int
    minute: float
    diagnoses: int
    whole: int
    tokens: int
    refusals: int
    seconds: float
    least_seconds: float
    ratio: float | None
    longest_seconds: float
    reasons: tuple[str, ...]


def traces(number: int, folder: Path) -> list[Path]:
    """Return so many files of nested traces, again and again from the first."""
    found = []
    for packed in sorted((SHARED / "langsmith_tau" / "nested").glob("*.json.gz")):
        found.append(folder / packed.stem)
        found[-1].write_bytes(gzip.decompress(packed.read_bytes()))
    return [found[index % len(found)] for index in range(number)]


def least_seconds(tokens: int, *, tpm: int, algorithm: str, minute: float) -> float:
    """Return the least time between the first and the last request of so many tokens, if they could be cut at will.

    What fits the limit goes at once. From a bucket the rest flows at ``tpm`` a minute; under a sliding minute each
    further ``tpm`` tokens, or what is left of them, wait for the minute after. Requests that cannot be cut, and answers
    that others wait for, need more.
    """
    windows = tokens / tpm
    return minute * max(0.0, (windows if algorithm == "bucket" else math.ceil(windows)) - 1)


@dataclass(frozen=True)
class _Task:
    """What a worker has to do."""

    way: str
    tpm: int
    algorithm: str
    workers: int
    minute: float
    paths: tuple[Path, ...]
    folder: Path
    base_url: str


def run(way: str, *, tpm: int, algorithm: str, workers: int, minute: float, diagnoses: int) -> Outcome:
    """Diagnose the traces and return what came of it."""
    context = multiprocessing.get_context("forkserver")
    # Loaded once: a worker that is still loading while others send would be measured, too.
    context.set_forkserver_preload(["benchmarks.budget.whole", "pytest_refinery.analysts.model.openai_service"])
    counter, results, ready = context.Value("i", 0), context.Queue(), context.Barrier(workers)
    with (
        tempfile.TemporaryDirectory(prefix="budget-") as folder,
        OpenAIServer(tpm=tpm, tpm_model=algorithm, minute_seconds=minute, latency_seconds=_LATENCY) as server,  # type: ignore[arg-type]
    ):
        paths = tuple(traces(diagnoses, Path(folder)))
        task = _Task(way, tpm, algorithm, workers, minute, paths, Path(folder), server.base_url)
        processes = [
            context.Process(target=_work, args=(number, task, counter, results, ready)) for number in range(workers)
        ]
        for process in processes:
            process.start()
        done = [results.get(timeout=_PATIENCE) for _ in range(diagnoses)]
        for process in processes:
            process.join()
        answered = [each for each in server.log if each.method == "POST" and each.status == HTTPStatus.OK]
        refusals, tokens = len(server.refusals), sum(each.tokens for each in answered)
    seconds = max(each.started for each in answered) - min(each.started for each in answered)
    least = least_seconds(tokens, tpm=tpm, algorithm=algorithm, minute=minute)
    missing = [reason for reason, _ in done if reason]
    return Outcome(
        way=way,
        tpm=tpm,
        algorithm=algorithm,
        workers=workers,
        minute=minute,
        diagnoses=diagnoses,
        whole=diagnoses - len(missing),
        tokens=tokens,
        refusals=refusals,
        seconds=round(seconds, 2),
        least_seconds=round(least, 2),
        ratio=round(seconds / least, 3) if least else None,
        longest_seconds=round(max(took for _, took in done), 1),
        reasons=tuple(dict.fromkeys(missing))[:3],
    )


def _work(number: int, task: _Task, counter: Any, results: Any, ready: Any) -> None:  # noqa: ANN401  (multiprocessing names no type)
    is_apart = task.way == "fixed share"
    own = task.folder / (f"worker-{number}" if is_apart else "shared")
    own.mkdir(mode=0o700, exist_ok=True)
    os.environ.update(XDG_CACHE_HOME=str(own), OPENAI_API_KEY="key-of-the-benchmark", OPENAI_BASE_URL=task.base_url)
    engine = _engine(task, task.tpm // task.workers if is_apart else task.tpm)
    ready.wait()
    while (index := _next(counter)) < len(task.paths):
        results.put(_diagnose(engine, task.paths[index]))


def _next(counter: Any) -> int:  # noqa: ANN401
    with counter.get_lock():
        taken: int = counter.value
        counter.value += 1
    return taken


def _engine(task: _Task, tpm: int) -> Engine:
    limits = Limits(tokens=tpm, algorithm=WindowAlgorithm(task.algorithm), minute=task.minute)
    wiring._limits = lambda _: limits  # type: ignore[assignment]  # noqa: SLF001  (no setting scales the minute)
    if task.way == "first come first served":
        token_budget._request = lambda tokens, requests, _: token_budget.Request(  # type: ignore[assignment]  # noqa: SLF001
            os.urandom(6).hex(), tokens, requests
        )
        schedule.Room.takes_now = lambda *_: False  # type: ignore[method-assign, assignment]
    settings = Settings(
        analyst="openai", context="inline", model="gpt-5-mini", tpm=tpm, tpm_model=task.algorithm, timeout=600.0
    )
    return wiring.build(settings).engine


def _diagnose(engine: Engine, path: Path) -> tuple[str | None, float]:
    trace = JsonFiles().load(path.name, base=path.parent)
    began = time.monotonic()
    try:
        found = engine.diagnose(Case(trace, expect=_EXPECT))
    except Exception as error:  # noqa: BLE001  (whatever it is, the diagnosis is not whole)
        return f"{type(error).__name__}: {error}", time.monotonic() - began
    reason = found.partial if found.analyst == "openai" else f"by {found.analyst}: {found.partial}"
    return reason, time.monotonic() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tpm", type=int, nargs="+", default=[10_000, 30_000, 200_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--algorithm", nargs="+", default=["sliding", "bucket"])
    parser.add_argument("--way", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--minute", type=float, default=12.0)
    parser.add_argument("--diagnoses", type=int, default=11)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args(arguments)
    outcomes = []
    for tpm in given.tpm:
        for algorithm in given.algorithm:
            for workers in given.workers:
                for way in given.way:
                    outcome = run(
                        way,
                        tpm=tpm,
                        algorithm=algorithm,
                        workers=workers,
                        minute=given.minute,
                        diagnoses=given.diagnoses,
                    )
                    print(outcome, flush=True)
                    outcomes.append(asdict(outcome))
    if given.write:
        given.write.write_text(json.dumps(outcomes, indent=2) + "\n")


if __name__ == "__main__":
    main()
