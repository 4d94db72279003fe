"""A ceiling on the tokens of a whole session, over all of its workers."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from pytest_refinery import shared_file
from pytest_refinery.budget import file_lock
from pytest_refinery.errors import CeilingReachedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from threading import Event

    from pytest_refinery.analysis.ports import Lease, TokenBudget, Work


class SessionTokenCap:
    """The port ``TokenBudget`` over another one, which lets no more than ``most`` tokens through in all.

    Args:
        folder: A folder that the workers of the session share, ``None`` where there are none.
    """

    def __init__(self, budget: TokenBudget, most: int, *, folder: Path | None = None) -> None:
        self._budget = budget
        self._most = most
        self._used = _Used(folder)

    @property
    def largest_request(self) -> int:
        """The tokens that one request may cost at most."""
        return self._budget.largest_request

    def reserve(
        self,
        tokens: int,
        requests: int = 1,
        *,
        work: Work | None = None,
        timeout: float | None = None,
        cancelled: Event | None = None,
    ) -> Lease:
        """Wait as the other budget does.

        Raises:
            CeilingReachedError: The tokens would go above the ceiling.
            BudgetError: As the other budget raises it.
        """
        used = self._used.add_below(tokens, self._most)
        if used is not None:
            msg = (
                f"The session may use {self._most:,} tokens (--refinery-max-tokens): {used:,} are used, and the next "
                f"request takes about {tokens:,}."
            )
            raise CeilingReachedError(msg)
        try:
            lease = self._budget.reserve(tokens, requests, work=work, timeout=timeout, cancelled=cancelled)
        except BaseException:
            self._used.add(-tokens)
            raise
        return _CountedLease(lease, self._used, tokens)

    def finish(self, work_id: str) -> None:
        """Say that no request will follow for a work."""
        self._budget.finish(work_id)

    def foreseen_wait(self, tokens: int) -> float:
        """Return the seconds that the other budget foresees."""
        return self._budget.foreseen_wait(tokens)

    def refused(self, headers: Mapping[str, str], message: str, *, code: str = "", attempt: int = 0) -> float | None:
        """Take note of a 429."""
        return self._budget.refused(headers, message, code=code, attempt=attempt)

    def observe(self, headers: Mapping[str, str], *, age_seconds: float = 0.0) -> None:
        """Learn from the headers of an answer."""
        self._budget.observe(headers, age_seconds=age_seconds)


class _CountedLease:
    """A lease whose tokens are corrected in the session's count, too."""

    def __init__(self, lease: Lease, used: _Used, reserved: int) -> None:
        self._lease = lease
        self._used = used
        self._reserved = reserved

    @property
    def seconds_waited(self) -> float:
        return self._lease.seconds_waited

    @property
    def assumed_limit(self) -> int | None:
        """The tokens per minute that it waited for and that were only assumed."""
        return self._lease.assumed_limit

    def settle(self, tokens: int) -> None:
        self._used.add(tokens - self._reserved)
        self._lease.settle(tokens)


class _Used:
    """The tokens that a session has used or reserved: a number in memory, or in a file that workers share."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / "tokens" if folder else None
        self._last = 0
        self._lock = threading.Lock()

    def add(self, tokens: int) -> None:
        """Count ``tokens``; negative ones are given back."""
        with self._locked():
            self._write(self._read() + tokens)

    def add_below(self, tokens: int, most: int) -> int | None:
        """Count ``tokens`` if they stay below ``most``; return what is used already if they do not."""
        with self._locked():
            used = self._read()
            if used + tokens > most:
                return used
            self._write(used + tokens)
            return None

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
