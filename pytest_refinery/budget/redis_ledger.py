"""The ledger of several machines: a state in Redis, changed by one script at a time, by the server's clock."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import redis

from pytest_refinery.budget import ledger_state, owners
from pytest_refinery.budget.ledger import Entry, LedgerUnavailableError, QueuePosition, Status
from pytest_refinery.budget.window import ASSUMED_TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.budget.ledger import Request
    from pytest_refinery.budget.window import Limits
    from pytest_refinery.rate_limit_headers import Observation

# A waiting ticket that nobody has looked at for so long belongs to nobody. Looks are far enough below.
_SILENCE = 3.0
_LONGEST_LOOK = 0.8
# Each look is a round trip.
_SHORTEST_LOOK = 0.02
_EXPIRE_MINUTES = 70
_TIMEOUT = 5.0


class RedisLedger:
    """A ledger that all machines share which name the same Redis and account.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, as the client takes it.
        account: The name of the account's state there.
        clock: Seconds to go by instead of the server's.
    """

    def __init__(self, url: str, account: str, limits: Limits, *, clock: Callable[[], float] | None = None) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
        self._script = self._client.register_script(_source())
        self._key = f"pytest-refinery:budget:{account}"
        self._limits = limits
        self._clock = clock

    def poll(self, request: Request) -> QueuePosition:
        """Let the request join the queue or keep its place; grant it when its time has come."""
        told = self._run("step", request=_known(asdict(request)), owner=_this_process())
        place = int(told["place"])
        if told.get("is_granted"):
            return QueuePosition(place, is_granted=True)
        if told.get("too_large_for"):
            return QueuePosition(place, is_granted=False, too_large_for=int(told["too_large_for"]))
        step = ledger_state.told_to_wait(
            place,
            float(told["start_in"]),
            ahead=int(told["ahead"]),
            due=int(told["due"]),
            queue=int(told["queue"]),
            is_quiet=bool(told["is_quiet"]),
        )
        return replace(step, look_in=_bounded(step))

    def settle(self, request_id: str, tokens: int) -> None:
        """Correct a granted request to what it really cost."""
        self._run("settle", id=request_id, tokens=tokens)

    def withdraw(self, request_id: str) -> None:
        """Take a request out of the queue, or out of what was granted."""
        self._run("withdraw", id=request_id)

    def charge(self, tokens: int, requests: int) -> None:
        """Book what was used without asking."""
        self._run("charge", tokens=tokens, requests=requests)

    def limited(self, seconds: float) -> None:
        """Grant nothing for so long."""
        self._run("limited", seconds=seconds)

    def observe(self, seen: Observation, *, age: float) -> None:
        """Take over what the headers of an answer say."""
        self._run("observe", age=age, **_known(asdict(seen)))

    def status(self) -> Status:
        """Return what the book says now."""
        told = self._run("status")
        now, charges = told["now"], list(told["charges"])
        return Status(
            model="bucket" if told["is_bucket"] else "sliding minute",
            limit_tokens=int(told["limit_tokens"]),
            limit_requests=int(told["limit_requests"]) if "limit_requests" in told else None,
            is_assumed=told["is_assumed"],
            used_tokens=round(told["used_tokens"]),
            used_requests=sum(int(charge["requests"]) for charge in charges),
            closed_for=told["closed_for"],
            waiting=tuple(_entry(ticket, now - ticket["since"]) for ticket in told["tickets"]),
            granted=tuple(_entry(charge, max(0.0, now - charge["at"])) for charge in charges),
        )

    def reset(self) -> None:
        """Forget everything."""
        try:
            self._client.delete(self._key)
        except redis.RedisError as error:
            raise _unavailable(error) from error

    def _run(self, operation: str, **given: object) -> dict[str, Any]:
        constants = ledger_state.constants() | {"silence": _SILENCE, "assumed": ASSUMED_TOKENS}
        expire = round(_EXPIRE_MINUTES * self._limits.minute)
        given |= {"limits": _known(asdict(self._limits)), "constants": constants, "expire": max(expire, 1)}
        if self._clock:
            given["now"] = self._clock()
        try:
            answer = self._script(keys=[self._key], args=[operation, json.dumps(given)])
        except redis.RedisError as error:
            raise _unavailable(error) from error
        told: dict[str, Any] = json.loads(answer)
        return told


def _bounded(step: QueuePosition) -> float:
    return min(max(step.look_in, min(step.start_in, _SHORTEST_LOOK)), _LONGEST_LOOK)


def _entry(written: dict[str, Any], seconds: float) -> Entry:
    is_open = bool(written.get("open", True))
    return Entry(written["owner"], int(written["tokens"]), int(written["requests"]), seconds, is_open=is_open)


def _known(values: dict[str, Any]) -> dict[str, Any]:
    # The script tells missing from null with difficulty.
    return {name: value for name, value in values.items() if value is not None}


def _unavailable(error: redis.RedisError) -> LedgerUnavailableError:
    return LedgerUnavailableError(f"Redis does not answer ({error})")


def _this_process() -> str:
    # A process id says nothing on another machine.
    return f"{owners.this_process()}@{_machine()}"


@cache
def _machine() -> str:
    return secrets.token_hex(4)


@cache
def _source() -> str:
    return resources.files(__package__).joinpath("ledger.lua").read_text(encoding="utf-8")
