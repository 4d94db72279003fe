"""The state of a ledger and its transitions. No clock, no file, no lock: the time is given."""

from __future__ import annotations

from bisect import insort
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_refinery.budget.ledger import Entry, QueuePosition, Request, Status
from pytest_refinery.budget.window import (
    ASSUMED_TOKENS,
    Bucket,
    Limits,
    Meter,
    SlidingMinute,
    Unlimited,
    WindowAlgorithm,
    book,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_refinery.rate_limit_headers import Observation

VERSION = 1

# A ticket whose time has come is waited for this long before later ones may start, and kept for so long. Nobody
# is passed who has looked within half of the former.
GRACE = 1.0
PATIENCE = 10.0
# Due tickets start one after the other, so that they arrive in order.
_TURN = 0.001
_LONG = 64
# How often a waiting ticket looks whether it may start early, since others needed less than they had booked: the
# more seldom the more are ahead of it, and the more often the nearer its start.
_LOOK = 0.05
_QUIET = 0.5
_SELDOM = 5.0
_NEARER = 0.25
# After a refusal: how much wider the guard is and for how many minutes; how long a bucket is not trusted.
_WIDER = 10
_WIDER_MINUTES = 5
_DISTRUST_MINUTES = 60

# What an answer says about its time can be compared with the book for so many minutes.
_OBSERVED_MINUTES = 0.5

_ELSEWHERE = "elsewhere"


class StateError(ValueError):
    """Values are no state of ours, or one of another version; ``str()`` says which."""


class Ticket(NamedTuple):
    """A place in the queue. ``due`` is when its time was first seen to have come, or 0."""

    place: int
    id: str
    owner: str
    tokens: int
    requests: int
    since: float
    due: float = 0.0


class Charge(NamedTuple):
    """A granted request. ``at`` is the latest time at which it can have reached the service."""

    id: str
    owner: str
    at: float
    tokens: int
    requests: int
    is_open: int


class State:
    """The book of one account; ``has_changed`` tells whether it must be written."""

    def __init__(self) -> None:
        self.places = 0
        self.tickets: list[Ticket] = []
        self.charges: list[Charge] = []
        self.debts = (0.0, 0.0, 0.0)
        self.closed_until = 0.0
        self.refused_at: float | None = None
        self.learned: tuple[int | None, int | None] = (None, None)
        self.has_changed = False

    @classmethod
    def used_up(cls, limits: Limits, now: float) -> State:
        """Return the state to go on with where the real one is lost: as if all had been used just now."""
        state = cls()
        state.charge(limits.tokens or ASSUMED_TOKENS, limits.requests or 0, now=now)
        return state

    @classmethod
    def decode(cls, written: dict[str, Any]) -> State:
        """Return the state of which these are the JSON values.

        Raises:
            StateError: They are something else, or of another version.
        """
        try:
            return cls._from(written)
        except (ValueError, KeyError, TypeError) as error:
            msg = f"not a ledger of this version ({error})"
            raise StateError(msg) from error

    @classmethod
    def _from(cls, written: dict[str, Any]) -> State:
        if written["version"] != VERSION:
            msg = f"version {written['version']!r}"
            raise StateError(msg)
        state = cls()
        state.places = int(written["places"])
        state.tickets = list(map(Ticket._make, written["tickets"]))
        state.charges = list(map(Charge._make, written["charges"]))
        tokens, requests, at = written["debts"]
        state.debts = (float(tokens), float(requests), float(at))
        state.closed_until = float(written["closed_until"])
        state.refused_at = written["refused_at"]
        learned_tokens, learned_requests = written["learned"]
        state.learned = (learned_tokens, learned_requests)
        return state

    def encode(self) -> dict[str, object]:
        """Return the state as JSON values."""
        return {
            "version": VERSION,
            "places": self.places,
            "tickets": self.tickets,
            "charges": self.charges,
            "debts": self.debts,
            "closed_until": self.closed_until,
            "refused_at": self.refused_at,
            "learned": self.learned,
        }

    def poll(
        self, request: Request, *, owner: str, limits: Limits, now: float, is_alive: Callable[[str], bool]
    ) -> QueuePosition:
        """Let a request join the queue or keep its place; grant it when its time has come.

        Tickets of dead owners ahead of it leave the queue, and so do those that did not come when due.
        """
        self._forget(limits, now)
        ticket = self._ticket_of(request, owner, now)
        # A limit that is only assumed refuses nobody: the service knows better.
        limit = limits.tokens or self.learned[0]
        if limit and request.tokens > limit:
            return QueuePosition(ticket.place, is_granted=False, too_large_for=limit)
        ahead = self._ahead_of(ticket, is_alive, now)
        slot, due = self._slot_of(ticket, ahead, limits, now)
        if slot > now or due:
            if 0 < ticket.due < now - GRACE / 2:
                # It is awake, and waits for those ahead of it; not each time, since that has to be written.
                self._mark(len(ahead), 0.0)
            is_quiet = not any(charge.is_open for charge in self.charges)
            queue = len(self.tickets)
            return told_to_wait(ticket.place, slot - now, ahead=len(ahead), due=due, queue=queue, is_quiet=is_quiet)
        self._grant(ticket, limits, now)
        return QueuePosition(ticket.place, is_granted=True)

    def settle(self, request_id: str, tokens: int, *, now: float) -> None:
        """Correct a granted request; one that is not known any more is over anyhow."""
        for index, charge in enumerate(self.charges):
            if charge.id == request_id:
                # It has arrived before it was answered, so what is used may end earlier.
                self.charges[index] = charge._replace(tokens=tokens, at=min(charge.at, now), is_open=0)
                self.has_changed = True

    def withdraw(self, request_id: str) -> None:
        """Forget a ticket or a granted request."""
        tickets = [ticket for ticket in self.tickets if ticket.id != request_id]
        charges = [charge for charge in self.charges if charge.id != request_id]
        if len(tickets) + len(charges) < len(self.tickets) + len(self.charges):
            self.tickets, self.charges, self.has_changed = tickets, charges, True

    def charge(self, tokens: int, requests: int, *, now: float) -> None:
        """Book what was used by somebody who did not ask."""
        if not tokens and not requests:
            return
        self.charges.append(Charge("", _ELSEWHERE, now, tokens, requests, is_open=0))
        self.has_changed = True

    def limited(self, seconds: float, *, now: float) -> None:
        """Grant nothing for so long, and be careful for a while."""
        self.closed_until = max(self.closed_until, now + seconds)
        self.refused_at = now
        self.has_changed = True

    def observe(self, seen: Observation, *, age: float, limits: Limits, now: float) -> None:
        """Learn the limits, and book as used elsewhere what the service counts and the ledger does not."""
        tokens, requests = self.learned
        learned = (seen.limit_tokens or tokens, seen.limit_requests or requests)
        if learned != self.learned:
            self.learned, self.has_changed = learned, True
        if age > _OBSERVED_MINUTES * limits.minute:
            return
        token_limit, request_limit = self.limits_in_force(limits)
        meters = self._meters(limits, now)
        missing_tokens = _missing(token_limit, seen.remaining_tokens, meters[0].used(now - age))
        missing_requests = _missing(request_limit, seen.remaining_requests, meters[1].used(now - age))
        if missing_tokens or missing_requests:
            self.charge(missing_tokens, missing_requests, now=now - age)

    def limits_in_force(self, limits: Limits) -> tuple[int, int | None]:
        """Return the tokens and requests per minute: as set, else as learned, else as assumed."""
        tokens, requests = self.learned
        return limits.tokens or tokens or ASSUMED_TOKENS, limits.requests or requests

    def status(self, limits: Limits, now: float) -> Status:
        """Return what people want to see."""
        tokens, requests = self.limits_in_force(limits)
        meters = self._meters(limits, now)
        return Status(
            model="bucket" if self._is_bucket(limits, now) else "sliding minute",
            limit_tokens=tokens,
            limit_requests=requests,
            is_assumed=not (limits.tokens or self.learned[0]),
            used_tokens=round(meters[0].used(now)),
            used_requests=sum(charge.requests for charge in self._live(limits, now)),
            closed_for=max(0.0, self.closed_until - now),
            waiting=tuple(Entry(t.owner, t.tokens, t.requests, now - t.since) for t in self.tickets),
            granted=tuple(
                Entry(c.owner, c.tokens, c.requests, max(0.0, now - c.at), is_open=bool(c.is_open))
                for c in self._live(limits, now)
            ),
        )

    def _live(self, limits: Limits, now: float) -> list[Charge]:
        return [charge for charge in self.charges if charge.at + limits.minute > now]

    def _forget(self, limits: Limits, now: float) -> None:
        """Drop what is over and too old for any observation; a bucket's debt from before that remains."""
        horizon = now - (1 + _OBSERVED_MINUTES) * limits.minute
        if not self.charges or min(map(attrgetter("at"), self.charges)) > horizon:
            return
        old = sorted((charge for charge in self.charges if charge.at <= horizon), key=attrgetter("at"))
        self.charges = [charge for charge in self.charges if charge.at > horizon]
        self.debts = self._debts_after(old, limits)
        self.has_changed = True

    def _debts_after(self, old: Iterable[Charge], limits: Limits) -> tuple[float, float, float]:
        tokens_debt, requests_debt, at = self.debts
        token_limit, request_limit = self.limits_in_force(limits)
        tokens = Bucket(token_limit, limits.minute, debt=tokens_debt, at=at)
        requests = Bucket(request_limit or 1, limits.minute, debt=requests_debt, at=at)
        for charge in old:
            tokens.charge(charge.tokens, charge.at)
            requests.charge(charge.requests if request_limit else 0, charge.at)
        return tokens.debt, requests.debt, tokens.at

    def _ticket_of(self, request: Request, owner: str, now: float) -> Ticket:
        for ticket in self.tickets:
            if ticket.id == request.id:
                return ticket
        place = request.place
        if place is None:
            self.places += 1
            place = self.places
        ticket = Ticket(place, request.id, owner, request.tokens, request.requests, now)
        insort(self.tickets, ticket)
        self.has_changed = True
        return ticket

    def _ahead_of(self, ticket: Ticket, is_alive: Callable[[str], bool], now: float) -> list[Ticket]:
        ahead = [other for other in self.tickets if other.place < ticket.place]
        alive = {owner: is_alive(owner) for owner in {other.owner for other in ahead}}
        gone = {other for other in ahead if not alive[other.owner] or 0 < other.due < now - PATIENCE}
        if gone:
            self.tickets = [other for other in self.tickets if other not in gone]
            self.has_changed = True
        return [other for other in ahead if other not in gone]

    def _slot_of(self, ticket: Ticket, ahead: list[Ticket], limits: Limits, now: float) -> tuple[float, int]:
        """Return when the ticket may start, and how many ahead of it are due and should start first."""
        meters = self._meters(limits, now)
        at = max(now, self.closed_until)
        due = 0
        for index, other in enumerate(ahead):
            at = book(zip(meters, (other.tokens, other.requests), strict=True), not_before=at)
            if at <= now:
                self._mark(index, other.due or now)
                due += (other.due or now) > now - GRACE
        return book(zip(meters, (ticket.tokens, ticket.requests), strict=True), not_before=at), due

    def _mark(self, index: int, due: float) -> None:
        """Write down since when a ticket could have started without being looked at."""
        if self.tickets[index].due != due:
            self.tickets[index] = self.tickets[index]._replace(due=due)
            self.has_changed = True

    def _grant(self, ticket: Ticket, limits: Limits, now: float) -> None:
        self.tickets = [other for other in self.tickets if other.id != ticket.id]
        at = now + self._guard(limits, now)
        self.charges.append(Charge(ticket.id, ticket.owner, at, ticket.tokens, ticket.requests, is_open=1))
        self.has_changed = True

    def _guard(self, limits: Limits, now: float) -> float:
        return limits.guard * (_WIDER if self._was_refused_within(_WIDER_MINUTES, limits, now) else 1)

    def _is_bucket(self, limits: Limits, now: float) -> bool:
        if limits.model is WindowAlgorithm.TRUSTED_BUCKET:
            return not self._was_refused_within(_DISTRUST_MINUTES, limits, now)
        return limits.model is WindowAlgorithm.BUCKET

    def _was_refused_within(self, minutes: float, limits: Limits, now: float) -> bool:
        return self.refused_at is not None and now < self.refused_at + minutes * limits.minute

    def _meters(self, limits: Limits, now: float) -> tuple[Meter, Meter]:
        token_limit, request_limit = self.limits_in_force(limits)
        charges = sorted(self.charges, key=attrgetter("at"))
        is_bucket = self._is_bucket(limits, now)
        tokens = [(charge.at, charge.tokens) for charge in charges]
        token_meter = self._meter(token_limit, tokens, self.debts[0], limits.minute, is_bucket=is_bucket)
        if request_limit is None:
            return token_meter, Unlimited()
        requests = [(charge.at, charge.requests) for charge in charges]
        return token_meter, self._meter(request_limit, requests, self.debts[1], limits.minute, is_bucket=is_bucket)

    def _meter(
        self, limit: int, charges: list[tuple[float, int]], debt: float, minute: float, *, is_bucket: bool
    ) -> Meter:
        if not is_bucket:
            return SlidingMinute(limit, minute, charges)
        bucket = Bucket(limit, minute, debt=debt, at=self.debts[2])
        for at, amount in charges:
            bucket.charge(amount, at)
        return bucket


def told_to_wait(place: int, start_in: float, *, ahead: int, due: int, queue: int, is_quiet: bool) -> QueuePosition:
    """Return what a waiting ticket is told.

    ``due`` of those ahead of it could start, and should do so first. While it is quiet, no request is under way
    that could turn out cheaper than booked.
    """
    # A long queue takes long to read.
    turn = _TURN * max(1.0, queue / _LONG)
    if due and start_in <= 0:
        return QueuePosition(place, is_granted=False, look_in=min(turn * due, _SELDOM))
    look = (_QUIET if is_quiet else _LOOK) * (1 + ahead / 4)
    near = max(turn * (1 + ahead), start_in * _NEARER)
    return QueuePosition(place, is_granted=False, start_in=start_in, look_in=min(start_in, near, look, _SELDOM))


def constants() -> dict[str, float]:
    """Return the constants of the transitions by name, for ledgers that keep their state elsewhere."""
    return {
        "grace": GRACE,
        "patience": PATIENCE,
        "wider": _WIDER,
        "wider_minutes": _WIDER_MINUTES,
        "distrust_minutes": _DISTRUST_MINUTES,
        "observed_minutes": _OBSERVED_MINUTES,
    }


def _missing(limit: int | None, remaining: int | None, used: float) -> int:
    """Return what a service counts as used beyond what we know of."""
    if limit is None or remaining is None:
        return 0
    return max(0, round(limit - remaining - used))
