"""What earlier runs left with the account: vector stores, and files that outlived them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pytest_refinery.analysts.model.vector_stores import MADE_BY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_refinery.analysts.model.store_index import StoreIndex

_STORE, _FILE = "vector store", "file"
# A store that was used within so many seconds may be that of a run that goes on, on another machine.
_IN_USE_SECONDS = 3600.0


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

    def found(self, *, everything: bool = False, now: float | None = None) -> Iterator[StaleResource]:
        """Yield what is left; a file that this machine remembers may have expired.

        Args:
            everything: Also what was used within the last hour, maybe by a run that goes on.
            now: Seconds since the epoch.
        """
        used_since = (time.time() if now is None else now) - _IN_USE_SECONDS
        files: dict[str, str] = {}
        kept: set[str] = set()
        for store in self._service().stores():
            if (store.get("metadata") or {}).get("made_by") != MADE_BY:
                continue
            store_id = str(store["id"])
            if not everything and _last_used(store) > used_since:
                kept.add(store_id)
                continue
            yield StaleResource(_STORE, store_id, str(store.get("name") or ""))
            files |= {str(file["id"]): f"in {store_id}" for file in self._service().files_in_store(store_id)}
        for entry in self._index.entries().values():
            # Without a store, the files of an entry may just be on their way to one.
            if everything or (entry.store_id and entry.store_id not in kept):
                files |= {file_id: "uploaded from this machine" for file_id in entry.uploaded if file_id not in files}
        yield from (StaleResource(_FILE, file_id, about) for file_id, about in files.items())

    def remove(self, stale: Iterable[StaleResource]) -> int:
        """Remove them, forget those stores, and return how many were still there."""
        removed, gone = 0, set()
        for each in stale:
            delete = self._service().delete_store if each.kind == _STORE else self._service().delete_file
            removed += delete(each.id)
            gone.add(each.id)
        for identity, entry in self._index.entries().items():
            if gone.issuperset({entry.store_id, *entry.uploaded} - {""}):
                self._index.remove(identity)
        return removed


def _last_used(store: dict[str, Any]) -> float:
    return max(float(store.get("last_active_at") or 0.0), float(store.get("created_at") or 0.0))
