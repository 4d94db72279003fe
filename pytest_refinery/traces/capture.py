"""What captures the runs of an agent's own tracing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from pytest_refinery.traces.model import Run
    from pytest_refinery.traces.nesting import Nesting


class TraceCapture(Protocol):
    """Captures what one library's tracing records of one call of an agent, and keeps it from being sent."""

    @property
    def name(self) -> str:
        """What reports call the library's tracing."""
        ...

    def active(self, nesting: Nesting) -> AbstractContextManager[None]:
        """Capture what runs in a block, in all of its threads and tasks, and note in ``nesting`` each run that starts.

        After the block, the library traces as before.
        """
        ...

    def captured(self) -> tuple[Sequence[Run], Sequence[str]]:
        """Return the runs in the order of their starts, and what could not be mapped, a sentence each.

        The parents are those that the library knows.
        """
        ...
