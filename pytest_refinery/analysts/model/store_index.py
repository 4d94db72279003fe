"""Which vector stores this machine has filled with what, so that nothing is uploaded twice."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Protocol

from pytest_refinery import shared_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


@dataclass
class Entry:
    """What is known of the store of one trace.

    Attributes:
        files: The ids of the indexed files, by a hash of their content.
        uploaded: The ids of all files that were ever uploaded for it: a store does not take them along.
    """

    store_id: str = ""
    files: dict[str, str] = field(default_factory=dict)
    uploaded: list[str] = field(default_factory=list)

    def forget_store(self) -> None:
        """Forget the store; what was uploaded stays known."""
        self.store_id = ""
        self.files = {}


class Index(Protocol):
    """Keeps the entry of each trace."""

    def opened(self, identity: str, *, timeout: float) -> AbstractContextManager[Entry]:
        """Yield the entry of a trace; it is waited for ``timeout`` seconds at most."""
        ...


class NoIndex:
    """Knows nothing and keeps nothing: every trace is seen for the first time."""

    @contextmanager
    def opened(self, identity: str, *, timeout: float) -> Iterator[Entry]:  # noqa: ARG002  (the port's)
        """Yield an empty entry."""
        yield Entry()


class StoreIndex:
    """A folder with a file for each trace, shared by all processes of this machine that use the same account.

    Args:
        starts_empty: Whether every store is to be filled as for the first time.
    """

    def __init__(self, folder: Path, *, starts_empty: bool = False) -> None:
        self._folder = folder
        self._starts_empty = starts_empty

    @contextmanager
    def opened(self, identity: str, *, timeout: float) -> Iterator[Entry]:
        """Yield the entry of a trace, which no one else has meanwhile; it is kept also after an error.

        Where the folder cannot be used, or somebody holds the entry for longer than ``timeout`` seconds, the entry
        is a new one that is forgotten.
        """
        with ExitStack() as stack:
            try:
                folder = shared_file.private_folder(self._folder)
                stack.enter_context(shared_file.locked(folder / f"{identity}.lock", timeout=timeout))
            except OSError:
                yield Entry()
                return
            path = folder / f"{identity}.json"
            entry = self._read(path)
            if self._starts_empty:
                entry.forget_store()
            try:
                yield entry
            finally:
                with suppress(OSError):
                    shared_file.replace(path, json.dumps(asdict(entry)))

    def entries(self) -> dict[str, Entry]:
        """Return all entries, by the identity of their trace."""
        return {path.stem: self._read(path) for path in sorted(self._folder.glob("*.json"))}

    def remove(self, identity: str) -> None:
        """Forget a trace."""
        for suffix in ("json", "lock"):
            (self._folder / f"{identity}.{suffix}").unlink(missing_ok=True)

    @staticmethod
    def _read(path: Path) -> Entry:
        try:
            return Entry(**shared_file.read_json(path))
        except TypeError:
            return Entry()
