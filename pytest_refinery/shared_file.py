"""Small files that several processes of one user read and replace: locked, whole or absent, and no one else's."""

from __future__ import annotations

import json
import os
import secrets
import stat
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PRIVATE = 0o600
"""Permissions of what only the user may read."""
ORDINARY = 0o666
"""Permissions of any other file of the user, less what the umask takes away."""

# Not on every platform: a FIFO is opened without waiting for its writer, and a link is not followed.
_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT: int = getattr(os, "O_NONBLOCK", 0)
_IS_WINDOWS: bool = sys.platform == "win32"
_PLAIN: int = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
# Windows refuses to replace a file that another process has open, which takes milliseconds.
_REPLACE_PAUSES = (0.001, 0.004, 0.016, 0.064, 0.256, 0.5)
_POLL_SECONDS = 0.05


class UnsafeFolderError(PermissionError):
    """A folder that was to hold private files belongs to another user, or any user may write to it."""


def private_folder(path: Path) -> Path:
    """Make a folder for private files, and return it.

    Raises:
        UnsafeFolderError: Other users may put files there.
        OSError: It cannot be made.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if reason := _unsafe(path.stat()):
        msg = f"{path} {reason}, so nothing is kept there. Remove it, or take the permission away (chmod go-w)"
        raise UnsafeFolderError(msg)
    return path


def _unsafe(found: os.stat_result) -> str:
    if _IS_WINDOWS:
        return ""
    if found.st_uid not in {os.getuid(), 0}:
        return "belongs to another user"
    return "can be written by every user" if found.st_mode & stat.S_IWOTH else ""


@contextmanager
def locked(path: Path, *, timeout: float = -1) -> Iterator[None]:
    """Hold a lock between threads and processes; a holder that dies releases it.

    Args:
        path: The file of the lock, in a folder that exists.
        timeout: How many seconds to wait at most; a negative number waits as long as it takes.

    Raises:
        TimeoutError: Somebody else held it all the time.
        OSError: The file cannot be made.
    """
    # Loaded here: a run that shares nothing pays nothing.
    import filelock

    lock = filelock.FileLock(path, mode=PRIVATE, is_singleton=False, thread_local=False)
    lock.acquire(timeout=timeout, poll_interval=_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


def replace(path: Path, content: str | bytes, *, permissions: int = PRIVATE) -> None:
    """Replace a file whole; until then, and after an error, the old one stays as it was.

    Raises:
        OSError: It cannot be written.
    """
    with draft(path, content, permissions=permissions) as made:
        move(made, path)


@contextmanager
def draft(path: Path, content: str | bytes, *, permissions: int = PRIVATE, is_synced: bool = False) -> Iterator[Path]:
    """Yield a new file beside ``path``, for ``move``; where it was not moved, it is gone afterwards.

    Args:
        path: Where the content is to be.
        content: A text is written as UTF-8; what is no character of Unicode becomes a question mark.
        permissions: ``PRIVATE`` or ``ORDINARY``.
        is_synced: Whether the content must be on the disk before the file is moved.

    Raises:
        OSError: It cannot be written.
    """
    made = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(8)}.draft")
    # A new file or an error: whatever else stands there, or where it leads, is not written.
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _PLAIN, permissions)
    try:
        _fill(descriptor, content.encode(errors="replace") if isinstance(content, str) else content, is_synced)
        yield made
    finally:
        made.unlink(missing_ok=True)


def _fill(descriptor: int, content: bytes, is_synced: bool) -> None:  # noqa: FBT001  (private)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if is_synced:
            os.fsync(file.fileno())


def move(made: Path, path: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Put a draft in the place of ``path``.

    Raises:
        OSError: It cannot be replaced.
    """
    for pause in _REPLACE_PAUSES:
        try:
            made.replace(path)
        except PermissionError:
            if not _IS_WINDOWS:
                raise
            sleep(pause)
        else:
            return
    made.replace(path)


def read_text(path: Path) -> str | None:
    """Return the text of a regular file, ``None`` where there is none, or none in UTF-8."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | _NO_WAIT | _PLAIN)
        with os.fdopen(descriptor, "rb") as file:
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            return file.read().decode() if is_regular else None
    except (OSError, ValueError):
        return None


def read_json(path: Path) -> Any:  # noqa: ANN401  (whatever the file says)
    """Return the JSON value of a regular file, ``None`` where there is none or it is damaged."""
    text = read_text(path)
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
