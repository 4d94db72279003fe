"""Which run is inside which, where several ways of recording go on at once."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Nesting:
    """Knows the parents of runs across the ways in which they are recorded.

    Each way knows its own runs only: a span does not know of the LangSmith run that it was started in. Of all
    the runs that are open where a run starts, the one that was started last is the innermost.
    """

    def __init__(self) -> None:
        self._innermost: dict[str, Callable[[], str | None]] = {}
        self._places: dict[str, int] = {}
        self._parents: dict[str, str] = {}
        self._next = count()

    def add_way(self, way: str, innermost: Callable[[], str | None]) -> None:
        """Take note of a way of recording.

        Args:
            way: Its name.
            innermost: Returns the id of its innermost open run in the context of the caller, if there is one.
        """
        self._innermost[way] = innermost

    def started(self, run_id: str, *, way: str, parent_id: str | None) -> None:
        """Take note, in the context of its start, of a run and of the parent that its own way knows."""
        if run_id in self._places:
            return
        others = (innermost() for name, innermost in self._innermost.items() if name != way)
        known = [open_id for open_id in (parent_id, *others) if open_id in self._places]
        if known:
            self._parents[run_id] = max(known, key=self._places.__getitem__)
        self._places[run_id] = next(self._next)

    def parent_of(self, run_id: str) -> str | None:
        """Return the run that a run was started in, ``None`` where that is not known."""
        return self._parents.get(run_id)
