"""What a trace source must be able to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.traces.model import Trace


class TraceSource(Protocol):
    """Turns a reference as users write it into a trace."""

    def load(self, reference: str, *, base: Path) -> Trace:
        """Return the trace that ``reference`` names, relative paths being relative to ``base``.

        Raises:
            TraceError: There is no such trace, or it cannot be read.
        """
        ...
