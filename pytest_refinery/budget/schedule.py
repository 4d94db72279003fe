"""The plan of a queue: who starts when, and who may go ahead of others. No clock, no file, no lock.

Requests are planned in their order, each at the first time at which it fits and none before it. Like the jobs of a
batch scheduler they hold what they take for a known time, so what becomes free is known, too, and a later request may
start now if every request that was planned before it starts no later for that. This is conservative backfilling
(Mu'alem and Feitelson, "Utilization, Predictability, Workloads, and User Runtime Estimates in Scheduling the IBM SP2
with Backfilling", IEEE TPDS 12(6), 2001). As there, what a request will cost is an estimate: where an answer turns out
cheaper than it was booked, an earlier request could have started earlier still.

What is left beside them goes to those of the other requests that fill it best: of a sliding minute, what is not used is
lost (Shmueli and Feitelson, "Backfilling with lookahead to improve the packing of parallel jobs", JPDC 65(9), 2005).
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pytest_refinery.budget.window import Meter


# So many requests are combined with each other; sets that fill a room to this part of it are alike.
_COMBINED = 12
_ALIKE = 50


class Demand(NamedTuple):
    """A request that waits.

    Attributes:
        work: The piece of work that it belongs to.
        token_limit: The tokens per minute that its process keeps to.
        request_limit: The same for requests; infinite where none is known.
    """

    id: str
    work: str
    tokens: int
    requests: int
    token_limit: float
    request_limit: float


class Start(NamedTuple):
    """When a request starts as is foreseen, and when it might at the soonest."""

    foreseen: float
    soonest: float


class Room:
    """What is left of one limit: now, and beside those that are planned for later.

    Args:
        meter: What is used, to which all that is planned is added.
        present: The same, to which only what starts now is added.
    """

    def __init__(self, limit: float, meter: Meter, present: Meter, *, now: float) -> None:
        self._limit = limit
        self._meter = meter
        self._present = present
        self._now = now
        self._free_now = limit - meter.used(now)
        self._beside = float("inf")

    @property
    def free_now(self) -> float:
        """What may start now, whatever is planned for later."""
        return self._free_now

    def spare(self, at: float) -> float:
        """Return what will be left at a time, beside all that is planned."""
        return min(self._limit - self._present.used_then(at), self._beside)

    def soonest(self, amount: float, *, last: float) -> float:
        """Return when an amount fits: beside what is planned, or else after it."""
        if amount <= self._beside:
            return self._present.earliest(amount, not_before=self._now)
        return self.earliest(amount, not_before=last)

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
        self._present.charge(amount, arrival)

    def start_later(self, amount: float, at: float, arrival: float, *, until: float) -> None:
        """Plan an amount for a later time; what starts now counts against it ``until`` then."""
        self._meter.charge(amount, arrival)
        if at < until:
            self._beside = min(self._beside, self._limit - self._meter.used_then(at))


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
        self._last = self._opens = max(now, closed_until)
        self._is_open = closed_until <= now
        self._guard = guard
        self._until = until

    def start(self, demand: Demand, *, is_held: bool = False) -> float:
        """Plan the next request and return when it starts: now, if it delays none of those before it.

        One that is held does not start now, though it may fit.
        """
        amounts = list(self._amounts(demand))
        if not is_held and self.takes_now(demand):
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

    def takes_now(self, demand: Demand) -> bool:
        """Tell whether a request may start now and delays nothing that is planned."""
        return self._is_open and all(room.takes_now(amount) for room, amount in self._amounts(demand))

    def soonest(self, demand: Demand) -> float:
        """Return when a request might start, if no other one did meanwhile that is not planned."""
        found = (room.soonest(amount, last=self._last) for room, amount in self._amounts(demand))
        return max(self._opens, *found)

    def free_tokens(self, demand: Demand) -> float:
        """Return the tokens that could start now under the limits of a request."""
        return min(room.free_now for limit, room in self._tokens.items() if limit >= demand.token_limit)

    def spare_tokens(self, demand: Demand, at: float) -> float:
        """Return the tokens that will be left at a time under the limits of a request, beside all that is planned."""
        return min(room.spare(at) for limit, room in self._tokens.items() if limit >= demand.token_limit)

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
        self._is_closed = False

    def admits(self, work: str, tokens: int, *, free: float) -> bool:
        """Tell whether a request of a work may start now, where so many tokens are ``free``."""
        return work in self._needs or (
            not self._is_closed
            and (
                not self._needs
                or sum(self._needs.values()) + self._totals[work] <= self._limit
                or sum(self._under_way.values()) + tokens <= free
            )
        )

    def close(self) -> None:
        """Let no other work begin: one that goes before it could not."""
        self._is_closed = True

    def begin(self, work: str, tokens: int) -> None:
        """Count a work as begun whose request for so many tokens starts."""
        self._needs[work] = self._needs.get(work, self._totals.get(work, 0)) - tokens
        self._under_way[work] = self._needs[work]


class Schedule:
    """The starts of a whole queue: of those that go in order, of those that fill what is left, of the rest.

    Args:
        held: Seconds after which one that could start, and does not, looks again.

    Attributes:
        starts: What was found for each request so far, by its id.
    """

    def __init__(self, plan: Plan, admission: Admission, *, now: float, held: float) -> None:
        self._plan = plan
        self._admission = admission
        self._now = now
        self._held = held
        self.starts: dict[str, Start] = {}

    def in_order(self, demands: Iterable[Demand]) -> None:
        """Give each a start that no later one may delay."""
        for demand in demands:
            if self._is_admitted(demand):
                self._start(demand)
            else:
                self._admission.close()
                start = max(self._plan.start(demand, is_held=True), self._now + self._held)
                self.starts[demand.id] = Start(start, start)

    def fill(self, demands: Sequence[Demand], *, soon: float) -> None:
        """Start those that together fill best what is left until then."""
        spare = {each.id: self._plan.spare_tokens(each, soon) for each in demands}
        # Those of work that has begun stand first; of other work, none begins before one that may not begin yet.
        fitting = [each for each in takewhile(self._is_admitted, demands) if each.tokens <= spare[each.id]]
        room = max((spare[each.id] for each in fitting), default=0.0)
        for place in fullest([each.tokens for each in fitting], room):
            if self._plan.takes_now(fitting[place]) and self._is_admitted(fitting[place]):
                self._start(fitting[place])

    def wait(self, demands: Iterable[Demand]) -> None:
        """Let those that have no start yet wait for one."""
        waiting = [each for each in demands if each.id not in self.starts]
        soonest = [self._plan.soonest(each) for each in waiting]
        for demand, at in zip(waiting, soonest, strict=True):
            looks = at if at > self._now else self._now + self._held
            self.starts[demand.id] = Start(max(self._plan.start(demand, is_held=True), looks), looks)

    def _is_admitted(self, demand: Demand) -> bool:
        return self._admission.admits(demand.work, demand.tokens, free=self._plan.free_tokens(demand))

    def _start(self, demand: Demand) -> None:
        start = self._plan.start(demand)
        self.starts[demand.id] = Start(start, start)
        if start <= self._now:
            self._admission.begin(demand.work, demand.tokens)


def fullest(amounts: Sequence[int], room: float) -> list[int]:
    """Return the places of the amounts that together fill a room best; of sets alike, that of the earlier ones."""
    sets: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
    for place, amount in enumerate(amounts[:_COMBINED]):
        for total, chosen in list(sets.values()):
            if total + amount <= room:
                key, found = int((total + amount) / room * _ALIKE), (total + amount, (*chosen, place))
                if key not in sets or found[1] < sets[key][1]:
                    sets[key] = found
    total, best = sets[max(sets)]
    places = list(best)
    for place, amount in enumerate(amounts):
        # What is alike may leave room for a little more, and so may those that were not combined.
        if place not in best and total + amount <= room:
            total += amount
            places.append(place)
    return places
