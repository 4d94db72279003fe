"""What one reserve + settle takes on the ledger in a file, and what waiting costs."""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_refinery.budget.file_ledger import FileLedger
from pytest_refinery.budget.token_budget import SharedBudget
from pytest_refinery.budget.window import Limits

_ENTRIES = 60
_PAIRS = 400
# A minute in which about so many entries remain in the book, at the pace of the processes together.
_PACE = 2500


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one reserve + settle, each process doing nothing else."""

    processes: int
    entries: int
    median: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Waiting:
    """CPU of processes that wait behind a full minute, as a share of one core each; seconds until all had started."""

    waiters: int
    kind: str
    seconds: float
    cpu_share: float
    late_seconds: float


def latency(processes: int) -> Latency:
    """Measure reserve + settle while the book holds about 60 entries, or more."""
    minute = _ENTRIES / _PACE / 1.5
    while (found := _latency(processes, minute)).entries < _ENTRIES:
        minute *= 1.1 * _ENTRIES / found.entries
    return found


def _latency(processes: int, minute: float) -> Latency:
    with tempfile.TemporaryDirectory(prefix="budget-") as folder:
        path = Path(folder, "budget.json")
        taken, entries = _in_processes(processes, _measure_pairs, (path, minute))
    times = sorted(1000 * seconds for worker in taken for seconds in worker)
    return Latency(processes, entries, times[len(times) // 2], times[len(times) * 99 // 100], times[-1])


def waiting(processes: int, *, seconds: float) -> Waiting:
    """Measure what processes burn that all wait for the same minute to end."""
    with tempfile.TemporaryDirectory(prefix="budget-") as folder:
        path = Path(folder, "budget.json")
        limits = Limits(tokens=1000, minute=seconds)
        SharedBudget(FileLedger(path, limits, tell=print), tell=print).reserve(1000).settle(1000)
        until = time.monotonic() + seconds
        taken, _ = _in_processes(processes, _measure_waiting, (path, limits))
    cpu = sum(worker[0] for worker in taken)
    waited = sum(worker[1] for worker in taken)
    return Waiting(processes, "processes", seconds, cpu / waited, max(worker[2] for worker in taken) - until)


def crowd(threads: int, *, seconds: float) -> Waiting:
    """Measure so many tickets that wait at once, as threads of one process."""
    with tempfile.TemporaryDirectory(prefix="budget-") as folder:
        ledger = FileLedger(Path(folder, "budget.json"), Limits(tokens=threads, minute=seconds), tell=print)
        budget = SharedBudget(ledger, tell=lambda _: None)
        budget.reserve(threads).settle(threads)
        waiters = [threading.Thread(target=lambda: budget.reserve(1).settle(1)) for _ in range(threads)]
        began, cpu = time.monotonic(), time.process_time()
        for waiter in waiters:
            waiter.start()
        for waiter in waiters:
            waiter.join()
        took = time.monotonic() - began
    return Waiting(threads, "threads", seconds, (time.process_time() - cpu) / took / threads, took - seconds)


def _in_processes(count: int, work: Any, arguments: tuple[Any, ...]) -> tuple[list[list[float]], int]:  # noqa: ANN401
    context = multiprocessing.get_context("spawn")
    results, ready = context.Queue(), context.Barrier(count)
    processes = [context.Process(target=work, args=(*arguments, results, ready)) for _ in range(count)]
    for process in processes:
        process.start()
    taken = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return [seconds for seconds, _ in taken], max(entries for _, entries in taken)


def _measure_pairs(path: Path, minute: float, results: Any, ready: Any) -> None:  # noqa: ANN401
    ledger = FileLedger(path, Limits(tokens=10**9, minute=minute, guard=0.0), tell=print)
    budget = SharedBudget(ledger, tell=print)
    ready.wait()
    taken = []
    for _ in range(_PAIRS):
        began = time.perf_counter()
        budget.reserve(1).settle(1)
        taken.append(time.perf_counter() - began)
    results.put((taken, _entries_in(path)))


def _entries_in(path: Path) -> int:
    # In the book, not in the minute: what has left it is kept for a while.
    ledger = FileLedger(path, Limits(minute=10.0), tell=print)
    return len(ledger.status().granted)


def _measure_waiting(path: Path, limits: Limits, results: Any, ready: Any) -> None:  # noqa: ANN401
    budget = SharedBudget(FileLedger(path, limits, tell=print), tell=lambda _: None)
    ready.wait()
    began, cpu = time.monotonic(), time.process_time()
    budget.reserve(1).settle(1)
    results.put(([time.process_time() - cpu, time.monotonic() - began, time.monotonic()], 0))
