"""Whole diagnoses of real traces under one limit, simulated: the real book and its schedule, without processes or time.

``python -m benchmarks.budget.simulated`` takes the requests that the diagnoses of the traces make, and lets 1 to 16
workers make them under every limit, beside first come first served and beside a fixed share for each worker.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections import defaultdict
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.budget.whole import WAYS, diagnose, traces
from pytest_refinery import wiring
from pytest_refinery.budget.window import Limits, WindowAlgorithm
from pytest_refinery.settings import Settings
from tests.openai_server.server import OpenAIServer
from tests.unit.budget.simulation import Piece, Simulation, first_come_first_served

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WORKERS = (1, 2, 4, 8, 16)
DIAGNOSES = {10_000: 11, 30_000: 18, 200_000: 90}
ALGORITHMS = ("sliding", "bucket")


@dataclass(frozen=True)
class Outcome:
    """What a simulation showed.

    Attributes:
        seconds: From the first request to the last; ``None`` where a request is larger than a worker's share.
        least_seconds: The time in which so many tokens can be let through at best.
        longest_seconds: From the first request of a diagnosis to its end, at most.
        latest_seconds: How much later than first come first served a diagnosis ended, at most.
    """

    way: str
    tpm: int
    algorithm: str
    workers: int
    diagnoses: int
    tokens: int
    seconds: float | None
    least_seconds: float
    ratio: float | None
    longest_seconds: float | None = None
    latest_seconds: float | None = None


def pieces(number: int, *, tpm: int, algorithm: str) -> list[Piece]:
    """Return the requests of so many diagnoses, as the server has counted them."""
    with tempfile.TemporaryDirectory(prefix="budget-") as folder, OpenAIServer() as server:
        os.environ.update(XDG_CACHE_HOME=folder, OPENAI_API_KEY="key-of-the-benchmark", OPENAI_BASE_URL=server.base_url)
        # The limit decides how traces are cut; in a short minute no one waits for it.
        limits = Limits(tokens=tpm, algorithm=WindowAlgorithm(algorithm), minute=0.001, guard=0.0)
        wiring._limits = lambda _: limits  # type: ignore[assignment]  # noqa: SLF001  (no setting scales the minute)
        settings = Settings(
            analyst="openai", context="inline", model="gpt-5-mini", tpm=tpm, tpm_model=algorithm, timeout=600.0
        )
        engine = wiring.build(settings).engine
        found: dict[Path, tuple[tuple[int, ...], ...]] = {}
        paths = traces(number, Path(folder))
        for path in dict.fromkeys(paths):
            before = len(server.log)
            reason, _ = diagnose(engine, path)
            if reason is not None:
                raise RuntimeError(reason)
            found[path] = _stages(server.log[before:])
        return [Piece(f"d{index}", found[path]) for index, path in enumerate(paths)]


def _stages(exchanges: Iterable[object]) -> tuple[tuple[int, ...], ...]:
    """Return the tokens of a diagnosis's requests: the last two are single ones, those before side by side."""
    tokens = [each.tokens for each in exchanges if each.method == "POST"]  # type: ignore[attr-defined]
    return (tuple(tokens[:-2]), (tokens[-2],), (tokens[-1],))


def cell(work: Sequence[Piece], *, tpm: int, algorithm: str, workers: int) -> list[Outcome]:
    """Return what each way of sharing a limit makes of the same work."""
    limits = Limits(tokens=tpm, algorithm=WindowAlgorithm(algorithm))
    tokens = sum(piece.tokens for piece in work)
    windows = tokens / tpm
    least = 60.0 * max(0.0, (windows if algorithm == "bucket" else math.ceil(windows)) - 1)
    ended: dict[str, dict[str, float]] = defaultdict(dict)
    outcomes = []
    for way in reversed(WAYS):
        known = Outcome(way, tpm, algorithm, workers, len(work), tokens, None, round(least, 1), None)
        largest = max(cost for piece in work for stage in piece.stages for cost in stage)
        if way == "fixed share" and largest > tpm // workers:
            outcomes.append(known)
            continue
        with first_come_first_served() if way == "first come first served" else nullcontext():
            found = Simulation(
                work, limits, workers=workers, names_work=way == "ours", shares=way == "fixed share"
            ).run()
        ended[way] = found.finished
        begun: dict[str, float] = {}
        for sent in sorted(found.sent, key=lambda each: each.granted):
            begun.setdefault(sent.work, sent.granted)
        late = [at - ended["first come first served"].get(name, at) for name, at in found.finished.items()]
        outcomes.append(
            Outcome(
                way,
                tpm,
                algorithm,
                workers,
                len(work),
                tokens,
                round(found.seconds, 1),
                round(least, 1),
                round(found.seconds / least, 3) if least else None,
                round(max(at - begun[name] for name, at in found.finished.items()), 1),
                round(max(late), 1),
            )
        )
    return outcomes[::-1]


def matrix(limits: Sequence[int] = tuple(DIAGNOSES), workers: Sequence[int] = WORKERS) -> list[Outcome]:
    """Return all cells, printing each as it comes."""
    outcomes = []
    for tpm in limits:
        for algorithm in ALGORITHMS:
            work = pieces(DIAGNOSES[tpm], tpm=tpm, algorithm=algorithm)
            for count in workers:
                for outcome in cell(work, tpm=tpm, algorithm=algorithm, workers=count):
                    print(outcome, flush=True)
                    outcomes.append(outcome)
    return outcomes


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tpm", type=int, nargs="+", default=list(DIAGNOSES), choices=list(DIAGNOSES))
    parser.add_argument("--workers", type=int, nargs="+", default=list(WORKERS))
    parser.add_argument("--write", type=Path)
    given = parser.parse_args(arguments)
    found = matrix(given.tpm, given.workers)
    if given.write:
        given.write.write_text(json.dumps([asdict(each) for each in found], indent=2) + "\n")


if __name__ == "__main__":
    main()
