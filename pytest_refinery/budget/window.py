"""What is allowed in a minute, and the arithmetic of both kinds of limit. No clock, no file, no lock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

ASSUMED_TOKENS = 30_000
# What float arithmetic may get wrong when stamps and minutes are added.
_EPSILON = 1e-6


class WindowAlgorithm(StrEnum):
    """How a service counts.

    ``TRUSTED_BUCKET`` is a bucket until the service refuses what a bucket would have let through; then,
    for a while, a sliding minute.
    """

    SLIDING = "sliding"
    BUCKET = "bucket"
    TRUSTED_BUCKET = "trusted bucket"


@dataclass(frozen=True)
class Limits:
    """The limits of one process.

    Attributes:
        tokens: Tokens per minute; ``None`` for what the service says, and 30,000 until it has.
        requests: Requests per minute; ``None`` for what the service says, and no limit until it has.
        minute: Seconds in a minute: benchmarks and tests shorten it.
        guard: Seconds that a request may take from its start here to its arrival at the service.
    """

    tokens: int | None = None
    requests: int | None = None
    algorithm: WindowAlgorithm = WindowAlgorithm.SLIDING
    minute: float = 60.0
    guard: float = 1.0


class Meter(Protocol):
    """What is used of one limit. Times are seconds, asked for in rising order."""

    def used(self, at: float) -> float:
        """Return the amount that counts against the limit at a time."""
        ...

    def used_then(self, at: float) -> float:
        """Return the same for a time later than those that will be asked for."""
        ...

    def earliest(self, amount: float, *, not_before: float) -> float:
        """Return the first time at which ``amount`` more fits under the limit.

        What is above the whole limit fits once nothing else is used.
        """
        ...

    def charge(self, amount: float, at: float) -> None:
        """Use ``amount`` at a time."""
        ...


class SlidingMinute:
    """At most ``limit`` in any minute: no service allows less, whatever its model.

    ``charges`` are times and amounts, oldest first.
    """

    def __init__(self, limit: float, minute: float, charges: Iterable[tuple[float, float]] = ()) -> None:
        self._limit = limit
        self._minute = minute
        self._charges = deque(charges)
        self._used = sum(amount for _, amount in self._charges)

    def used(self, at: float) -> float:
        """Return the sum of the last minute."""
        while self._charges and self._charges[0][0] + self._minute <= at:
            self._used -= self._charges.popleft()[1]
        return self._used

    def used_then(self, at: float) -> float:
        """Return the sum of the minute before a later time."""
        return sum(amount for charged, amount in self._charges if charged + self._minute > at)

    def earliest(self, amount: float, *, not_before: float) -> float:
        """Return when enough of the oldest charges have left the minute."""
        at, used = not_before, self.used_then(not_before)
        for charged, was in self._charges:
            if used + amount <= self._limit:
                break
            if charged + self._minute > not_before:
                at, used = charged + self._minute, used - was
        return at

    def charge(self, amount: float, at: float) -> None:
        """Add a charge; one older than the latest counts as long as that."""
        latest = self._charges[-1][0] if self._charges else at
        self._charges.append((max(at, latest), amount))
        self._used += amount


class Bucket:
    """A capacity of ``limit`` that fills up again continuously, all of it in a minute.

    Kept as the debt to a full bucket, which outlives a change of the limit.
    """

    def __init__(self, limit: float, minute: float, *, debt: float = 0.0, at: float = 0.0) -> None:
        self._limit = limit
        self._rate = limit / minute
        self.debt = debt
        self.at = at

    def used(self, at: float) -> float:
        """Return what is missing from a full bucket; for a time before the last charge, at most that."""
        return max(0.0, self.debt - (at - self.at) * self._rate)

    used_then = used

    def earliest(self, amount: float, *, not_before: float) -> float:
        """Return when the bucket holds ``amount`` again."""
        missing = self.debt + min(amount, self._limit) - self._limit
        return max(not_before, self.at + missing / self._rate + _EPSILON)

    def charge(self, amount: float, at: float) -> None:
        """Take ``amount`` out."""
        at = max(at, self.at)
        self.debt = self.used(at) + amount
        self.at = at
