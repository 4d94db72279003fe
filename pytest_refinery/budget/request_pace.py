"""Requests of all processes of this machine that use one key, spread so that a limit is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_refinery import shared_file
from pytest_refinery.budget import file_lock, owners

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Two requests can be this much closer to each other when they arrive than when they were sent.
_JITTER_SECONDS = 0.25


@dataclass
class Lane:
    """One limit: when requests were sent or will be, in order, and until when no one may send.

    Times are seconds since the machine was started.
    """

    sent: list[float] = field(default_factory=list)
    held_until: float = 0.0

    def book(self, now: float, *, requests: int, seconds: float) -> float:
        """Return when the next request may be sent, and count it: those who ask first are first."""
        window = seconds + _JITTER_SECONDS
        self.sent = [at for at in self.sent if at > now - window]
        at = max(now, self.held_until, *self.sent[-1:])
        if len(self.sent) >= requests:
            at = max(at, self.sent[-requests] + window)
        self.sent.append(at)
        return at


class RequestPace:
    """Counts requests in a small file, under a lock. Where there can be no file, each process counts for itself.

    Args:
        path: The file; its folder is made.
        clock: The same for all processes.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = owners.seconds_since_boot) -> None:
        self._path = path
        self._clock = clock
        self._own: dict[str, Lane] = {}

    def book(self, lane: str, *, requests: int, seconds: float) -> float:
        """Count a request and return how many seconds to wait before it may be sent."""

        def booked(kept: Lane, now: float) -> float:
            return kept.book(now, requests=requests, seconds=seconds) - now

        return self._changed(lane, booked)

    def hold(self, lane: str, seconds: float) -> None:
        """Let no one send on a lane for so many seconds."""

        def held(kept: Lane, now: float) -> float:
            kept.held_until = max(kept.held_until, now + seconds)
            return 0.0

        self._changed(lane, held)

    def _changed(self, name: str, change: Callable[[Lane, float], float]) -> float:
        try:
            shared_file.private_folder(self._path.parent)
            with file_lock.held(self._path.with_suffix(".lock")):
                lanes = self._read()
                result = change(lanes.setdefault(name, Lane()), self._clock())
                self._write(lanes)
                return result
        except OSError:
            return change(self._own.setdefault(name, Lane()), self._clock())

    def _read(self) -> dict[str, Lane]:
        """Return what was counted since the machine was started; a file of somebody else's counts for nothing."""
        try:
            written = shared_file.read_json(self._path)
            if written["boot"] != owners.boot_id() or written["saved_at"] > self._clock():
                return {}
            return {name: Lane([*map(float, sent)], float(held)) for name, (sent, held) in written["lanes"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _write(self, lanes: dict[str, Lane]) -> None:
        envelope = {"boot": owners.boot_id(), "saved_at": self._clock()}
        kept = {name: (lane.sent, lane.held_until) for name, lane in lanes.items()}
        shared_file.replace(self._path, json.dumps(envelope | {"lanes": kept}))
