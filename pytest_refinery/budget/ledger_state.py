"""The state of a ledger and its transitions. No clock, no file, no lock: the time is given."""

from __future__ import annotations

import secrets
from bisect import insort
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_refinery.budget.ledger import BegunWork, Entry, QueuePosition, Status
from pytest_refinery.budget.schedule import Admission, Demand, Plan, Room, Schedule
from pytest_refinery.budget.window import ASSUMED_TOKENS, Bucket, SlidingMinute, WindowAlgorithm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_refinery.budget.ledger import Request
    from pytest_refinery.budget.schedule import Start
    from pytest_refinery.budget.window import Limits, Meter
    from pytest_refinery.rate_limit_headers import Observation

VERSION = 2
_FORMER_VERSION = 1

# A ticket that could start is kept its room so long, then it leaves the queue.
PATIENCE = 10.0
# A process elsewhere counts as dead when it has not asked for so long: while a ticket of it waits, which asks again and
# again, and while it only works on something. It is written down once in so many seconds that it has asked.
SILENCE = 3.0
SILENCE_MINUTES = 3
_HEARTBEAT = 1.0
# The first of the work that has not begun goes before all later requests when it has been the first for so long.
AGING_MINUTES = 2
# For this part of a sliding minute others may go before a request whose turn has come, if they fill the minute better.
YIELDING_MINUTES = 0.25
# What becomes free one after the other within this part of a minute is given away together.
COLLECTING_MINUTES = 1 / 6
# One that could start and is held, since others fill the minute better, looks again after this part of a minute.
_HELD_MINUTES = 1 / 240
# More are not planned: those behind wait.
_DEPTH = 64
# The seconds after which a ticket looks again at the soonest.
_TURN = 0.001
_LONG = 64
# How often a waiting ticket looks whether it may start early, since others needed less than they had booked: the
# more seldom the more are ahead of it, and the more often the nearer its start.
_LOOK = 0.05
_QUIET = 0.5
_SELDOM = 5.0
_NEARER = 0.25
# After a refusal: how much wider the guard is and for how many minutes; how long a bucket is not trusted.
_WIDER = 2
_WIDER_MINUTES = 5
_DISTRUST_MINUTES = 60
# A service may ask for a longer wait: it is asked again after this.
LONGEST_CLOSURE = 600.0

# A request may count this part of a minute later than is booked without having been made elsewhere.
_LATE = 1 / 20
# A service rounds what it says, and so does the book.
_ROUNDING = 2
# What an answer says about its time can be compared with the book for so many minutes.
_OBSERVED_MINUTES = 0.5

_ELSEWHERE = "elsewhere"
# A difference between times that only a clock which was set explains.
_CLOCK_STEP = 3.0
_UNLIMITED = float("inf")
_PREDECESSORS = 5
# What a limit is about, and how its amounts and limits are called in tickets and charges.
_TOKENS, _REQUESTS = 0, 1
_COUNTED = (
    (attrgetter("tokens"), attrgetter("token_limit")),
    (attrgetter("requests"), attrgetter("request_limit")),
)


class StateError(ValueError):
    """Values are no state of ours; ``str()`` says why."""


class OldVersionError(StateError):
    """Values are the state of the version before."""


class Ticket(NamedTuple):
    """A place in the queue.

    Attributes:
        place: Its number, in the order of arrival.
        since: When it joined.
        due: When it was first seen that it could start, or 0.
        work: The piece of work that it belongs to; its own id for a request by itself.
        remaining: What the work is expected to need after it.
        token_limit: What its process keeps to, as set there; 0 for what the service says.
    """

    place: int
    id: str
    owner: str
    tokens: int
    requests: int
    token_limit: int
    request_limit: int
    since: float
    due: float = 0.0
    work: str = ""
    kind: str = ""
    stage: str = ""
    remaining: int = 0


class Charge(NamedTuple):
    """A granted request. ``at`` is the latest time at which it can have reached the service."""

    id: str
    owner: str
    at: float
    tokens: int
    requests: int
    token_limit: int
    request_limit: int
    is_open: int


class Begun(NamedTuple):
    """A piece of work of which a request was granted, since when, and what it is expected to need still."""

    id: str
    owner: str
    kind: str
    since: float
    remaining: int


class State:
    """The book of one account.

    The life of a request, and who calls what:

    1. ``poll`` by the process that wants it, first without a place: it gets a ``Ticket``, with the next place. Polled
       again (when ``QueuePosition.look_in`` says) it keeps its place, until ``poll`` turns the ticket into an open
       ``Charge``: the request is granted, and must be sent within the guard.
    2. ``settle`` when the answer is there: the charge is closed at what the request cost, and counts for a minute from
       the time at which it reached the service.
    3. ``withdraw`` instead, where a ticket is given up or a granted request was never sent: it leaves no trace.

    The life of a work: it begins when the first of its requests is granted, stays in ``begun`` with what it was said to
    need still, and leaves by ``finish``, or when its process is dead. Tickets go in this order:

    - those of work that has begun, first come first served;
    - those of other work, likewise. The first of them begins when what has begun leaves room for it
      (``schedule.Admission``). When it has been the first for ``AGING_MINUTES``, it counts as begun.

    A ticket starts when it fits after all before it; or earlier, if none of them starts later for that
    (``schedule.Plan``). That is all for a bucket, which loses nothing while the next ticket waits until it fits. Of a
    sliding minute, what is not used is lost. So there a ticket yields for ``YIELDING_MINUTES`` after its turn has come
    (its work has begun, or is the first that has not): until then what is free goes to those that together fill it
    best (``schedule.fullest``). From then on no later ticket delays its start.

    Room that is there for a ticket is kept for ``PATIENCE`` seconds for its process to come and take it; then it leaves
    the queue, and so do, at once, the tickets of dead processes.

    ``limited`` closes the book for everybody after a refusal, and makes it careful for some minutes. ``observe`` books
    what the service counts and the book does not. ``succeed`` carries a lost book on in this one.

    Attributes:
        id: Random, from the beginning of the book on: a process that finds another one knows that its own was lost.
        number: How often it was written.
        predecessors: The ids of books whose charges are in this one, or were forgotten on purpose.
        places: The last place that was given.
        tickets: Who waits, by place.
        charges: What was granted in the last minute and a half, in no order.
        begun: The work that has begun and not ended.
        first: The work that will begin next, and since when it is that one.
        seen: When each process that waits or works asked last.
        debts: What was missing from a full bucket of tokens and of requests before the charges, and when.
        closed_until: Nothing is granted before.
        refused_at: When the service last refused a request.
        learned: The limits that the service says, of tokens and of requests.
        moved_at: When all times were moved, since the clock was set.
        has_changed: Whether it must be written; not written itself.
    """

    def __init__(self, book_id: str = "") -> None:
        self.id = book_id or secrets.token_hex(4)
        self.number = 0
        self.predecessors: tuple[str, ...] = ()
        self.places = 0
        self.tickets: list[Ticket] = []
        self.charges: list[Charge] = []
        self.begun: list[Begun] = []
        self.first: tuple[str, float] = ("", 0.0)
        self.seen: dict[str, float] = {}
        self.debts = (0.0, 0.0, 0.0)
        self.closed_until = 0.0
        self.refused_at: float | None = None
        self.learned: tuple[int | None, int | None] = (None, None)
        self.moved_at = 0.0
        self.has_changed = False

    @classmethod
    def used_up(cls, limits: Limits, now: float) -> State:
        """Return the state to go on with where the real one is lost: as if all had been used just now."""
        state = cls()
        state.use_up(limits, now)
        return state

    @classmethod
    def decode(cls, written: dict[str, Any]) -> State:
        """Return the state of which these are the JSON values.

        Raises:
            OldVersionError: They are those of the version before.
            StateError: They are something else.
        """
        try:
            return cls._from(written)
        except StateError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = f"not a ledger of this version ({error})"
            raise StateError(msg) from error

    @classmethod
    def _from(cls, written: dict[str, Any]) -> State:
        if written["version"] != VERSION:
            msg = f"version {written['version']!r}"
            raise OldVersionError(msg) if written["version"] == _FORMER_VERSION else StateError(msg)
        state = cls(str(written["id"]))
        state.number, state.places = int(written["number"]), int(written["places"])
        state.predecessors = tuple(written["predecessors"])
        state.tickets = list(map(Ticket._make, written["tickets"]))
        state.charges = list(map(Charge._make, written["charges"]))
        state.begun = list(map(Begun._make, written["begun"]))
        first, since = written["first"]
        state.first = (str(first), float(since))
        state.seen = {str(owner): float(at) for owner, at in written["seen"].items()}
        tokens, requests, at = written["debts"]
        state.debts = (float(tokens), float(requests), float(at))
        state.closed_until = float(written["closed_until"])
        state.refused_at, state.moved_at = written["refused_at"], float(written["moved_at"])
        learned_tokens, learned_requests = written["learned"]
        state.learned = (learned_tokens, learned_requests)
        return state

    def encode(self) -> dict[str, object]:
        """Return the state as JSON values."""
        written = {name: value for name, value in vars(self).items() if name != "has_changed"}
        return {"version": VERSION, **written}

    def poll(
        self, request: Request, *, owner: str, limits: Limits, now: float, is_alive: Callable[[str], bool | None]
    ) -> QueuePosition:
        """Let a request join the queue or keep its place; grant it when its time has come.

        Args:
            request: What is wanted.
            now: The time.
            owner: The process that asks.
            limits: Those that it keeps to.
            is_alive: Tells whether another process lives; ``None`` where that cannot be known from here.
        """
        self._forget(limits, now)
        self._hear(owner, limits, now)
        # Before its own ticket is looked for: if it comes too late to be waited for, it takes its place again.
        self._drop_dead(owner, is_alive, limits, now)
        ticket = self._ticket_of(request, owner, limits, now)
        # A limit that is only assumed refuses no one: the service knows better.
        limit = limits.tokens or self.learned[0]
        if limit and request.tokens > limit:
            return QueuePosition(ticket.place, is_granted=False, too_large_for=limit)
        queue = self._in_order(limits, now)
        ahead = queue.index(ticket)
        if ahead > _DEPTH:
            tokens = sum(other.tokens for other in queue[:ahead])
            start = could_start = now + max(_QUIET, tokens * limits.minute / self.limits_in_force(limits)[0])
        else:
            starts = self._starts(queue[: _DEPTH + 1], limits, now)
            start, could_start = starts.pop(ticket.id)
            self._mark_due(starts, now)
        if start > now:
            self._wake(ticket, now)
            is_quiet = not any(charge.is_open for charge in self.charges)
            return _told_to_wait(
                ticket.place,
                start - now,
                max(could_start - now, _TURN),
                ahead=ahead,
                queue=len(queue),
                is_quiet=is_quiet,
            )
        self._grant(ticket, limits, now)
        return QueuePosition(ticket.place, is_granted=True)

    def settle(self, request_id: str, tokens: int, *, now: float, arrived: float = 0.0) -> None:
        """Correct a granted request, which had ``arrived`` at the latest; one not known any more is over anyhow."""
        for index, charge in enumerate(self.charges):
            if charge.id == request_id:
                # It may have left late, but it has arrived before it was answered.
                at = min(max(charge.at, arrived), now)
                self.charges[index] = charge._replace(tokens=tokens, at=at, is_open=0)
                self.has_changed = True

    def withdraw(self, request_id: str) -> None:
        """Forget a ticket or a granted request."""
        tickets = [ticket for ticket in self.tickets if ticket.id != request_id]
        charges = [charge for charge in self.charges if charge.id != request_id]
        if len(tickets) + len(charges) < len(self.tickets) + len(self.charges):
            self.tickets, self.charges, self.has_changed = tickets, charges, True

    def finish(self, work: str) -> None:
        """Take a work out of those that have begun."""
        begun = [each for each in self.begun if each.id != work]
        if len(begun) < len(self.begun):
            self.begun, self.has_changed = begun, True

    def charge(self, tokens: int, requests: int, *, now: float) -> None:
        """Book what was used by somebody who did not ask."""
        if not tokens and not requests:
            return
        self.charges.append(Charge(secrets.token_hex(4), _ELSEWHERE, now, tokens, requests, 0, 0, is_open=0))
        self.has_changed = True

    def limited(self, seconds: float, *, now: float) -> None:
        """Grant nothing for so long, and be careful for a while."""
        self.closed_until = max(self.closed_until, now + min(seconds, LONGEST_CLOSURE))
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
        # What came late leaves the service's minute late, too.
        longer = (
            limits if self._is_bucket(limits, now) else replace(limits, minute=limits.minute + _LATE * limits.minute)
        )
        used_tokens, used_requests = self._used(longer, now - age)
        missing_tokens = _missing(token_limit, seen.remaining_tokens, used_tokens)
        missing_requests = _missing(request_limit, seen.remaining_requests, used_requests)
        if missing_tokens or missing_requests:
            self.charge(missing_tokens, missing_requests, now=now - age)

    def use_up(self, limits: Limits, now: float) -> None:
        """Count as used all that is not."""
        tokens, requests = self._used(limits, now)
        token_limit, request_limit = self.limits_in_force(limits)
        limits_of_others = {each.token_limit for each in self.tickets} | {each.token_limit for each in self.charges}
        token_limit = max(token_limit, *limits_of_others, 0)
        self.charge(max(0, round(token_limit - tokens)), max(0, round((request_limit or 0) - requests)), now=now)

    def follow_clock(self, now: float) -> None:
        """Where the clock was set back, take all times back with it."""
        latest = max([self.refused_at or 0.0, *self.seen.values()])
        if latest - now > _CLOCK_STEP:
            self.move(now - latest, now)

    def is_lost_in(self, found: State) -> bool:
        """Tell whether ``found`` stands where this book should, without what is in it."""
        if found.id == self.id:
            return found.number < self.number
        return self.id not in found.predecessors

    def succeed(
        self, lost: State, *, shift: float, owner: str, limits: Limits, now: float, is_out_of_reach: bool
    ) -> bool:
        """Carry another book on: what it had granted counts here, at times that are ``shift`` later.

        What it may have granted to others since ``owner`` looked is not known. So all counts as used if there are any,
        for the first process that says so of a book that is lost, and for each of one that is only out of its reach.

        Returns:
            Whether no process had done so before.
        """
        known = {charge.id for charge in self.charges}
        live = [c._replace(at=c.at + shift) for c in lost.charges if c.at + shift + limits.minute > now]
        self.charges += [charge for charge in live if charge.id not in known]
        begun = {each.id for each in self.begun}
        self.begun += [each for each in lost.begun if _is_same(each.owner, owner) and each.id not in begun]
        self.closed_until = max(self.closed_until, min(lost.closed_until + shift, now + LONGEST_CLOSURE))
        self.learned = (self.learned[0] or lost.learned[0], self.learned[1] or lost.learned[1])
        is_first = lost.id not in self.predecessors
        users = {each.owner for each in live} | {each.owner for each in lost.tickets}
        if not all(_is_same(each, owner) for each in users - {_ELSEWHERE}) and (is_first or is_out_of_reach):
            self.use_up(limits, now)
        self._follow(lost)
        self.has_changed = True
        return is_first

    def forget_on_purpose(self, other: State) -> None:
        """Take another book's place: what it held is not carried on by those who remember it."""
        self._follow(other)
        self.has_changed = True

    def _follow(self, other: State) -> None:
        if other.id == self.id:
            # An earlier version of the book came back: from now on it is another book.
            self.id = secrets.token_hex(4)
        books = dict.fromkeys((*self.predecessors, *other.predecessors, other.id))
        self.predecessors = tuple(book for book in books if book != self.id)[-_PREDECESSORS:]

    def move(self, seconds: float, now: float) -> None:
        """Where the clock was set, take all times with it."""
        self.tickets = [t._replace(since=t.since + seconds, due=t.due and t.due + seconds) for t in self.tickets]
        self.charges = [charge._replace(at=charge.at + seconds) for charge in self.charges]
        self.begun = [each._replace(since=each.since + seconds) for each in self.begun]
        self.first = (self.first[0], self.first[1] + seconds)
        self.seen = {owner: at + seconds for owner, at in self.seen.items()}
        self.debts = (*self.debts[:2], self.debts[2] + seconds)
        self.closed_until += seconds
        self.refused_at = self.refused_at and self.refused_at + seconds
        self.moved_at = now
        self.has_changed = True

    def limits_in_force(self, limits: Limits) -> tuple[int, int | None]:
        """Return the tokens and requests per minute: as set, else as learned, else as assumed."""
        tokens, requests = self.learned
        return limits.tokens or tokens or ASSUMED_TOKENS, limits.requests or requests

    def status(self, limits: Limits, now: float, is_alive: Callable[[str], bool | None] = lambda _: True) -> Status:
        """Return what people want to see; tickets of dead processes are not shown."""
        self._drop_dead("", is_alive, limits, now)
        token_limit, request_limit = self.limits_in_force(limits)
        live = [charge for charge in self.charges if charge.at + limits.minute > now]
        return Status(
            algorithm="bucket" if self._is_bucket(limits, now) else "sliding minute",
            limit_tokens=token_limit,
            limit_requests=request_limit,
            is_assumed=not (limits.tokens or self.learned[0]),
            used_tokens=round(self._used(limits, now)[0]),
            used_requests=sum(charge.requests for charge in live),
            closed_for=max(0.0, self.closed_until - now),
            waiting=tuple(
                Entry(t.owner, t.tokens, t.requests, now - t.since, work=t.work, kind=t.kind, stage=t.stage)
                for t in self._in_order(limits, now)
            ),
            granted=tuple(
                Entry(c.owner, c.tokens, c.requests, max(0.0, now - c.at), is_open=bool(c.is_open)) for c in live
            ),
            begun=tuple(BegunWork(b.id, b.owner, b.kind, now - b.since, b.remaining) for b in self.begun),
            foreseen_tokens=self._foreseen(),
            minute=limits.minute,
        )

    def _foreseen(self) -> int:
        """Return what all that waits or has begun still needs."""
        latest = {ticket.work: ticket.remaining for ticket in self.tickets}
        latest |= {each.id: each.remaining for each in self.begun}
        return sum(ticket.tokens for ticket in self.tickets) + sum(latest.values())

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

    def _hear(self, owner: str, limits: Limits, now: float) -> None:
        if now - self.seen.get(owner, float("-inf")) > _HEARTBEAT:
            recently = now - SILENCE_MINUTES * limits.minute
            self.seen = {who: at for who, at in self.seen.items() if at > recently} | {owner: now}
            self.has_changed = True

    def _ticket_of(self, request: Request, owner: str, limits: Limits, now: float) -> Ticket:
        for index, ticket in enumerate(self.tickets):
            if ticket.id == request.id:
                # What it will cost is estimated better by now, perhaps.
                self.has_changed = self.has_changed or ticket.tokens != request.tokens
                self.tickets[index] = ticket._replace(tokens=request.tokens)
                return self.tickets[index]
        self.places = max(self.places + (request.place is None), request.place or 0)
        ticket = Ticket(
            place=self.places if request.place is None else request.place,
            id=request.id,
            owner=owner,
            tokens=request.tokens,
            requests=request.requests,
            token_limit=limits.tokens or 0,
            request_limit=limits.requests or 0,
            since=now,
            work=request.work or request.id,
            kind=request.kind,
            stage=request.stage,
            remaining=request.remaining_tokens,
        )
        insort(self.tickets, ticket)
        self._renew(ticket)
        self.has_changed = True
        return ticket

    def _renew(self, ticket: Ticket) -> None:
        """The latest request of a work knows best what it still needs."""
        self.begun = [
            each._replace(remaining=ticket.remaining) if each.id == ticket.work else each for each in self.begun
        ]

    def _drop_dead(self, owner: str, is_alive: Callable[[str], bool | None], limits: Limits, now: float) -> None:
        """Tickets of the dead leave the queue, and so do those that did not come when due; their work ends."""
        waiting = {ticket.owner for ticket in self.tickets}
        dead = set()
        for other in (waiting | {each.owner for each in self.begun}) - {owner}:
            silence = SILENCE if other in waiting else SILENCE_MINUTES * limits.minute
            was_heard = self.seen.get(other, float("-inf")) > now - silence
            lives = is_alive(other)
            if not (was_heard if lives is None else lives):
                dead.add(other)
        tickets = [t for t in self.tickets if t.owner not in dead and not 0 < t.due < now - PATIENCE]
        begun = [each for each in self.begun if each.owner not in dead]
        if len(tickets) + len(begun) < len(self.tickets) + len(self.begun):
            self.tickets, self.begun, self.has_changed = tickets, begun, True
            self.seen = {who: at for who, at in self.seen.items() if who not in dead}

    def _in_order(self, limits: Limits, now: float) -> list[Ticket]:
        """Return the tickets in the order in which they go."""
        begun = {each.id for each in self.begun}
        first = next((ticket.work for ticket in self.tickets if ticket.work not in begun), "")
        if first != self.first[0]:
            self.first, self.has_changed = (first, now), True
        if self._is_first_for_long(limits, now):
            begun.add(first)
        return sorted(
            self.tickets,
            key=lambda ticket: (not self._is_firm(ticket, limits, now), ticket.work not in begun, ticket.place),
        )

    def _is_first_for_long(self, limits: Limits, now: float) -> bool:
        return bool(self.first[0]) and now - self.first[1] >= AGING_MINUTES * limits.minute

    def _is_firm(self, ticket: Ticket, limits: Limits, now: float) -> bool:
        """Tell whether a ticket has a start that none but those before it in the order may delay."""
        if self._is_bucket(limits, now):
            return True
        if any(each.id == ticket.work for each in self.begun):
            its_turn_since = ticket.since
        else:
            its_turn_since = self.first[1] if ticket.work == self.first[0] else now
        return now - its_turn_since >= YIELDING_MINUTES * limits.minute

    def _starts(self, queue: Iterable[Ticket], limits: Limits, now: float) -> dict[str, Start]:
        """Return when each ticket of the queue may start."""
        firm: list[Demand] = []
        others: list[Demand] = []
        for ticket in queue:
            (firm if self._is_firm(ticket, limits, now) else others).append(self._demand(ticket))
        held = _HELD_MINUTES * limits.minute
        schedule = Schedule(self._plan(limits, now), self._admission(limits, now), now=now, held=held)
        schedule.in_order(firm)
        schedule.fill(others, soon=now + COLLECTING_MINUTES * limits.minute)
        schedule.wait(others)
        return schedule.starts

    def _wake(self, ticket: Ticket, now: float) -> None:
        """It is awake, and waits for those ahead of it; not each time, since that has to be written."""
        if 0 < ticket.due < now - _HEARTBEAT:
            self._mark({ticket.id: 0.0})

    def _mark_due(self, starts: Mapping[str, Start], now: float) -> None:
        """Write down since when those that could start now could have done so."""
        due = {name for name, start in starts.items() if start.foreseen <= now}
        self._mark({ticket.id: now for ticket in self.tickets if ticket.id in due and not ticket.due})

    def _mark(self, due: Mapping[str, float]) -> None:
        if due:
            self.tickets = [ticket._replace(due=due.get(ticket.id, ticket.due)) for ticket in self.tickets]
            self.has_changed = True

    def _admission(self, limits: Limits, now: float) -> Admission:
        needs = {each.id: each.remaining for each in self.begun}
        totals: dict[str, int] = {}
        for ticket in self.tickets:
            # The latest request of a work knows best what will follow.
            totals[ticket.work] = min(totals.get(ticket.work, ticket.remaining), ticket.remaining)
        for ticket in self.tickets:
            known = needs if ticket.work in needs else totals
            known[ticket.work] += ticket.tokens
        if self.first[0] in totals and self._is_first_for_long(limits, now):
            needs[self.first[0]] = totals[self.first[0]]
        waiting = {ticket.work for ticket in self.tickets}
        return Admission(needs, totals, waiting, self.limits_in_force(limits)[0])

    def _grant(self, ticket: Ticket, limits: Limits, now: float) -> None:
        self.tickets = [other for other in self.tickets if other.id != ticket.id]
        at = now + self._guard(limits, now)
        self.charges.append(
            Charge(
                ticket.id, ticket.owner, at, ticket.tokens, ticket.requests, ticket.token_limit, ticket.request_limit, 1
            )
        )
        if ticket.work != ticket.id and all(each.id != ticket.work for each in self.begun):
            self.begun.append(Begun(ticket.work, ticket.owner, ticket.kind, now, ticket.remaining))
        self.has_changed = True

    def _guard(self, limits: Limits, now: float) -> float:
        return limits.guard * (_WIDER if self._was_refused_within(_WIDER_MINUTES, limits, now) else 1)

    def _is_bucket(self, limits: Limits, now: float) -> bool:
        if limits.algorithm is WindowAlgorithm.TRUSTED_BUCKET:
            return not self._was_refused_within(_DISTRUST_MINUTES, limits, now)
        return limits.algorithm is WindowAlgorithm.BUCKET

    def _was_refused_within(self, minutes: float, limits: Limits, now: float) -> bool:
        return self.refused_at is not None and now < self.refused_at + minutes * limits.minute

    def _plan(self, limits: Limits, now: float) -> Plan:
        guard = self._guard(limits, now)
        return Plan(
            self._rooms(_TOKENS, limits, now),
            self._rooms(_REQUESTS, limits, now),
            now=now,
            closed_until=self.closed_until,
            guard=guard,
            # What leaves a bucket is never put back.
            until=_UNLIMITED if self._is_bucket(limits, now) else now + guard + limits.minute,
        )

    def _rooms(self, kind: int, limits: Limits, now: float) -> dict[float, Room]:
        """Return what is left under each limit that a process keeps to: of those with that limit, or a lower one."""
        amount_of, limit_of = _COUNTED[kind]
        service = self._service_limits()[kind]
        known = {limit_of(entry) or service for entry in (*self.tickets, *self.charges)} - {_UNLIMITED}
        charges = sorted(self.charges, key=attrgetter("at")) if known else []
        is_bucket = self._is_bucket(limits, now)
        rooms = {}
        for limit in known:
            counted = [
                (charge.at, amount_of(charge))
                for charge in charges
                if (limit_of(charge) or service) <= limit or charge.owner == _ELSEWHERE
            ]
            meter, present = (
                self._meter(limit, counted, self.debts[kind], limits, is_bucket=is_bucket) for _ in range(2)
            )
            rooms[limit] = Room(limit, meter, present, now=now)
        return rooms

    def _service_limits(self) -> tuple[float, float]:
        tokens, requests = self.learned
        return tokens or ASSUMED_TOKENS, requests or _UNLIMITED

    def _demand(self, ticket: Ticket) -> Demand:
        """Return a ticket with the limits that are in force for it."""
        tokens, requests = self._service_limits()
        limits = (ticket.token_limit or tokens, ticket.request_limit or requests)
        return Demand(ticket.id, ticket.work, ticket.tokens, ticket.requests, *limits)

    def _used(self, limits: Limits, now: float) -> tuple[float, float]:
        """Return the tokens and the requests that everybody has used."""
        token_limit, request_limit = self.limits_in_force(limits)
        charges = sorted(self.charges, key=attrgetter("at"))
        is_bucket = self._is_bucket(limits, now)
        tokens = [(charge.at, charge.tokens) for charge in charges]
        requests = [(charge.at, charge.requests) for charge in charges]
        token_meter = self._meter(token_limit, tokens, self.debts[0], limits, is_bucket=is_bucket)
        request_meter = self._meter(request_limit or 1, requests, self.debts[1], limits, is_bucket=is_bucket)
        return token_meter.used(now), request_meter.used(now) if request_limit else 0.0

    def _meter(
        self, limit: float, charges: list[tuple[float, int]], debt: float, limits: Limits, *, is_bucket: bool
    ) -> Meter:
        if not is_bucket:
            return SlidingMinute(limit, limits.minute, charges)
        bucket = Bucket(limit, limits.minute, debt=debt, at=self.debts[2])
        for at, amount in charges:
            bucket.charge(amount, at)
        return bucket


def _told_to_wait(
    place: int, start_in: float, holds_for: float, *, ahead: int, queue: int, is_quiet: bool
) -> QueuePosition:
    """Return the answer to a waiting ticket.

    While it is quiet, no request is under way that could turn out cheaper than booked.
    """
    # A long queue takes long to read.
    turn = _TURN * max(1.0, queue / _LONG)
    look = (_QUIET if is_quiet else _LOOK) * (1 + ahead / 4)
    near = max(turn * (1 + ahead), start_in * _NEARER)
    look_in = min(max(holds_for, turn * (1 + ahead)), start_in, near, look, _SELDOM)
    return QueuePosition(place, is_granted=False, start_in=start_in, look_in=look_in, holds_for=holds_for)


def _is_same(one: str, other: str) -> bool:
    """Tell whether two owners are one process: ledgers of several machines append the machine."""
    return one.partition("@")[0] == other.partition("@")[0]


def _missing(limit: int | None, remaining: int | None, used: float) -> int:
    """Return what a service counts as used beyond what we know of."""
    missing = 0.0 if limit is None or remaining is None else limit - remaining - used
    return round(missing) if missing > _ROUNDING else 0
