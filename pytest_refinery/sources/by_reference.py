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
    """Loads a trace from the source that a plugin offers for it, from LangSmith, or from a file.

    What looks like an id or an address is LangSmith's.

    Args:
        files: The source of local files.
        langsmith: Returns the source of LangSmith's traces; called when the first is wanted.
        offered: Returns the source that a plugin offers for a reference, ``None`` where none does.
    """

    def __init__(
        self,
        files: TraceSource,
        langsmith: Callable[[], TraceSource],
        *,
        offered: Callable[[str], TraceSource | None] = lambda _: None,
    ) -> None:
        self._files = files
        self._offered = offered
        self._make_langsmith = langsmith
        self._langsmith: TraceSource | None = None
        self._lock = threading.Lock()

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:
        """Return the trace that ``reference`` names.

        Raises:
            TraceError: There is none, it cannot be read, or the reference might be either.
        """
        if (offered := self._offered(reference)) is not None:
            return offered.load(reference, base=base, project=project)
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
