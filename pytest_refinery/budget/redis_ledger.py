"""The ledger of several machines: the same state in Redis, changed by one process at a time, by the server's clock."""

from __future__ import annotations

import json
import random
import secrets
import time
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pytest_refinery.budget import owners
from pytest_refinery.budget.ledger import LedgerUnavailableError
from pytest_refinery.budget.ledger_state import State, StateError
from pytest_refinery.budget.state_ledger import StateLedger

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.budget.ledger import QueuePosition, Request
    from pytest_refinery.budget.window import Limits

T = TypeVar("T")
_LONGEST_LOOK = 0.8
# Each look is a round trip.
_SHORTEST_LOOK = 0.02
_EXPIRE_MINUTES = 70
# Above what a server on another continent needs; a request waits no longer before the next ledger is asked.
_TIMEOUT = 2.0
# Seconds between two attempts, at random up to so many, where other processes were quicker.
_RETRY_SECONDS = 0.002

# The state is replaced only if no other process has done so since it was read: the transitions are those of State, in
# Python, and a process that dies between reading and writing holds no other up.
_SWAP = """
if (redis.call('HGET', KEYS[1], 'tag') or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'tag', ARGV[2], 'state', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""


class RedisLedger(StateLedger):
    """A ledger that all machines share which name the same Redis and account.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, as the client takes it.
        account: The name of the account's state there.
        tell: Called with a sentence for the user when the server has lost the book.
        clock: Seconds to go by instead of the server's and this process's.
    """

    def __init__(
        self,
        url: str,
        account: str,
        limits: Limits,
        *,
        tell: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(limits, clock=clock or owners.seconds_since_boot, tell=tell)
        self._client = redis.Redis.from_url(
            url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
        self._swap = self._client.register_script(_SWAP)
        # The number is that of the state's form.
        self._key = f"pytest-refinery:budget:2:{account}"
        self._server_clock = clock

    @property
    def _place(self) -> str:
        return "Redis"

    def poll(self, request: Request) -> QueuePosition:
        """Let the request join the queue or keep its place; grant it when its time has come."""
        found = super().poll(request)
        look = min(max(found.look_in, min(found.start_in, _SHORTEST_LOOK)), _LONGEST_LOOK)
        return replace(found, look_in=look)

    def reset(self) -> None:
        """Forget everything."""
        is_written = False
        while not is_written:
            tag, state, _ = self._read()
            new = State()
            new.forget_on_purpose(state)
            is_written = self._write(tag, new)
        self._memory = None

    def _transact(self, change: Callable[[State, float], T]) -> T:
        end = time.monotonic() + _TIMEOUT
        while True:
            tag, state, now = self._read()
            result = change(state, now)
            if not state.has_changed or self._write(tag, state):
                return result
            if time.monotonic() > end:
                msg = f"Redis was changed by others all the time for {_TIMEOUT:.0f} s"
                raise LedgerUnavailableError(msg)
            time.sleep(random.uniform(0.0, _RETRY_SECONDS))  # noqa: S311  (spreads attempts, guards nothing)

    def _read(self) -> tuple[str, State, float]:
        try:
            with self._client.pipeline(transaction=False) as pipe:
                pipe.hmget(self._key, ["tag", "state"])
                pipe.time()
                (tag, text), (seconds, microseconds) = pipe.execute()
        except redis.RedisError as error:
            raise _unavailable(error) from error
        now = self._server_clock() if self._server_clock else seconds + microseconds / 1e6
        return (tag or b"").decode(), self._decoded(text, now), now

    def _decoded(self, text: bytes | None, now: float) -> State:
        if not text:
            return State()
        try:
            return State.decode(json.loads(text))
        except (StateError, ValueError):
            return State.used_up(self._limits, now)

    def _write(self, tag: str, state: State) -> bool:
        state.number, state.has_changed = state.number + 1, False
        text = json.dumps(state.encode(), separators=(",", ":"))
        expire = max(1, round(_EXPIRE_MINUTES * self._limits.minute))
        try:
            return bool(self._swap(keys=[self._key], args=[tag, secrets.token_hex(6), text, expire]))
        except redis.RedisError as error:
            raise _unavailable(error) from error

    def _owner(self) -> str:
        # A process id says nothing on another machine.
        return f"{owners.this_process()}@{_machine()}"

    def _look_up(self, owner: str) -> bool | None:
        process, _, machine = owner.partition("@")
        return owners.is_alive(process) if machine == _machine() else None


def _unavailable(error: redis.RedisError) -> LedgerUnavailableError:
    return LedgerUnavailableError(f"Redis does not answer ({error})")


@cache
def _machine() -> str:
    """Return what tells this machine from others."""
    return owners.boot_id()[:8] or secrets.token_hex(4)
