"""What earlier runs left with the account: vector stores, and files that outlived them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pytest_refinery.analysts.model.vector_stores import MADE_BY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_refinery.analysts.model.store_index import StoreIndex

_STORE, _FILE = "vector store", "file"


@dataclass(frozen=True)
class StaleResource:
    """A vector store or a file of ours."""

    kind: str
    id: str
    about: str


class Removing(Protocol):
    """What is needed of a service; each method raises ``ServiceError``."""

    def stores(self) -> Iterator[dict[str, Any]]:
        """Yield all vector stores."""
        ...

    def files_in_store(self, store_id: str) -> Iterator[dict[str, Any]]:
        """Yield the files of a store."""
        ...

    def delete_store(self, store_id: str) -> bool:
        """Remove a store; tell whether it was there."""
        ...

    def delete_file(self, file_id: str) -> bool:
        """Remove a file; tell whether it was there."""
        ...


class StaleResources:
    """Finds what is ours by the stores' metadata and by what this machine remembers, and removes it."""

    def __init__(self, service: Callable[[], Removing], index: StoreIndex) -> None:
        self._service = service
        self._index = index

    def found(self) -> Iterator[StaleResource]:
        """Yield all that is left; a file that this machine remembers may have expired."""
        files: dict[str, str] = {}
        for store in self._service().stores():
            if (store.get("metadata") or {}).get("made_by") == MADE_BY:
                store_id = str(store["id"])
                yield StaleResource(_STORE, store_id, str(store.get("name") or ""))
                files |= {str(file["id"]): f"in {store_id}" for file in self._service().files_in_store(store_id)}
        for entry in self._index.entries().values():
            files |= {file_id: "uploaded from this machine" for file_id in entry.uploaded if file_id not in files}
        yield from (StaleResource(_FILE, file_id, about) for file_id, about in files.items())

    def remove(self, stale: Iterable[StaleResource]) -> int:
        """Remove them, forget all stores, and return how many were still there."""
        removed = 0
        for each in stale:
            delete = self._service().delete_store if each.kind == _STORE else self._service().delete_file
            removed += delete(each.id)
        for identity in self._index.entries():
            self._index.remove(identity)
        return removed
