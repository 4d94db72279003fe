"""Opens the files of traces: regular ones only, gzipped or not, and no further than a limit."""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
from typing import IO, TYPE_CHECKING, cast

from pytest_refinery.errors import TraceError

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_MB = 256
_GZIP_MAGIC = b"\x1f\x8b"
_NO_WAIT: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def open_text(path: Path, *, most_mb: int = DEFAULT_MB) -> IO[str]:
    """Open a file for reading as text in UTF-8.

    Raises:
        TraceError: It is no regular file; when it is read, that it holds more than ``most_mb`` megabytes.
        OSError: It cannot be opened.
    """
    raw = open(path, "rb", opener=_opener)  # noqa: SIM115  (returned; Path.open takes no opener)
    try:
        _refuse_others(path, raw.fileno())
        is_gzip = raw.peek(2)[:2] == _GZIP_MAGIC
        plain = cast("io.RawIOBase", gzip.GzipFile(fileobj=raw) if is_gzip else raw)
        return io.TextIOWrapper(io.BufferedReader(_Bounded(path, plain, raw, most_mb)), encoding="utf-8")
    except BaseException:
        raw.close()
        raise


def _opener(path: str, flags: int) -> int:
    # A pipe that no one writes to would never be open.
    return os.open(path, flags | _NO_WAIT)


def _refuse_others(path: Path, descriptor: int) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        msg = f"{path}: is no regular file but a device or a pipe; save the trace to a file."
        raise TraceError(msg)


class _Bounded(io.RawIOBase):
    """Reads from a stream as far as a limit."""

    def __init__(self, path: Path, stream: io.RawIOBase, raw: IO[bytes], most_mb: int) -> None:
        self._path = path
        self._stream = stream
        self._raw = raw
        self._most_mb = most_mb
        self._left = most_mb * 1_000_000

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        count = self._stream.readinto(buffer) or 0  # type: ignore[arg-type]  # whatever BufferedReader hands over
        self._left -= count
        if self._left < 0:
            msg = (
                f"{self._path}: holds more than {self._most_mb:,} MB, unpacked. If it is a trace, allow more: "
                f"--refinery-max-trace-mb {2 * self._most_mb}."
            )
            raise TraceError(msg)
        return count

    def close(self) -> None:
        self._stream.close()
        self._raw.close()
        super().close()
