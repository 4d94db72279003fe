"""A lock between processes that waits without polling where the platform can."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

if sys.platform == "win32":
    import filelock

    class FileLock:
        """Holds a file locked; threads and processes exclude one another alike."""

        def __init__(self, path: Path) -> None:
            self._path = path

        @contextmanager
        def held(self) -> Iterator[None]:
            """Wait for the lock and hold it; a holder that dies releases it."""
            with filelock.FileLock(self._path, is_singleton=False, thread_local=False).acquire(poll_interval=0.001):
                yield

else:
    import fcntl

    # filelock asks again every so often; with 16 processes its worst wait is 0.3 s, that of flock 6 ms.
    class FileLock:
        """Holds a file locked; threads and processes exclude one another alike."""

        def __init__(self, path: Path) -> None:
            self._path = path

        @contextmanager
        def held(self) -> Iterator[None]:
            """Wait for the lock and hold it; a holder that dies releases it."""
            descriptor = self._acquired()
            try:
                yield
            finally:
                _open.discard(descriptor)
                os.close(descriptor)
                # Else one busy process takes it over and over while those it woke get no processor: with 16
                # on two cores, one wait in a hundred took 150 ms instead of 20.
                _yield_processor()

        def _acquired(self) -> int:
            """Return the open file of the lock; one that was deleted meanwhile locks out nobody."""
            while True:
                # Opened again each time: a lock belongs to an open file, which threads and forks would share.
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
                _open.add(descriptor)
                is_ours = False
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    is_ours = _is_same(descriptor, self._path)
                finally:
                    if not is_ours:
                        _open.discard(descriptor)
                        os.close(descriptor)
                if is_ours:
                    return descriptor

    def _is_same(descriptor: int, path: Path) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), path.lstat())
        except OSError:
            return False

    def _yield_processor() -> None:
        if hasattr(os, "sched_yield"):
            os.sched_yield()

    _open: set[int] = set()

    def _forget_locks_of_parent() -> None:
        # The copy of a descriptor would keep the lock when the parent dies.
        while _open:
            os.close(_open.pop())

    os.register_at_fork(after_in_child=_forget_locks_of_parent)
