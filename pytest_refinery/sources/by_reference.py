"""The one source that everybody asks: it sees from the reference which of the others is meant."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pytest_refinery.errors import TraceError
from pytest_refinery.sources import langsmith

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_refinery.traces.model import Trace
    from pytest_refinery.traces.source import TraceSource


class ByReference:
    """Loads what looks like an id or an address from LangSmith, all else from files.

    Args:
        files: The source of local files.
        langsmith: Returns the source of LangSmith's traces; called when the first is wanted.
    """

    def __init__(self, files: TraceSource, langsmith: Callable[[], TraceSource]) -> None:
        self._files = files
        self._make_langsmith = langsmith
        self._langsmith: TraceSource | None = None
        self._lock = threading.Lock()

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:
        """Return the trace that ``reference`` names.

        Raises:
            TraceError: There is none, it cannot be read, or the reference might be either.
        """
        if langsmith.read_reference(reference) is None:
            return self._load_file(reference, base=base, project=project)
        if "://" not in reference and (base / reference).exists():
            msg = (
                f"{reference}: the id of a trace in LangSmith, or the file of that name? Write ./{reference} for the "
                "file, or rename it."
            )
            raise TraceError(msg)
        return self._remote().load(reference, base=base, project=project)

    def _remote(self) -> TraceSource:
        with self._lock:
            if self._langsmith is None:
                self._langsmith = self._make_langsmith()
            return self._langsmith

    def _load_file(self, reference: str, *, base: Path, project: str | None) -> Trace:
        try:
            return self._files.load(reference, base=base, project=project)
        except TraceError as error:
            run_id = langsmith.id_in_path(reference)
            if run_id is None or (base / reference).exists():
                raise
            msg = f"{error} If you mean the trace in LangSmith, write its id alone: {run_id}"
            raise TraceError(msg) from error
