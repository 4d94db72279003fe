"""The arithmetic of what may be used in a minute. No clock, no lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Meter(Protocol):
    """Measures one limit; times are seconds on any clock."""

    @property
    def limit(self) -> int:
        """The most that a minute allows."""
        ...

    def used(self, now: float) -> float:
        """Return how much of the limit is taken."""
        ...

    def seconds_until_free(self, amount: int, now: float) -> float:
        """Return how long until ``amount`` fits, 0 where it does; meant for amounts within the limit."""
        ...

    def charge(self, amount: int, at: float) -> None:
        """Take ``amount``, whether or not it fits; a negative amount gives back what was taken at ``at``."""
        ...


class SlidingMinute:
    """At most ``limit`` in any ``minute`` seconds."""

    def __init__(self, limit: int, minute: float) -> None:
        self.limit = limit
        self._minute = minute
        self._charges: list[tuple[float, int]] = []

    def used(self, now: float) -> float:
        """Return what was charged within the last minute."""
        return sum(amount for _, amount in self._live(now))

    def seconds_until_free(self, amount: int, now: float) -> float:
        """Return how long until enough of the last minute's charges are a minute old."""
        excess = amount + self.used(now) - self.limit
        wait = 0.0
        for at, charged in self._live(now):
            if excess <= 0:
                break
            excess -= charged
            wait = at + self._minute - now
        return wait

    def charge(self, amount: int, at: float) -> None:
        """Charge ``amount``."""
        self._charges.append((at, amount))

    def _live(self, now: float) -> list[tuple[float, int]]:
        self._charges = sorted(charge for charge in self._charges if charge[0] > now - self._minute)
        return self._charges


class Bucket:
    """Holds ``limit`` and is refilled by as much in each ``minute`` seconds, continuously."""

    def __init__(self, limit: int, minute: float) -> None:
        self.limit = limit
        self._per_second = limit / minute
        self._taken = 0.0
        self._at = 0.0

    def used(self, now: float) -> float:
        """Return what has not been refilled yet."""
        self._taken = max(0.0, self._taken - max(0.0, now - self._at) * self._per_second)
        self._at = max(self._at, now)
        return self._taken

    def seconds_until_free(self, amount: int, now: float) -> float:
        """Return how long until enough has been refilled."""
        return max(0.0, self.used(now) + amount - self.limit) / self._per_second

    def charge(self, amount: int, at: float) -> None:
        """Charge ``amount``."""
        self._taken = max(0.0, self.used(at) + amount)


_METERS: dict[str, Callable[[int, float], Meter]] = {"bucket": Bucket, "sliding": SlidingMinute}


def meter(model: Literal["bucket", "sliding"], limit: int, minute: float) -> Meter:
    """Return a new meter of the given kind."""
    return _METERS[model](limit, minute)


def most_in_any_minute(charges: Iterable[tuple[float, int]], minute: float) -> int:
    """Return the largest sum of ``(time, amount)`` charges that lie less than ``minute`` seconds apart."""
    ordered = sorted(charges)
    most = held = first = 0
    for at, amount in ordered:
        held += amount
        while ordered[first][0] <= at - minute:
            held -= ordered[first][1]
            first += 1
        most = max(most, held)
    return most


def duration(seconds: float) -> str:
    """Return ``seconds`` as the service writes them: ``374ms``, ``1.326s``, ``6m0s``."""
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    short = f"{rest / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{minutes}m{short}s" if minutes else f"{short}s"
