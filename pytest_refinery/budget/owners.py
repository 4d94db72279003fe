"""Which process a ticket belongs to, whether it still lives, and the time that all processes of a machine share."""

from __future__ import annotations

import os
import sys
import time
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# CLOCK_BOOTTIME counts what a laptop sleeps; where there is none (macOS), CLOCK_MONOTONIC does.
_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def this_process() -> str:
    """Return the name of this process in a ledger: its id, when it was started, and where the id is valid."""
    # By id: a fork is somebody else.
    return _name(os.getpid())


@cache
def _name(process_id: int) -> str:
    return f"{process_id}.{_started(process_id) or 0}.{_namespace()}"


def process_id_of(owner: str) -> str:
    """Return what people call the owner."""
    head = owner.partition(".")[0]
    return f"process {head}" if head.isdigit() else owner


def is_alive(owner: str) -> bool | None:
    """Tell whether the process still runs; ``None`` for one that cannot be looked up from here."""
    process_id, _, rest = owner.partition(".")
    started, _, namespace = rest.partition(".")
    if not process_id.isdigit() or namespace != _namespace():
        return None
    if int(process_id) == os.getpid():
        return True
    return _started(int(process_id)) == int(started) if namespace else _is_running(int(process_id))


@cache
def _namespace() -> str:
    # Containers that share a cache directory do not share process ids.
    try:
        return str((_PROC / "self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _started(process_id: int) -> int | None:
    """Return when a process was started, in clock ticks; ``None`` if it is gone, a zombie, or not to be known."""
    try:
        stat = (_PROC / str(process_id) / "stat").read_bytes()
    except OSError:
        return None
    # The command, in parentheses, may hold anything; the state is the field after it.
    state, *fields = stat.rpartition(b")")[2].split()
    return None if state in {b"Z", b"X"} else int(fields[18])


def _is_running(process_id: int) -> bool:
    if sys.platform == "win32":
        # Asking with a signal would end the process there; patience finds out.
        return True
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def seconds_since_boot() -> float:
    """Return the seconds since the machine was started, including those it slept."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


@cache
def boot_id() -> str:
    """Return what tells this start of the machine from others, or an empty text where nothing does."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
