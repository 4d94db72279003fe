"""Vector stores, the files in them, and batches of files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from tests.openai_server import gate, limits, listing, retrieval
from tests.openai_server.messages import JsonObject, Request, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.openai_server.files import Files, StoredFile
    from tests.openai_server.limits import Meter
    from tests.openai_server.retrieval import Chunk, Hit
    from tests.openai_server.terms import Terms

_EXTENSIONS = frozenset(
    ".c .cpp .cs .css .doc .docx .go .html .java .js .json .md .pdf .php .pptx .py .rb .sh .tex .ts .txt".split()
)
_USUAL_CHUNKS = {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}
_DAY = 86_400


@dataclass(frozen=True)
class _Attached:
    """A file in a store."""

    file: StoredFile
    store_id: str
    created_at: float
    chunking: Mapping[str, int]
    attributes: Mapping[str, str | float | bool]
    chunks: Sequence[Chunk]
    is_cancelled: bool = False

    def json(self, status: str) -> JsonObject:
        """How the service shows it."""
        error = {"code": "server_error", "message": "An internal error occurred."}
        return {
            "id": self.file.id,
            "object": "vector_store.file",
            "usage_bytes": len(self.file.content) if status == "completed" else 0,
            "created_at": int(self.created_at),
            "vector_store_id": self.store_id,
            "status": status,
            "last_error": error if status == "failed" else None,
            "chunking_strategy": {"type": "static", "static": dict(self.chunking)},
            "attributes": dict(self.attributes),
        }


@dataclass
class _Batch:
    """Files that were attached together."""

    id: str
    created_at: int
    file_ids: list[str]
    is_cancelled: bool = False


@dataclass
class _Store:
    """A store; ``expires_after`` as it was given."""

    id: str
    created_at: int
    last_active_at: int
    name: str
    metadata: JsonObject
    attaches: Meter
    expires_after: JsonObject | None = None
    files: dict[str, _Attached] = field(default_factory=dict)
    batches: dict[str, _Batch] = field(default_factory=dict)

    @property
    def expires_at(self) -> int | None:
        """When it expires if nobody uses it."""
        return None if self.expires_after is None else self.last_active_at + self.expires_after["days"] * _DAY


class VectorStores:
    """All vector stores of the account."""

    def __init__(self, terms: Terms, files: Files) -> None:
        self._terms = terms
        self._files = files
        self._stores: dict[str, _Store] = {}

    def create(self, request: Request) -> JsonObject:
        """Make a store, with ``file_ids`` in it."""
        body, now = request.body, int(self._terms.clock())
        store = _Store(
            id=listing.new_id("vs_"),
            created_at=now,
            last_active_at=now,
            name=body.get("name", ""),
            metadata=body.get("metadata") or {},
            attaches=limits.SlidingMinute(self._terms.attaches_per_minute, self._terms.minute_seconds),
            expires_after=body.get("expires_after"),
        )
        wanted = [{"file_id": file_id} for file_id in body.get("file_ids", ())]
        self._attach(store, wanted, usual=body)
        self._stores[store.id] = store
        return self._json(store)

    def retrieve(self, _request: Request, store_id: str) -> JsonObject:
        """Show a store."""
        return self._json(self._store(store_id))

    def update(self, request: Request, store_id: str) -> JsonObject:
        """Change name, metadata or expiry of a store."""
        store = self._store(store_id)
        store.name = request.body.get("name") or store.name
        store.metadata = request.body.get("metadata") or store.metadata
        store.expires_after = request.body.get("expires_after", store.expires_after)
        return self._json(store)

    def listed(self, request: Request) -> JsonObject:
        """Show a page of stores."""
        return listing.page([self._json(store) for store in self._stores.values()], request.query)

    def delete(self, _request: Request, store_id: str) -> JsonObject:
        """Remove a store; its files stay with the account."""
        self._store(store_id)
        del self._stores[store_id]
        return {"id": store_id, "object": "vector_store.deleted", "deleted": True}

    def attach(self, request: Request, store_id: str) -> JsonObject:
        """Put one file into a store."""
        store = self._store(store_id)
        self._attach(store, [request.body], usual={})
        return store.files[request.body["file_id"]].json("in_progress")

    def list_files(self, request: Request, store_id: str) -> JsonObject:
        """Show a page of the files in a store."""
        store = self._store(store_id)
        return self._page_of(store, store.files, request.query)

    def retrieve_file(self, _request: Request, store_id: str, file_id: str) -> JsonObject:
        """Show a file in a store."""
        attached = self._attached(store_id, file_id)
        return attached.json(self._status(attached))

    def update_file(self, request: Request, store_id: str, file_id: str) -> JsonObject:
        """Give a file in a store other attributes."""
        old, attributes = self._attached(store_id, file_id), request.body.get("attributes") or {}
        chunks = [replace(chunk, attributes=attributes) for chunk in old.chunks]
        attached = replace(old, attributes=attributes, chunks=chunks)
        self._store(store_id).files[file_id] = attached
        return attached.json(self._status(attached))

    def detach(self, _request: Request, store_id: str, file_id: str) -> JsonObject:
        """Take a file out of a store; the file itself stays."""
        self._attached(store_id, file_id)
        del self._store(store_id).files[file_id]
        return {"id": file_id, "object": "vector_store.file.deleted", "deleted": True}

    def create_batch(self, request: Request, store_id: str) -> JsonObject:
        """Put many files into a store; with ``files`` what is said for the whole batch is ignored."""
        store, body = self._store(store_id), request.body
        wanted = body.get("files") or [{"file_id": file_id} for file_id in body.get("file_ids", ())]
        self._attach(store, wanted, usual={} if body.get("files") else body)
        batch = _Batch(
            id=listing.new_id("vsfb_"),
            created_at=int(self._terms.clock()),
            file_ids=[one["file_id"] for one in wanted],
        )
        store.batches[batch.id] = batch
        return _batch_json(batch, store.id, ["in_progress" for _ in wanted])

    def retrieve_batch(self, _request: Request, store_id: str, batch_id: str) -> JsonObject:
        """Show how far a batch is."""
        store, batch = self._batch(store_id, batch_id)
        return _batch_json(batch, store_id, [self._status(attached) for attached in _present(store, batch)])

    def cancel_batch(self, request: Request, store_id: str, batch_id: str) -> JsonObject:
        """Give up what of a batch is not indexed yet."""
        store, batch = self._batch(store_id, batch_id)
        batch.is_cancelled = True
        for attached in _present(store, batch):
            is_late = self._status(attached) == "in_progress"
            store.files[attached.file.id] = replace(attached, is_cancelled=is_late)
        return self.retrieve_batch(request, store_id, batch_id)

    def list_batch_files(self, request: Request, store_id: str, batch_id: str) -> JsonObject:
        """Show a page of the files of a batch."""
        store, batch = self._batch(store_id, batch_id)
        return self._page_of(store, batch.file_ids, request.query)

    def search(self, request: Request, store_id: str) -> JsonObject:
        """Show what a search in one store finds."""
        body = request.body
        queries = [body["query"]] if isinstance(body["query"], str) else list(body["query"])
        hits = self.find(" ".join(queries), [store_id], {"max_num_results": 10, **body})
        return {
            "object": "vector_store.search_results.page",
            "search_query": queries,
            "data": [_hit_json(hit) for hit in hits],
            "has_more": False,
            "next_page": None,
        }

    def find(self, query: str, store_ids: Iterable[str], options: Mapping[str, Any]) -> list[Hit]:
        """Return the chunks that ``query`` finds.

        Args:
            query: What is looked for.
            store_ids: Where.
            options: ``filters``, ``max_num_results`` and ``ranking_options`` as requests have them.
        """
        chunks = [
            chunk
            for store_id in store_ids
            for attached in self._searchable(store_id)
            for chunk in attached.chunks
            if retrieval.matches(options.get("filters"), attached.attributes)
        ]
        threshold = (options.get("ranking_options") or {}).get("score_threshold", 0.0)
        return retrieval.search(query, chunks, most=options.get("max_num_results") or 20, threshold=threshold)

    def _searchable(self, store_id: str) -> list[_Attached]:
        store = self._store(store_id)
        if self._is_expired(store):
            message = f"Vector store {store_id} is expired."
            raise ServiceError(message, param="vector_store_ids", code="vector_store_expired")
        store.last_active_at = int(self._terms.clock())
        return [attached for attached in self._files_of(store) if self._status(attached) == "completed"]

    def _attach(self, store: _Store, wanted: Sequence[Mapping[str, Any]], usual: Mapping[str, Any]) -> None:
        found = [self._files.get(one["file_id"]) for one in wanted]
        _refuse_unsupported(stored.filename for stored in found)
        self._count_attaches(store, len(found))
        for one, stored in zip(wanted, found, strict=True):
            attached = self._attachment(store.id, stored, {**usual, **one})
            store.files[stored.id] = attached

    def _attachment(self, store_id: str, stored: StoredFile, options: Mapping[str, Any]) -> _Attached:
        chunking = (options.get("chunking_strategy") or {}).get("static") or _USUAL_CHUNKS
        attributes = options.get("attributes") or {}
        return _Attached(
            file=stored,
            store_id=store_id,
            created_at=self._terms.clock(),
            chunking=chunking,
            attributes=attributes,
            chunks=list(_chunks(stored, chunking, attributes, self._terms.count_tokens)),
        )

    def _count_attaches(self, store: _Store, number: int) -> None:
        now = self._terms.clock()
        wait = store.attaches.seconds_until_free(1, now)
        if wait > 0:
            limit = store.attaches.limit
            raise gate.refusal("requests", store.id, 1, limit=limit, used=limit, wait=wait, headers=None)
        store.attaches.charge(min(1, number), now)

    def _store(self, store_id: str) -> _Store:
        if store_id not in self._stores:
            raise ServiceError(f"Vector store with id '{store_id}' not found.", status=404)
        return self._stores[store_id]

    def _attached(self, store_id: str, file_id: str) -> _Attached:
        store = self._store(store_id)
        if file_id not in store.files or not self._files.has(file_id):
            message = f"No file found with id '{file_id}' in vector store '{store_id}'."
            raise ServiceError(message, param="file_id", status=404)
        return store.files[file_id]

    def _batch(self, store_id: str, batch_id: str) -> tuple[_Store, _Batch]:
        store = self._store(store_id)
        if batch_id not in store.batches:
            raise ServiceError(f"No file batch found with id '{batch_id}'.", param="batch_id", status=404)
        return store, store.batches[batch_id]

    def _files_of(self, store: _Store) -> list[_Attached]:
        return [attached for file_id, attached in store.files.items() if self._files.has(file_id)]

    def _status(self, attached: _Attached) -> str:
        if attached.is_cancelled:
            return "cancelled"
        is_done = self._terms.clock() >= attached.created_at + self._terms.indexing_seconds
        if not is_done or _is_named(attached.file.filename, self._terms.never_indexed):
            return "in_progress"
        return "failed" if _is_named(attached.file.filename, self._terms.unindexable) else "completed"

    def _is_expired(self, store: _Store) -> bool:
        return store.expires_at is not None and self._terms.clock() >= store.expires_at

    def _page_of(self, store: _Store, file_ids: Iterable[str], query: Mapping[str, str]) -> JsonObject:
        wanted = set(file_ids)
        present = [attached for attached in self._files_of(store) if attached.file.id in wanted]
        rows = [attached.json(self._status(attached)) for attached in present]
        return listing.page([row for row in rows if query.get("filter") in {None, row["status"]}], query)

    def _json(self, store: _Store) -> JsonObject:
        files = self._files_of(store)
        counts = _counts(self._status(attached) for attached in files)
        is_busy = counts["in_progress"] > 0
        return {
            "id": store.id,
            "object": "vector_store",
            "created_at": store.created_at,
            "name": store.name,
            "description": None,
            "usage_bytes": sum(len(attached.file.content) for attached in files),
            "file_counts": counts,
            "status": "expired" if self._is_expired(store) else "in_progress" if is_busy else "completed",
            "expires_after": store.expires_after,
            "expires_at": store.expires_at,
            "last_active_at": store.last_active_at,
            "metadata": store.metadata,
        }


def _present(store: _Store, batch: _Batch) -> list[_Attached]:
    return [store.files[file_id] for file_id in batch.file_ids if file_id in store.files]


def _chunks(
    stored: StoredFile,
    chunking: Mapping[str, int],
    attributes: Mapping[str, str | float | bool],
    count: Callable[[str], int],
) -> Iterable[Chunk]:
    size, overlap = chunking["max_chunk_size_tokens"], chunking["chunk_overlap_tokens"]
    for text in retrieval.chunked(stored.text, size=size, overlap=overlap, count=count):
        yield retrieval.Chunk(stored.id, stored.filename, text, attributes)


def _refuse_unsupported(filenames: Iterable[str]) -> None:
    refused = {PurePath(name).suffix for name in filenames} - _EXTENSIONS
    if refused:
        see = "See https://platform.openai.com/docs/assistants/tools/file-search/supported-files"
        message = f"Files with extensions [{', '.join(sorted(refused))}] are not supported for retrieval. {see}"
        raise ServiceError(message, param="file_ids", code="unsupported_file")


def _is_named(filename: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(filename, pattern) for pattern in patterns)


def _counts(statuses: Iterable[str]) -> dict[str, int]:
    found = Counter(statuses)
    named = {status: found[status] for status in ("in_progress", "completed", "failed", "cancelled")}
    return named | {"total": found.total()}


def _batch_json(batch: _Batch, store_id: str, statuses: Sequence[str]) -> JsonObject:
    status = "in_progress" if "in_progress" in statuses else "completed"
    return {
        "id": batch.id,
        "object": "vector_store.files_batch",
        "created_at": batch.created_at,
        "vector_store_id": store_id,
        "status": "cancelled" if batch.is_cancelled else status,
        "file_counts": _counts(statuses),
    }


def _hit_json(hit: Hit) -> JsonObject:
    return {
        "file_id": hit.chunk.file_id,
        "filename": hit.chunk.filename,
        "score": hit.score,
        "attributes": dict(hit.chunk.attributes),
        "content": [{"type": "text", "text": hit.chunk.text}],
    }
