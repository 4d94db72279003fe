"""Traces as LangSmith has them, named by id, address or public link."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats import Interner, Records, is_pending
from pytest_refinery.sources.langsmith import references
from pytest_refinery.sources.langsmith.cache import NoParts
from pytest_refinery.sources.langsmith.references import RunReference, SharedReference
from pytest_refinery.sources.langsmith.runs import MOST_RUNS, Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_refinery.sources.langsmith.account import Account
    from pytest_refinery.sources.langsmith.cache import TraceCache
    from pytest_refinery.sources.langsmith.client import Service
    from pytest_refinery.sources.langsmith.references import Reference
    from pytest_refinery.sources.langsmith.runs import Parts
    from pytest_refinery.traces.model import Trace

_MOST_NAMES = 3
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Download:
    """A trace as LangSmith gave it.

    Attributes:
        name: What to call it in messages.
        records: Its run records, in the form of an export.
        doubt: Why nothing should be decided about it as it is, or an empty text.
    """

    name: str
    records: list[dict[str, Any]]
    doubt: str = ""

    @property
    def trace(self) -> Trace:
        """The trace that they are."""
        return _trace(self.name, self.records)

    @property
    def file_name(self) -> str:
        """What to call a file of it: after its root run, and the beginning of its id."""
        trace = self.trace
        words = re.findall(r"[a-z0-9]+", trace.name.lower())
        return "-".join((*words, trace.id[:8]))[-_LONGEST_NAME:].lstrip("-") + ".json"

    def as_json(self) -> str:
        """Return the records as a file of JSON."""
        return json.dumps(self.records, ensure_ascii=False, indent=2)


class LangSmith:
    """Loads traces from LangSmith, from any thread.

    Args:
        account: Whom to ask, and as whom.
        connect: Returns what asks an endpoint, with the headers that say who asks or with none.
        cache: Where traces are kept; not where the requests are recorded, since a recording must hold all of them.
    """

    def __init__(
        self,
        account: Account,
        connect: Callable[[str, Mapping[str, str] | None], Service],
        *,
        cache: TraceCache | None = None,
    ) -> None:
        self._account = account
        self._connect = connect
        self._cache = cache
        self._lock = threading.Lock()
        self._readers: dict[tuple[str, bool], Runs] = {}

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:  # noqa: ARG002  (the port's)
        """Return the trace that ``reference`` names.

        Raises:
            TraceError: There is none, it cannot be read, or it is not whole yet.
        """
        named = _named(reference)
        with _about(named):
            records = self._records(named, project)
        return _trace(str(named), records)

    def download(self, reference: str, *, project: str | None = None) -> Download:
        """Return a trace as LangSmith has it now, whole or not.

        Raises:
            TraceError: There is none, or it cannot be read.
        """
        named = _named(reference)
        with _about(named):
            records = self._fetch(named, project, NoParts())
        return Download(str(named), records, _doubt(records))

    def _records(self, named: Reference, project: str | None) -> list[dict[str, Any]]:
        if self._cache is None:
            return self._whole(named, project, NoParts())
        return self._cache.records(self._key(named), lambda parts: self._whole(named, project, parts))

    def _whole(self, named: Reference, project: str | None, parts: Parts) -> list[dict[str, Any]]:
        records = self._fetch(named, project, parts)
        doubt = _doubt(records)
        if doubt:
            raise TraceError(doubt)
        return records

    def _fetch(self, named: Reference, project: str | None, parts: Parts) -> list[dict[str, Any]]:
        runs = self._reader(named)
        if isinstance(named, SharedReference):
            return runs.of_share(named, parts)
        return runs.of_trace(named, parts, project=project)

    def _key(self, named: Reference) -> str:
        what = named.token if isinstance(named, SharedReference) else named.trace_id or named.run_id
        return f"{self._account.endpoint_for(named.host)} {type(named).__name__} {what}"

    def _reader(self, named: Reference) -> Runs:
        """Return what reads from the LangSmith that a reference means; one for all threads."""
        is_public = isinstance(named, SharedReference)
        endpoint = self._account.endpoint_for(named.host)
        headers = None if is_public else self._account.headers()
        with self._lock:
            if (endpoint, is_public) not in self._readers:
                service = self._connect(endpoint, headers)
                self._readers[endpoint, is_public] = Runs(service, project=self._account.project)
            return self._readers[endpoint, is_public]


def _named(reference: str) -> RunReference | SharedReference:
    named = references.read_reference(reference)
    if named is None:
        msg = f"{reference}: a path, not the id or address of a trace in LangSmith; there is nothing to fetch."
        raise TraceError(msg)
    return named


@contextmanager
def _about(named: Reference) -> Iterator[None]:
    try:
        yield
    except TraceError as error:
        msg = f"{named}: {error}"
        raise TraceError(msg) from error


def _trace(name: str, records: Sequence[dict[str, Any]]) -> Trace:
    found, shared = Records(name), Interner()
    for record in records:
        found.take(shared.intern(record))
    return found.trace()


def _doubt(records: Sequence[dict[str, Any]]) -> str:
    pending = [record for record in records if is_pending(record)]
    if pending:
        names = ", ".join(str(record.get("name")) for record in pending[:_MOST_NAMES])
        more = ", ..." if len(pending) > _MOST_NAMES else ""
        return (
            f"It is still running: {len(pending)} of its {len(records)} runs have not ended ({names}{more}). Run again "
            "when they have. If they never will, save it as it is (pytest-refinery fetch) and name the file."
        )
    if len(records) >= MOST_RUNS:
        return (
            f"It has {MOST_RUNS:,} runs or more, which is all that LangSmith keeps of one trace: what came after them "
            "is missing. Trace the agent's turns one by one, or save it as it is (pytest-refinery fetch)."
        )
    return ""
