"""What hears an agent's own tracing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from pytest_refinery.traces.model import Run
    from pytest_refinery.traces.nesting import Nesting


class Listener(Protocol):
    """Hears what one library's tracing records of one call of an agent, instead of those it is sent to."""

    @property
    def name(self) -> str:
        """What reports call the library's tracing."""
        ...

    def listening(self, nesting: Nesting) -> AbstractContextManager[None]:
        """Listen during a block, in all of its threads and tasks, and tell ``nesting`` of each run that starts.

        After the block, the library traces as before.
        """
        ...

    def heard(self) -> tuple[Sequence[Run], Sequence[str]]:
        """Return the runs in the order of their starts, and what could not be mapped, a sentence each.

        The parents are those that the library knows.
        """
        ...
