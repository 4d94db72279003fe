"""Whole diagnoses of real traces under one limit, by several workers, against a server that enforces it.

``python -m benchmarks.budget.whole --tpm 30000 --workers 8 --algorithm sliding`` prints one line for each way of
sharing the limit. A minute is scaled; everything else is what a run of the plugin does.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import math
import multiprocessing
import os
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from pytest_refinery import wiring
from pytest_refinery.analysis.diagnosis_job import TimedJob
from pytest_refinery.analysis.ports import Case
from pytest_refinery.budget import ledger_state, schedule, token_budget
from pytest_refinery.budget.window import Limits, WindowAlgorithm
from pytest_refinery.settings import Settings
from pytest_refinery.sources.json_files import JsonFiles
from tests.data_paths import SHARED
from tests.openai_server import faults
from tests.openai_server.server import OpenAIServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WAYS = ("ours", "first come first served", "fixed share")
# What happens beside: every second diagnosis is a verdict; answers 500 and 429; half of the workers are killed.
EVENTS = ("none", "judge", "errors", "kill")
_KILLED_AFTER_MINUTES = 1.5
# Enough for some minutes of each limit, and the seconds of a minute.
_AMOUNTS = ((10_000, 4, 6.0), (30_000, 18, 6.0), (200_000, 60, 12.0))
_MODEL = "gpt-5-mini"
_LATENCY = 0.05
_PATIENCE = 900.0
_EXPECT = "The agent does what the customer asked for, after confirming it, and tells the result."


@dataclass(frozen=True)
class Outcome:
    """What a run showed.

    Attributes:
        event: What happened beside; one of ``EVENTS``.
        diagnoses: Those of workers that were not killed.
        whole: Those of which nothing was missing.
        tokens: What the server charged, to killed workers, too.
        refusals: Those that no script asked for.
        least_seconds: The time in which so many tokens can be let through at best.
        longest_seconds: From the first request of a diagnosis to its end, at most.
    """

    way: str
    event: str
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


@cache
def _warm_up() -> None:
    """Let the server load what its first request needs, which takes up to a second: a service is up already."""
    with OpenAIServer() as server:
        body = {"model": _MODEL, "input": "Are you there?"}
        answer = httpx.post(f"{server.base_url}/responses", json=body, headers={"Authorization": "Bearer key"})
        answer.raise_for_status()


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
    event: str
    tpm: int
    algorithm: str
    workers: int
    minute: float
    paths: tuple[Path, ...]
    folder: Path
    base_url: str


def run(
    way: str, *, tpm: int, algorithm: str, workers: int, minute: float, diagnoses: int, event: str = "none"
) -> Outcome:
    """Diagnose the traces and return what came of it."""
    _warm_up()
    with (
        tempfile.TemporaryDirectory(prefix="budget-") as folder,
        OpenAIServer(tpm=tpm, tpm_model=algorithm, minute_seconds=minute, latency_seconds=_LATENCY) as server,  # type: ignore[arg-type]
    ):
        if event == "errors":
            for nth in (3, 12, 21):
                server.faults.add(faults.server_error(), nth=nth)
                server.faults.add(faults.rate_limited(wait=0.02 * minute, headers=False, model=_MODEL), nth=nth + 4)
        paths = tuple(traces(diagnoses, Path(folder)))
        task = _Task(way, event, tpm, algorithm, workers, minute, paths, Path(folder), server.base_url)
        if event == "kill":
            victims = _Crew(replace(task, workers=workers // 2))
            task = replace(task, workers=workers - workers // 2)
            threading.Timer(_KILLED_AFTER_MINUTES * minute, victims.kill).start()
        done = _Crew(task).results()
        answered = [each for each in server.log if each.method == "POST" and each.status == HTTPStatus.OK]
        refusals = sum(each.fault is None for each in server.refusals)
        tokens = sum(each.tokens for each in answered)
    # None where each request is larger than a worker's share.
    times = [each.started for each in answered] or [0.0]
    seconds = max(times) - min(times)
    least = least_seconds(tokens, tpm=tpm, algorithm=algorithm, minute=minute)
    missing = [reason for reason, _ in done if reason]
    return Outcome(
        way=way,
        event=event,
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


class _Crew:
    """The workers of one run of pytest."""

    def __init__(self, task: _Task) -> None:
        context = multiprocessing.get_context("forkserver")
        # Loaded once: a worker that is still loading while others send would be measured, too.
        context.set_forkserver_preload(["benchmarks.budget.whole", "pytest_refinery.analysts.model.openai_service"])
        self._diagnoses = len(task.paths)
        self._results = context.Queue()
        # Kept: what is forgotten here before a worker has opened it is gone.
        self._shared = (task, context.Value("i", 0), self._results, context.Barrier(task.workers))
        self._workers = [context.Process(target=_work, args=(number, *self._shared)) for number in range(task.workers)]
        for worker in self._workers:
            worker.start()

    def results(self) -> list[tuple[str | None, float]]:
        """Return why each diagnosis is not whole, and its seconds."""
        done = [self._results.get(timeout=_PATIENCE) for _ in range(self._diagnoses)]
        for worker in self._workers:
            worker.join()
        return done

    def kill(self) -> None:
        """End all workers at once, as SIGKILL does."""
        for worker in self._workers:
            worker.kill()


def _work(number: int, task: _Task, counter: Any, results: Any, ready: Any) -> None:  # noqa: ANN401  (multiprocessing names no type)
    is_apart = task.way == "fixed share"
    own = task.folder / (f"worker-{number}" if is_apart else "shared")
    own.mkdir(mode=0o700, exist_ok=True)
    os.environ.update(XDG_CACHE_HOME=str(own), OPENAI_API_KEY="key-of-the-benchmark", OPENAI_BASE_URL=task.base_url)
    services = _services(task, task.tpm // task.workers if is_apart else task.tpm)
    ready.wait()
    while (index := _next(counter)) < len(task.paths):
        answer = _judge if task.event == "judge" and index % 2 else _diagnose
        results.put(_timed(answer, services, task.paths[index]))


def _next(counter: Any) -> int:  # noqa: ANN401
    with counter.get_lock():
        taken: int = counter.value
        counter.value += 1
    return taken


def _services(task: _Task, tpm: int) -> wiring.Services:
    limits = Limits(tokens=tpm, algorithm=WindowAlgorithm(task.algorithm), minute=task.minute)
    wiring._limits = lambda _: limits  # type: ignore[assignment]  # noqa: SLF001  (no setting scales the minute)
    if task.way == "first come first served":
        token_budget._request = lambda tokens, requests, _: token_budget.Request(  # type: ignore[assignment]  # noqa: SLF001
            os.urandom(6).hex(), tokens, requests
        )
        schedule.Room.takes_now = lambda *_: False  # type: ignore[method-assign, assignment]
        ledger_state.State._is_firm = lambda *_: True  # type: ignore[method-assign, assignment]  # noqa: SLF001
    settings = Settings(
        analyst="openai", context="inline", model=_MODEL, tpm=tpm, tpm_model=task.algorithm, timeout=600.0
    )
    return wiring.build(settings)


def _timed(
    answer: Callable[[wiring.Services, Case], str | None], services: wiring.Services, path: Path
) -> tuple[str | None, float]:
    case = Case(JsonFiles().load(path.name, base=path.parent), expect=_EXPECT)
    began = time.monotonic()
    try:
        reason = answer(services, case)
    except Exception as error:  # noqa: BLE001  (whatever it is, the diagnosis is not whole)
        reason = f"{type(error).__name__}: {error}"
    return reason, time.monotonic() - began


def _diagnose(services: wiring.Services, case: Case) -> str | None:
    found = services.engine.diagnose(case)
    return found.partial if found.analyst == "openai" else f"by {found.analyst}: {found.partial}"


def _judge(services: wiring.Services, case: Case) -> None:
    job = TimedJob(_PATIENCE)
    try:
        services.analyst.judge(case, job)
    finally:
        job.finish()


def matrix() -> Iterator[Outcome]:
    """Measure each limit, algorithm and number of workers; with eight workers also other ways, and all events."""
    for (tpm, diagnoses, minute), algorithm, workers in itertools.product(
        _AMOUNTS, ("sliding", "bucket"), (1, 4, 8, 16)
    ):
        measure = partial(run, tpm=tpm, algorithm=algorithm, workers=workers, minute=minute, diagnoses=diagnoses)
        is_compared = workers == 8 and tpm == 30_000
        for way in WAYS if is_compared else WAYS[:1]:
            yield measure(way)
        for event in EVENTS[1:] if is_compared else ():
            yield measure(WAYS[0], event=event)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tpm", type=int, nargs="+", default=[10_000, 30_000, 200_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--algorithm", nargs="+", default=["sliding", "bucket"])
    parser.add_argument("--way", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--event", nargs="+", choices=EVENTS, default=["none"])
    parser.add_argument("--minute", type=float, default=12.0)
    parser.add_argument("--diagnoses", type=int, default=11)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args(arguments)
    outcomes = []
    for tpm, algorithm, workers, event, way in itertools.product(
        given.tpm, given.algorithm, given.workers, given.event, given.way
    ):
        cell = {"tpm": tpm, "algorithm": algorithm, "workers": workers, "event": event}
        outcome = run(way, minute=given.minute, diagnoses=given.diagnoses, **cell)
        print(outcome, flush=True)
        outcomes.append(asdict(outcome))
    if given.write:
        given.write.write_text(json.dumps(outcomes, indent=2) + "\n")


if __name__ == "__main__":
    main()
