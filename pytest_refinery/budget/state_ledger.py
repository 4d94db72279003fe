"""What ledgers have in common: each keeps a state, and changes it in transactions; and the ledger of one process."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

from pytest_refinery.budget import owners
from pytest_refinery.budget.ledger import Memory
from pytest_refinery.budget.ledger_state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.budget.ledger import QueuePosition, Request, Status
    from pytest_refinery.budget.window import Limits
    from pytest_refinery.rate_limit_headers import Observation

T = TypeVar("T")
# Whether a process lives is looked up once in so many seconds.
_LIVENESS_SECONDS = 0.25
# The clock of the book may differ by so much from ours within a minute without having been set.
_CLOCK_TOLERANCE = 3.0


def _nobody_listens(_: str) -> None:
    """Say nothing."""


class StateLedger(ABC):
    """A ledger whose every method is one transition of a state that no other process touches meanwhile.

    Each process remembers the book as it saw it last. Where another book stands in its place (a file was deleted, a
    server has lost its keys), it is carried on in that one.

    Args:
        clock: The seconds of this process, which only rise.
        tell: Called with a sentence for the user when a book was lost.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float] = owners.seconds_since_boot,
        tell: Callable[[str], None] = _nobody_listens,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._tell = tell
        self._memory: Memory | None = None
        self._liveness: dict[str, tuple[float, bool | None]] = {}

    @property
    @abstractmethod
    def _place(self) -> str:
        """Where the book is kept, for people."""

    @abstractmethod
    def _transact(self, change: Callable[[State, float], T]) -> T:
        """Apply ``change`` to the state at the present time, alone, and keep what has changed.

        It may be applied again where another process was quicker, to the state that this one has left.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget everything."""

    def poll(self, request: Request) -> QueuePosition:
        """Let the request join the queue or keep its place; grant it when its time has come."""
        return self._changed(lambda state, now: self._poll(state, request, now))

    def settle(self, request_id: str, tokens: int, *, seconds: float | None = None) -> None:
        """Correct a granted request to what it really cost, and to when it was sent."""
        late = float("inf") if seconds is None else seconds - self._limits.guard
        self._changed(lambda state, now: state.settle(request_id, tokens, now=now, arrived=now - late))

    def withdraw(self, request_id: str) -> None:
        """Take a request out of the queue, or out of what was granted."""
        self._changed(lambda state, _: state.withdraw(request_id))

    def finish(self, work: str) -> None:
        """Take a piece of work out of those that have begun."""
        self._changed(lambda state, _: state.finish(work))

    def charge(self, tokens: int, requests: int) -> None:
        """Book what was used without asking."""
        self._changed(lambda state, now: state.charge(tokens, requests, now=now))

    def limited(self, seconds: float) -> None:
        """Grant nothing for so long."""
        self._changed(lambda state, now: state.limited(seconds, now=now))

    def observe(self, seen: Observation, *, age: float) -> None:
        """Take over what the headers of an answer say."""
        self._changed(lambda state, now: state.observe(seen, age=age, limits=self._limits, now=now))

    def status(self) -> Status:
        """Return what the book says now."""
        return self._transact(lambda state, now: state.status(self._limits, now, self._is_alive))

    def memory(self) -> Memory | None:
        """Return the book as this process saw it last, without asking; ``None`` if it has not yet."""
        return self._memory

    def take_over(self, memory: Memory) -> None:
        """Go on where another book ended: what it had granted in the last minute counts here, too."""
        self._changed(lambda state, now: self._carry_on(state, memory, now, is_out_of_reach=True))

    def _changed(self, change: Callable[[State, float], T]) -> T:
        def on_the_right_book(state: State, now: float) -> tuple[T, Memory, bool]:
            is_loss = self._is_loss(state, now)
            return change(state, now), Memory(state, now, self._clock()), is_loss

        result, memory, is_loss = self._transact(on_the_right_book)
        # A book that was never written is no book.
        self._memory = memory if memory.state.number else self._memory
        if is_loss:
            self._tell(
                f"The token budget in {self._place} was lost: deleted, or an earlier one was put back. What it had "
                "granted in the last minute counts as used, so requests wait for up to a minute."
            )
        return result

    def _is_loss(self, state: State, now: float) -> bool:
        """Carry on the book that was seen last where it is not this one; tell whether this process says so."""
        state.follow_clock(now)
        memory = self._memory
        if memory is None or self._clock() - memory.own_seen_at > self._limits.minute:
            return False
        if memory.state.is_lost_in(state):
            return self._carry_on(state, memory, now, is_out_of_reach=False)
        step = now - memory.seen_at - (self._clock() - memory.own_seen_at)
        if step > _CLOCK_TOLERANCE and state.moved_at < memory.seen_at + step:
            state.move(step, now)
        return False

    def _carry_on(self, state: State, memory: Memory, now: float, *, is_out_of_reach: bool) -> bool:
        shift = now - memory.seen_at - (self._clock() - memory.own_seen_at)
        return state.succeed(
            memory.state,
            shift=shift,
            owner=self._owner(),
            limits=self._limits,
            now=now,
            is_out_of_reach=is_out_of_reach,
        )

    def _poll(self, state: State, request: Request, now: float) -> QueuePosition:
        return state.poll(request, owner=self._owner(), limits=self._limits, now=now, is_alive=self._is_alive)

    def _owner(self) -> str:
        return owners.this_process()

    def _is_alive(self, owner: str) -> bool | None:
        now = self._clock()
        asked, answer = self._liveness.get(owner, (float("-inf"), None))
        if now - asked > _LIVENESS_SECONDS:
            answer = self._look_up(owner)
            self._liveness[owner] = (now, answer)
        return answer

    def _look_up(self, owner: str) -> bool | None:
        return owners.is_alive(owner)


class MemoryLedger(StateLedger):
    """A ledger that the threads of this process share, and no other process: a fork starts its own."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = owners.seconds_since_boot) -> None:
        super().__init__(limits, clock=clock)
        self._begin()

    @property
    def _place(self) -> str:
        return "this process"

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._state, self._memory = State(), None

    def _begin(self) -> None:
        self._process_id = os.getpid()
        self._lock = threading.Lock()
        self._state, self._memory = State(), None

    def _transact(self, change: Callable[[State, float], T]) -> T:
        if self._process_id != os.getpid():
            # A thread of the parent may have held the lock.
            self._begin()
        with self._lock:
            result = change(self._state, self._clock())
            self._state.number += 1
            return result
