"""What a trace source must be able to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.traces.model import Trace


class TraceSource(Protocol):
    """Turns a reference as users write it into a trace.

    Traces that are no local files are fetched ahead of their turn: a source is asked from several threads at once.
    """

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:
        """Return the trace that ``reference`` names.

        Args:
            reference: As the user wrote it: a path, an id, a URL.
            base: What relative paths are relative to.
            project: Where the trace is kept, for services that want to know; as the user wrote it.

        Raises:
            TraceError: There is no such trace, or it cannot be read.
        """
        ...
