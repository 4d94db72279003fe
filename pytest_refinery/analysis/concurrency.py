"""Runs calls side by side until a deadline, and never waits for one that hangs.

The standard pools join their threads when the interpreter ends, so one call that hangs would
hang the whole run; these threads are daemons, and who waits for them can be interrupted.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

_SHORTEST_LOOK = 0.01


class CutShort(Exception):  # noqa: N818  (what happened, not an error of somebody's)
    """The deadline came before the answer."""


def run_all(
    calls: Sequence[Callable[[], T]], *, workers: int, seconds_left: Callable[[], float]
) -> Iterator[tuple[int, T | Exception]]:
    """Yield each call's index with its result, or the exception it raised, as they finish.

    A call that is not finished when ``seconds_left()`` is used up yields ``CutShort``.
    """
    results: queue.SimpleQueue[tuple[int, T | Exception]] = queue.SimpleQueue()
    waiting = iter(range(len(calls)))
    lock = threading.Lock()
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            with lock:
                index = next(waiting, None)
            if index is None:
                return
            results.put((index, _outcome(calls[index])))

    for _ in range(min(workers, len(calls))):
        threading.Thread(target=work, name="refinery-stage", daemon=True).start()
    pending = set(range(len(calls)))
    try:
        while pending and (found := _next(results, seconds_left)):
            pending.discard(found[0])
            yield found
    finally:
        is_over.set()
    for index in sorted(pending):
        yield index, CutShort()


def _next(
    results: queue.SimpleQueue[tuple[int, T | Exception]], seconds_left: Callable[[], float]
) -> tuple[int, T | Exception] | None:
    """Return what finishes next, ``None`` when the time is up; it may stand still meanwhile."""
    while True:
        try:
            return results.get(timeout=max(_SHORTEST_LOOK, seconds_left()))
        except queue.Empty:
            if seconds_left() <= 0:
                return None


def _outcome(call: Callable[[], T]) -> T | Exception:
    try:
        return call()
    except Exception as error:  # noqa: BLE001  (handed to the caller)
        return error
