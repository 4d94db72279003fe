"""Hosted vector stores: one for a trace, a file for each of its groups, found again by content."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pytest_refinery import rate_limit_headers
from pytest_refinery.analysis.concurrency import CutShort, run_all
from pytest_refinery.analysts.model import documents
from pytest_refinery.analysts.model.queries import Search, filters_for
from pytest_refinery.analysts.model.service_errors import (
    AccountRejected,
    RateLimited,
    ServiceError,
    TransientError,
    UnsupportedParameter,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_refinery.analysis.ports import Case, Job
    from pytest_refinery.analysts.model.documents import Document
    from pytest_refinery.analysts.model.store_index import Entry, Index
    from pytest_refinery.digest.grouping import Group

T = TypeVar("T")
JsonObject = dict[str, Any]

MADE_BY = "pytest-refinery"
# Unused stores and all files remove themselves; 30 days are the most that a file may be given.
_STORE_DAYS = 7
_FILE_SECONDS = 30 * 86_400
_UPLOADS_AT_ONCE = 8
_INDEXING_SECONDS = 60.0
_ATTEMPTS = 3
_FIRST_LOOK, _LATER_LOOKS = 0.1, 2.0
# A later stage may look something up, no more.
_RESULTS_LATER = 3
_NO_STORES = frozenset({404, 405, 501})


class Stores(Protocol):
    """What is needed of a service; each method raises ``ServiceError``."""

    def upload(self, name: str, text: str, *, lasting_seconds: int | None) -> str:
        """Upload a text file and return its id."""
        ...

    def create_store(self, name: str, metadata: Mapping[str, str], *, lasting_days: int | None) -> str:
        """Make a vector store and return its id."""
        ...

    def store(self, store_id: str) -> JsonObject | None:
        """Return a store, ``None`` where there is none."""
        ...

    def files_in_store(self, store_id: str) -> Iterator[JsonObject]:
        """Yield the files of a store."""
        ...

    def attach(self, store_id: str, files: Sequence[JsonObject]) -> JsonObject:
        """Put files into a store; return the batch."""
        ...

    def batch(self, store_id: str, batch_id: str) -> JsonObject:
        """Return how far a batch is."""
        ...

    def attach_one(self, store_id: str, file: JsonObject) -> JsonObject:
        """Put one file into a store."""
        ...


@dataclass(frozen=True)
class UploadedTrace:
    """The store of one trace, ready to be searched.

    Attributes:
        groups: The names of the groups that can be searched.
        contents: Hashes of the files of this case; the store may hold files of other cases about the same trace.
        max_num_results: What the user allows, ``None`` for what a group needs.
        trace_tokens: The size of the trace, 0 where it is not known.
    """

    store_id: str
    chunk_tokens: int
    groups: frozenset[str]
    contents: tuple[str, ...]
    max_num_results: int | None = None
    trace_tokens: int = 0

    def __contains__(self, group_name: object) -> bool:
        """Tell whether a group can be searched."""
        return group_name in self.groups

    def search_in(self, group: Group) -> Search:
        """Return the search that brings back the whole of a group."""
        most = self.max_num_results or documents.results_for(group, self.chunk_tokens)
        filters = filters_for(group=group.name, role="trace")
        return Search(self.store_id, filters, most, min(group.tokens, most * self.chunk_tokens), is_forced=True)

    def search_anywhere(self) -> Search:
        """Return the search with which a later stage may look something up."""
        most = min(_RESULTS_LATER, self.max_num_results or _RESULTS_LATER)
        expected = min(self.trace_tokens or math.inf, most * self.chunk_tokens)
        return Search(self.store_id, filters_for(content=self.contents), most, int(expected))


class VectorStores:
    """Fills stores and finds them again.

    Args:
        service: Returns the service, connected.
        is_wanted: Whether the user asked for stores; else they are used where they help and the service has them.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        service: Callable[[], Stores],
        index: Index,
        *,
        is_wanted: bool,
        max_num_results: int | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._service = service
        self._index = index
        self._is_wanted = is_wanted
        self._max_num_results = max_num_results
        self._sleep = sleep
        self._has_stores = True
        self._may_expire = True

    def is_for(self, groups: Sequence[Group]) -> bool:
        """Tell whether a trace in these groups is better searched: one group fits the prompt, whole and for less."""
        return self._has_stores and (self._is_wanted or len(groups) > 1)

    def planned(self, groups: Sequence[Group]) -> UploadedTrace:
        """Return what an upload would give, for what searching it would cost; nothing is sent."""
        names = frozenset(group.name for group in groups)
        size = sum(group.tokens for group in groups)
        return UploadedTrace("", documents.chunk_tokens(groups), names, (), self._max_num_results, size)

    def upload(self, case: Case, groups: Sequence[Group], job: Job) -> UploadedTrace | None:
        """Return the store of a trace, filled; ``None`` where there can be none, and ``job`` says why."""
        chunk = documents.chunk_tokens(groups)
        of_trace = documents.of_trace(groups)
        wanted = (*of_trace, *documents.of_case(case))
        identity = documents.identity(of_trace, chunk)
        try:
            with self._index.opened(identity, timeout=max(0.0, job.seconds_left())) as entry:
                self._fill(entry, identity, wanted, _Filling(chunk, job))
                indexed = {document.content for document in wanted} & entry.files.keys()
                return self._uploaded(entry.store_id, chunk, wanted, indexed)
        except AccountRejected:
            # What is asked next will say so.
            return None
        except ServiceError as error:
            self._say_why_not(error, job)
            return None

    def _uploaded(self, store_id: str, chunk: int, wanted: Iterable[Document], indexed: set[str]) -> UploadedTrace:
        present = [document for document in wanted if document.content in indexed]
        return UploadedTrace(
            store_id,
            chunk,
            groups=frozenset(document.group for document in present if document.role == "trace"),
            contents=tuple(document.content for document in present),
            max_num_results=self._max_num_results,
        )

    def _say_why_not(self, error: ServiceError, job: Job) -> None:
        if error.details.status in _NO_STORES:
            self._has_stores = False
            if not self._is_wanted:
                return
        job.note(f"There is no vector store ({error}): the groups were put into the prompts.")

    def _fill(self, entry: Entry, identity: str, wanted: Iterable[Document], filling: _Filling) -> None:
        if not self._is_usable(entry):
            entry.forget_store()
            entry.store_id = self._new_store(identity, filling)
        missing = [document for document in wanted if document.content not in entry.files]
        if missing:
            files = self._upload(missing, entry, filling)
            entry.files |= self._put_in(entry.store_id, files, filling)

    def _is_usable(self, entry: Entry) -> bool:
        found = self._service().store(entry.store_id) if entry.store_id else None
        if found is None or found.get("status") == "expired":
            return False
        # Files can expire before their store.
        return int((found.get("file_counts") or {}).get("completed") or 0) >= len(entry.files)

    def _new_store(self, identity: str, filling: _Filling) -> str:
        metadata = {"made_by": MADE_BY, "content": identity}
        return self._lasting(
            lambda lasts: self._service().create_store(
                f"{MADE_BY} {identity[:12]}", metadata, lasting_days=_STORE_DAYS if lasts else None
            ),
            filling,
        )

    def _upload(self, missing: Sequence[Document], entry: Entry, filling: _Filling) -> dict[str, Document]:
        """Upload documents, and return them by the ids of their files."""
        calls = [partial(self._upload_one, document, filling) for document in missing]
        found: dict[int, str] = {}
        for place, result in run_all(calls, workers=_UPLOADS_AT_ONCE, seconds_left=filling.job.seconds_left):
            if isinstance(result, AccountRejected):
                raise result
            if isinstance(result, Exception):
                filling.failed(missing[place], result)
            else:
                found[place] = result
                entry.uploaded.append(result)
        # In the order of the documents, not of the answers: the next request has to be the same every time.
        return {found[place]: missing[place] for place in sorted(found)}

    def _upload_one(self, document: Document, filling: _Filling) -> str:
        return self._lasting(
            lambda lasts: self._service().upload(
                document.name, document.text, lasting_seconds=_FILE_SECONDS if lasts else None
            ),
            filling,
        )

    def _lasting(self, make: Callable[[bool], T], filling: _Filling) -> T:
        """Make something that expires; without an expiry where the organisation's policy forbids one."""
        try:
            return self._patiently(lambda: make(self._may_expire))
        except UnsupportedParameter as error:
            if not self._may_expire or not error.details.param.startswith("expires_after"):
                raise
            self._may_expire = False
            filling.job.note(
                "The organisation lets nothing expire: remove what stays behind with `pytest-refinery cleanup`."
            )
            return self._patiently(lambda: make(self._may_expire))

    def _put_in(self, store_id: str, files: Mapping[str, Document], filling: _Filling) -> dict[str, str]:
        """Index files in a store; return the ids of those that can be searched, by content."""
        wanted = [filling.attachment(file_id, document) for file_id, document in files.items()]
        if not wanted:
            return {}
        batch = self._patiently(lambda: self._service().attach(store_id, wanted))
        batch = self._awaited(lambda: self._service().batch(store_id, str(batch["id"])), batch, filling)
        if not (batch.get("file_counts") or {}).get("total"):
            # Some servers call a batch with `files` completed without having looked at it.
            self._attach_each(store_id, wanted, filling)
        return self._indexed(store_id, files, filling)

    def _attach_each(self, store_id: str, wanted: Sequence[JsonObject], filling: _Filling) -> None:
        calls = [partial(self._attach_one, store_id, one) for one in wanted]
        for _, result in run_all(calls, workers=_UPLOADS_AT_ONCE, seconds_left=filling.job.seconds_left):
            if isinstance(result, Exception) and not isinstance(result, CutShort):
                raise result
        self._awaited(lambda: self._state_of(store_id), self._state_of(store_id), filling)

    def _attach_one(self, store_id: str, file: JsonObject) -> JsonObject:
        return self._patiently(lambda: self._service().attach_one(store_id, file))

    def _state_of(self, store_id: str) -> JsonObject:
        return self._service().store(store_id) or {}

    def _awaited(self, look: Callable[[], JsonObject], found: JsonObject, filling: _Filling) -> JsonObject:
        """Look until nothing is in progress any more, or the time for it is up."""
        pause = _FIRST_LOOK
        while found.get("status") == "in_progress" and filling.has_time(pause):
            self._sleep(pause)
            filling.waited += pause
            pause = min(2 * pause, _LATER_LOOKS)
            found = self._patiently(look)
        return found

    def _indexed(self, store_id: str, files: Mapping[str, Document], filling: _Filling) -> dict[str, str]:
        found: dict[str, str] = {}
        shown = {str(each["id"]): each for each in self._service().files_in_store(store_id)}
        for file_id, document in files.items():
            status = shown.get(file_id, {}).get("status")
            if status == "completed":
                found[document.content] = file_id
            else:
                filling.not_indexed(document, shown.get(file_id, {}))
        return found

    def _patiently(self, call: Callable[[], T]) -> T:
        """Call again where the trouble may pass."""
        for attempt in range(1, _ATTEMPTS):
            try:
                return call()
            except (TransientError, RateLimited):
                self._sleep(rate_limit_headers.back_off(attempt, first=0.5, longest=2.0))
        return call()


class _Filling:
    """One filling of a store: the size of chunks, the time spent waiting, what went wrong."""

    def __init__(self, chunk: int, job: Job) -> None:
        self.job = job
        self.waited = 0.0
        self._chunking = {
            "type": "static",
            "static": {"max_chunk_size_tokens": chunk, "chunk_overlap_tokens": 0},
        }

    def attachment(self, file_id: str, document: Document) -> JsonObject:
        """Return how a file is attached."""
        return {"file_id": file_id, "attributes": document.attributes, "chunking_strategy": self._chunking}

    def has_time(self, pause: float) -> bool:
        """Tell whether a pause still fits: indexing may take half of what is left, a minute at most."""
        most = min(_INDEXING_SECONDS, self.job.seconds_left() / 2 + self.waited)
        return self.waited + pause <= most and not self.job.cancelled.is_set()

    def failed(self, document: Document, error: Exception) -> None:
        """Say that a document could not be uploaded."""
        self.job.note(f"{document.name} could not be uploaded ({error}){_instead(document)}.")

    def not_indexed(self, document: Document, shown: Mapping[str, Any]) -> None:
        """Say that a document cannot be searched."""
        if shown.get("status") == "in_progress":
            why = f"was not indexed within {self.waited:.0f} s"
        else:
            why = f"could not be indexed ({(shown.get('last_error') or {}).get('message') or 'no reason was given'})"
        self.job.note(f"{document.name} {why}{_instead(document)}.")


def _instead(document: Document) -> str:
    return ": it was put into the prompt" if document.role == "trace" else ""
