"""What a ledger is asked: the steps of a request, each of them atomic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_refinery.budget.ledger_state import State
    from pytest_refinery.rate_limit_headers import Observation


class LedgerUnavailableError(Exception):
    """The ledger cannot be reached; ``str()`` says why."""


@dataclass(frozen=True)
class Request:
    """One request for tokens.

    Attributes:
        place: Its place in the queue, once it has one.
        work: The piece of work that it belongs to; empty for one by itself.
        kind: What that work is, for people.
        stage: What the request is for, for people.
        remaining_tokens: What the work is expected to need after this request.
    """

    id: str
    tokens: int
    requests: int = 1
    place: int | None = None
    work: str = ""
    kind: str = ""
    stage: str = ""
    remaining_tokens: int = 0


@dataclass(frozen=True)
class QueuePosition:
    """Where a request stands.

    Attributes:
        place: Its number in the queue, in the order of arrival.
        start_in: Seconds until it will be granted, as far as one knows now.
        look_in: Seconds until it is worth looking again.
        holds_for: Seconds for which this holds where the book does not change.
        too_large_for: The limit, if the request is above it and can never be granted.
    """

    place: int
    is_granted: bool
    start_in: float = 0.0
    look_in: float = 0.0
    holds_for: float = 0.0
    too_large_for: int | None = None


@dataclass(frozen=True)
class Entry:
    """A request of some process, waiting or granted within the last minute, and for how many seconds."""

    owner: str
    tokens: int
    requests: int
    seconds: float
    is_open: bool = True
    work: str = ""
    kind: str = ""
    stage: str = ""


@dataclass(frozen=True)
class BegunWork:
    """A piece of work that has begun and not ended, since how many seconds, and what it still needs."""

    id: str
    owner: str
    kind: str
    seconds: float
    remaining_tokens: int


@dataclass(frozen=True)
class Status:
    """The ledger as people want to see it."""

    algorithm: str
    limit_tokens: int
    limit_requests: int | None
    is_assumed: bool
    used_tokens: int
    used_requests: int
    closed_for: float
    waiting: tuple[Entry, ...]
    granted: tuple[Entry, ...]
    begun: tuple[BegunWork, ...] = ()
    foreseen_tokens: int = 0
    minute: float = 60.0

    @property
    def workers(self) -> int:
        """How many processes have used the budget in the last minute, or wait for it."""
        return len({entry.owner for entry in (*self.waiting, *self.granted)})


@dataclass(frozen=True)
class Memory:
    """The book as a process saw it last, so that it can be carried on where it is lost or out of reach.

    Attributes:
        seen_at: When, by the clock of the book.
        own_seen_at: When, by the clock of the process.
    """

    state: State
    seen_at: float
    own_seen_at: float


class Ledger(Protocol):
    """A book of all requests of an account. Each method may raise ``LedgerUnavailableError``."""

    def poll(self, request: Request) -> QueuePosition:
        """Let the request join the queue, or keep its place there; grant it when its time has come."""
        ...

    def settle(self, request_id: str, tokens: int, *, seconds: float | None = None) -> None:
        """Correct a granted request to what it really cost, and to when it was sent: so many ``seconds`` ago."""
        ...

    def withdraw(self, request_id: str) -> None:
        """Take a request out of the queue, or out of what was granted."""
        ...

    def finish(self, work: str) -> None:
        """Take a piece of work out of those that have begun."""
        ...

    def charge(self, tokens: int, requests: int) -> None:
        """Book what was used without asking."""
        ...

    def limited(self, seconds: float) -> None:
        """Grant nothing for so long: the service refused a request that the book had granted."""
        ...

    def observe(self, seen: Observation, *, age: float) -> None:
        """Take over the limit that the service says, and what others must have used ``age`` seconds ago."""
        ...

    def status(self) -> Status:
        """Return what the book says now."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...

    def memory(self) -> Memory | None:
        """Return the book as this process saw it last, without asking; ``None`` if it has not yet."""
        ...

    def take_over(self, memory: Memory) -> None:
        """Go on where another book ended: what it had granted in the last minute counts here, too."""
        ...
