"""Which vector stores this machine has filled with what, so that nothing is uploaded twice."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import filelock

if TYPE_CHECKING:
    from collections.abc import Iterator
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
        """Begin anew; what was uploaded stays known."""
        self.store_id = ""
        self.files = {}


class StoreIndex:
    """A folder with a file for each trace, shared by all processes of this machine that use the same account."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def opened(self, identity: str, *, timeout: float) -> Iterator[Entry]:
        """Yield the entry of a trace, which nobody else has meanwhile; it is kept also after an error.

        Where the folder cannot be used, or somebody holds the entry for longer than ``timeout`` seconds, the entry
        is a new one that is forgotten.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = filelock.FileLock(self._folder / f"{identity}.lock", is_singleton=False, thread_local=False)
            lock.acquire(timeout=timeout, poll_interval=0.05)
        except (OSError, filelock.Timeout):
            yield Entry()
            return
        entry = self._read(self._folder / f"{identity}.json")
        try:
            yield entry
        finally:
            with suppress(OSError):
                self._write(self._folder / f"{identity}.json", entry)
            lock.release()

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
            return Entry(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Entry()

    @staticmethod
    def _write(path: Path, entry: Entry) -> None:
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(entry)), encoding="utf-8")
        draft.replace(path)
