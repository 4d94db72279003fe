"""Processes killed at random instants while others go on, and what the ledger says afterwards.

Each worker writes down what it was granted and what it has settled, before and after each step. Whatever the
book then says must agree: nothing of a survivor lost or counted twice, and of a victim at most its last step.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.budget import owners
from pytest_refinery.budget.file_ledger import FileLedger
from pytest_refinery.budget.ledger import Request
from pytest_refinery.budget.window import Limits

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess
    from pathlib import Path

# About 1,500 requests a second: half of the time the workers wait for room, half of it they hold the lock.
_LIMITS = Limits(tokens=150, minute=0.1, guard=0.0)
_RESERVED = 2
_COSTS = 1


@dataclass(frozen=True)
class Survived:
    """What came of it.

    Attributes:
        granted: Requests granted to anybody.
        compared: Settled requests that were looked for in the book.
        wrong: What the book and the workers' notes disagree on; empty if all is well.
        longest_wait: The most seconds that a request waited, in a worker or after a kill.
        complaints: What the ledger said to the user, e.g. that a file was damaged.
    """

    kills: int
    granted: int
    compared: int
    wrong: tuple[str, ...]
    longest_wait: float
    complaints: tuple[str, ...]


def run(folder: Path, *, kills: int, workers: int, seed: int = 4) -> Survived:
    """Kill so many processes, each replaced at once, and compare."""
    draw = random.Random(seed)
    crew = _Crew(folder)
    living = [crew.hire() for _ in range(workers)]
    wrong: list[str] = []
    for number in range(kills):
        time.sleep(draw.uniform(0.0, 0.03))
        victim = living.pop(draw.randrange(len(living)))
        os.kill(victim.pid or 0, signal.SIGKILL)
        wrong += crew.disagreements() if number % 10 == 0 else []
        victim.join()
        living.append(crew.hire())
    time.sleep(1.0)
    wrong += [f"worker {worker.pid} ended with {worker.exitcode}" for worker in living if not worker.is_alive()]
    for worker in living:
        worker.kill()
        worker.join()
    return Survived(kills, crew.granted(), crew.compared, tuple(wrong), crew.longest_wait(), crew.complaints())


class _Crew:
    """The workers, dead and alive, and their notes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context = multiprocessing.get_context("fork")
        self._hired = 0
        self.compared = 0
        self._ledger = FileLedger(folder / "budget.json", _LIMITS, tell=self._complain)

    def hire(self) -> ForkProcess:
        self._hired += 1
        worker = self._context.Process(target=self._work, args=(f"w{self._hired}",), daemon=True)
        worker.start()
        return worker

    def disagreements(self) -> list[str]:
        """Compare the book with the notes of the last moments."""
        # Under the lock, on a busy machine long after it was asked for: what is older may have been forgotten.
        until, book = self._ledger._transact(  # noqa: SLF001  (the book itself is what is looked at)
            lambda state, now: (now, [(charge.id, charge.tokens) for charge in state.charges])
        )
        names = [name for name, _ in book]
        found = [f"{name} counts {names.count(name)} times" for name in set(names) if names.count(name) > 1]
        tokens = dict(book)
        for name, asked, settled in self._settled():
            # Settled before the book was opened, and granted so lately that it is still in it.
            if not until - _LIMITS.minute < asked <= settled < until:
                continue
            self.compared += 1
            if tokens.get(name) != _COSTS:
                found.append(f"{name} was settled and counts {tokens.get(name)}")
        return found

    def granted(self) -> int:
        return sum(note.startswith("granted") for notes in self._notes() for note in notes)

    def longest_wait(self) -> float:
        """Return the longest wait of a request, and the longest time in which nobody was granted any."""
        waits = [float(note.split()[3]) for notes in self._notes() for note in notes if note.startswith("granted")]
        times = sorted(float(n.split()[2]) for notes in self._notes() for n in notes if n.startswith("granted"))
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        return max([*waits, *gaps])

    def complaints(self) -> tuple[str, ...]:
        path = self._folder / "complaints"
        return tuple(path.read_text().splitlines()) if path.exists() else ()

    def _settled(self) -> list[tuple[str, float, float]]:
        lines = [note.split() for notes in self._notes() for note in notes[-50:] if note.startswith("settled")]
        return [(name, float(asked), float(settled)) for _, name, asked, settled in lines]

    def _notes(self) -> list[list[str]]:
        # What follows the last line end was being written when its writer was killed.
        return [path.read_text().split("\n")[:-1] for path in self._folder.glob("*.notes")]

    def _complain(self, sentence: str) -> None:
        with (self._folder / "complaints").open("a") as file:
            file.write(f"{sentence}\n")

    def _work(self, name: str) -> None:
        with (self._folder / f"{name}.notes").open("a", buffering=1) as notes:
            for number in range(10**9):
                began = asked = owners.seconds_since_boot()
                request = Request(f"{name}-{number}", _RESERVED, 1)
                while not (step := self._ledger.poll(request)).is_granted:
                    request = Request(request.id, _RESERVED, 1, step.place)
                    time.sleep(step.look_in)
                    asked = owners.seconds_since_boot()
                granted = owners.seconds_since_boot()
                notes.write(f"granted {request.id} {granted} {granted - began}\n")
                self._ledger.settle(request.id, _COSTS)
                notes.write(f"settled {request.id} {asked} {owners.seconds_since_boot()}\n")
