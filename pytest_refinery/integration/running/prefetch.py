"""Recorded traces, fetched while the items before theirs are judged."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pytest

    from pytest_refinery.traces.model import Trace

# What a service can be asked at once, and what may stand in memory: a thousand runs take about 28 MB
# (benchmarks/results/scale.md), and most traces have a few hundred at most.
_ITEMS_AHEAD = 16
_RUNS_AHEAD = 5_000


@runtime_checkable
class Prefetchable(Protocol):
    """An item whose trace can be fetched ahead of its turn."""

    @property
    def may_be_prefetched(self) -> bool:
        """Whether its trace is a recorded one, and no cassette holds what is asked for it."""
        ...

    @property
    def remote_trace(self) -> Reference | None:
        """What has to be fetched for it, ``None`` where that is nothing."""
        ...


class Reference(NamedTuple):
    """What names a trace: the arguments of ``TraceSource.load``."""

    reference: str
    base: Path
    project: str | None


def is_wise(config: pytest.Config) -> bool:
    """Tell whether the run will reach its next items, and no one stops it in a debugger before."""
    return not any(config.getoption(name, default=False) for name in ("maxfail", "stepwise", "usepdb", "trace"))


class Prefetch:
    """Fetches the traces of the next few items, each in a thread of its own.

    Only of items that follow one upon the other: what an agent, a Python test or a cassette does to the process must
    not meet a fetch. The threads are daemons: none of them keeps the process alive.

    Args:
        load: Returns the trace of a reference. Called in any thread.
    """

    def __init__(self, load: Callable[[Reference], Trace]) -> None:
        self._load = load
        self._begun: dict[Reference, Future[Trace]] = {}
        self._places: dict[pytest.Item, int] = {}

    def before(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Begin what ``item`` and those behind it need, and let go of all else."""
        coming = (item, *islice(self._after(item, nextitem), _ITEMS_AHEAD))
        wanted = list(dict.fromkeys(filter(None, map(_remote, takewhile(_is_recorded, coming)))))
        self._begun = {reference: self._begun[reference] for reference in wanted if reference in self._begun}
        for reference in wanted:
            if reference not in self._begun and self._runs() < _RUNS_AHEAD:
                self._begun[reference] = _begun(self._load, reference)

    def take(self, reference: Reference) -> Trace | None:
        """Return the trace that was fetched ahead, ``None`` where it was not; raise what its fetch raised."""
        future = self._begun.get(reference)
        try:
            return future.result() if future else None
        except BaseException:
            # A rerun of the item fetches it again.
            self._begun.pop(reference, None)
            raise

    def _runs(self) -> int:
        done = [future for future in self._begun.values() if future.done() and not future.exception()]
        return sum(len(future.result().runs) for future in done)

    def _after(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[pytest.Item]:
        """Yield the items that this process runs next, as far as that can be known."""
        if nextitem is None:
            return
        yield nextitem
        items = item.session.items
        queued = _queue_of_worker(item.config)
        if queued is not None:
            yield from (items[index] for index in queued)
            return
        if len(self._places) != len(items):
            self._places = {each: place for place, each in enumerate(items)}
        place = self._places.get(nextitem)
        # Somebody else's loop may have an order of its own.
        if place and items[place - 1] is item:
            yield from islice(items, place + 1, None)


def _is_recorded(item: pytest.Item) -> bool:
    return isinstance(item, Prefetchable) and item.may_be_prefetched


def _remote(item: pytest.Item) -> Reference | None:
    is_skipped = any(item.get_closest_marker(name) for name in ("skip", "skipif"))
    return item.remote_trace if isinstance(item, Prefetchable) and not is_skipped else None


def _queue_of_worker(config: pytest.Config) -> Sequence[int] | None:
    """Return the places in ``session.items`` that pytest-xdist has given to this worker behind the next item."""
    if not hasattr(config, "workerinput"):
        return None
    queues = (getattr(plugin, "torun", None) for plugin in config.pluginmanager.get_plugins())
    queue = next((found for found in queues if hasattr(found, "lock")), None)
    if queue is None:
        return ()
    with queue.lock() as waiting:
        return [index for index in waiting if isinstance(index, int)]


def _begun(load: Callable[[Reference], Trace], reference: Reference) -> Future[Trace]:
    future: Future[Trace] = Future()

    def fetch() -> None:
        try:
            future.set_result(load(reference))
        except BaseException as error:  # noqa: BLE001  (raised where the trace is wanted)
            future.set_exception(error)

    threading.Thread(target=fetch, name="refinery-prefetch", daemon=True).start()
    return future
