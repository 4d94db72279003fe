"""A ceiling on the tokens of a whole session, over all of its workers."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from pytest_refinery import shared_file
from pytest_refinery.budget import file_lock
from pytest_refinery.errors import CeilingReachedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


class SessionTokenCap:
    """Counts the tokens that a session has used or reserved: in memory, or in a file that its workers share.

    Args:
        most: The tokens that the session may use.
        folder: A folder that the workers of the session share, ``None`` where there are none.
    """

    def __init__(self, most: int, *, folder: Path | None = None) -> None:
        self._most = most
        self._path = folder / "tokens" if folder else None
        self._last = 0
        self._lock = threading.Lock()

    def take(self, tokens: int) -> None:
        """Count the tokens of a request.

        Raises:
            CeilingReachedError: They would go above the ceiling; they are not counted then.
        """
        with self._locked():
            used = self._read()
            if used + tokens <= self._most:
                self._write(used + tokens)
                return
        msg = (
            f"The session may use {self._most:,} tokens (--refinery-max-tokens): {used:,} are used, and the next "
            f"request takes about {tokens:,}."
        )
        raise CeilingReachedError(msg)

    def give_back(self, tokens: int) -> None:
        """Take tokens out of the count; negative ones were used beyond what was taken."""
        with self._locked():
            self._write(self._read() - tokens)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock, self._between_processes():
            yield

    def _between_processes(self) -> AbstractContextManager[None]:
        if self._path is None:
            return nullcontext()
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        return file_lock.held(self._path.with_suffix(".lock"))

    def _read(self) -> int:
        text = shared_file.read_text(self._path) if self._path else None
        if text and text.isascii() and text.isdigit():
            self._last = int(text)
        # Also where the file was damaged or deleted: what this process knows has been used.
        return self._last

    def _write(self, tokens: int) -> None:
        self._last = max(0, tokens)
        if self._path is not None:
            shared_file.replace(self._path, str(self._last))
