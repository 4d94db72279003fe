"""The plan of a queue: who starts when, and who may go ahead of others. No clock, no file, no lock.

Requests are planned in their order, each at the first time at which it fits and none before it. Like the jobs of a
batch scheduler they hold what they take for a known time, so what becomes free is known, too, and a later request may
start now if every request that was planned before it starts no later for that. This is conservative backfilling
(Mu'alem and Feitelson, "Utilization, Predictability, Workloads, and User Runtime Estimates in Scheduling the IBM SP2
with Backfilling", IEEE TPDS 12(6), 2001). As there, what a request will cost is an estimate: where an answer turns out
cheaper than it was booked, an earlier request could have started earlier still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pytest_refinery.budget.window import Meter


class Demand(NamedTuple):
    """What counts against limits: a request that was granted, or one that waits.

    Attributes:
        token_limit: The tokens per minute that its process keeps to; 0 for what counts under every limit.
        request_limit: The same for requests; infinite where none is known.
    """

    tokens: int
    requests: int
    token_limit: float
    request_limit: float


class Room:
    """What is left of one limit: now, and beside those that are planned for later."""

    def __init__(self, limit: float, meter: Meter, *, now: float) -> None:
        self._limit = limit
        self._meter = meter
        self._free_now = limit - meter.used(now)
        self._beside = float("inf")

    @property
    def free_now(self) -> float:
        """What may start now, whatever is planned for later."""
        return self._free_now

    def earliest(self, amount: float, *, not_before: float) -> float:
        """Return when an amount fits, after all that is planned."""
        return self._meter.earliest(amount, not_before=not_before)

    def takes_now(self, amount: float) -> bool:
        """Tell whether an amount fits now and delays nothing that is planned."""
        return amount <= self._free_now and amount <= self._beside

    def start_now(self, amount: float, arrival: float) -> None:
        """Plan an amount for now, which arrives by a time."""
        self._free_now -= amount
        self._beside -= amount
        self._meter.charge(amount, arrival)

    def start_later(self, amount: float, at: float, arrival: float, *, until: float) -> None:
        """Plan an amount for a later time; what starts now counts against it ``until`` then."""
        self._meter.charge(amount, arrival)
        if at < until:
            self._beside = min(self._beside, self._limit - self._meter.used(at))


class Plan:
    """The starts of requests, in their order.

    Args:
        tokens: The room under each limit of tokens that a process keeps to.
        requests: The same for requests.
        closed_until: Nothing starts before.
        guard: The seconds after its start by which a request has arrived.
        until: When what starts now counts no more.
    """

    def __init__(
        self,
        tokens: Mapping[float, Room],
        requests: Mapping[float, Room],
        *,
        now: float,
        closed_until: float,
        guard: float,
        until: float,
    ) -> None:
        self._tokens = tokens
        self._requests = requests
        self._now = now
        self._last = max(now, closed_until)
        self._is_open = closed_until <= now
        self._guard = guard
        self._until = until

    def start(self, demand: Demand, *, is_held: bool = False) -> float:
        """Plan the next request and return when it starts: now, if it delays none of those before it.

        One that is held does not start now, though it may fit.
        """
        amounts = list(self._amounts(demand))
        if not is_held and self._is_open and all(room.takes_now(amount) for room, amount in amounts):
            for room, amount in amounts:
                room.start_now(amount, self._now + self._guard)
            return self._now
        at = self._last
        for room, amount in amounts:
            at = room.earliest(amount, not_before=at)
        for room, amount in amounts:
            room.start_later(amount, at, at + self._guard, until=self._until)
        self._last = at
        return at

    def free_tokens(self, demand: Demand) -> float:
        """Return the tokens that could start now under the limits of a request."""
        return min(room.free_now for limit, room in self._tokens.items() if limit >= demand.token_limit)

    def _amounts(self, demand: Demand) -> Iterator[tuple[Room, int]]:
        """A process keeps to its own limit, and with others to theirs: it counts under every limit from its own up."""
        for limit, room in self._tokens.items():
            if limit >= demand.token_limit:
                yield room, demand.tokens
        for limit, room in self._requests.items():
            if limit >= demand.request_limit:
                yield room, demand.requests


class Admission:
    """Says which work may begin, so that what has begun can be finished.

    A work may begin if all that has begun, and itself, can be finished within a minute from now; or if there is room
    now for its request beside all that the works with a request under way need still: no one else would use that room.
    Those who wait already are protected by the plan.

    Args:
        needs: What each work that has begun needs still, its waiting requests included.
        totals: The same of work that has not begun.
        waiting: The works of which a request waits.
        limit: The tokens per minute.
    """

    def __init__(
        self, needs: Mapping[str, int], totals: Mapping[str, int], waiting: Collection[str], limit: float
    ) -> None:
        self._needs = dict(needs)
        self._totals = totals
        self._under_way = {work: tokens for work, tokens in needs.items() if work not in waiting}
        self._limit = limit
        self._is_held = False

    def admits(self, work: str, tokens: int, *, free: float) -> bool:
        """Tell whether a request of a work may start now, where so many tokens are ``free``."""
        if work in self._needs:
            return True
        fits = (
            not self._needs
            or sum(self._needs.values()) + self._totals[work] <= self._limit
            or sum(self._under_way.values()) + tokens <= free
        )
        self._is_held = self._is_held or not fits
        return not self._is_held

    def begin(self, work: str, tokens: int) -> None:
        """Count a work as begun whose request for so many tokens starts."""
        self._needs[work] = self._needs.get(work, self._totals.get(work, 0)) - tokens
        self._under_way[work] = self._needs[work]
