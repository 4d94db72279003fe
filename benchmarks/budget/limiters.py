"""The limiters that are compared, each behind the same three methods.

Each is used as its documentation says for a limit of tokens that several processes share; those that can
correct an estimate afterwards do so. The libraries are dependencies of this benchmark alone.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pytest_refinery.budget.estimates import Estimates
from pytest_refinery.budget.file_ledger import FileLedger
from pytest_refinery.budget.token_budget import SharedBudget
from pytest_refinery.budget.window import Limits, WindowAlgorithm

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.budget.ledger import Ledger
    from pytest_refinery.budget.token_budget import GrantedLease

_NAP = 0.01


@dataclass(frozen=True)
class Task:
    """What a limiter has to keep to, and where it may keep its state."""

    limit: int
    minute: float
    model: str
    folder: str
    redis_url: str
    processes: int


class Limiter(Protocol):
    """What a worker calls around each request."""

    def acquire(self, tokens: int) -> None:
        """Wait until a request that costs about so many tokens may be sent."""
        ...

    def done(self, tokens: int) -> None:
        """Say what it cost."""
        ...

    def refused(self, message: str, seconds: float) -> None:
        """Say that the service refused it, and what it asked for."""
        ...


class Ours:
    """The token budget of pytest-refinery, with its estimates."""

    def __init__(self, ledger: Ledger) -> None:
        self._budget = SharedBudget(ledger, tell=lambda _: None)
        self._estimates = Estimates()
        self._lease: GrantedLease | None = None
        self._counted = 0

    def acquire(self, tokens: int) -> None:
        """Reserve what such a request is expected to cost."""
        self._counted = tokens
        expected = self._estimates.expected("request", input_tokens=tokens, max_output_tokens=0)
        self._lease = self._budget.reserve(expected)

    def done(self, tokens: int) -> None:
        """Settle, and learn."""
        if self._lease:
            self._lease.settle(tokens)
        self._estimates.learn(
            "request", counted=self._counted, input_tokens=tokens, output_tokens=0, max_output_tokens=0
        )

    def refused(self, message: str, seconds: float) -> None:
        """Tell everybody."""
        if self._lease:
            self._lease.settle(0)
        self._budget.refused({"retry-after": str(seconds)}, message)


class _Simple:
    """A limiter that neither corrects nor shares a refusal: it obeys the service alone."""

    def done(self, tokens: int) -> None:
        """Do nothing."""

    def refused(self, message: str, seconds: float) -> None:  # noqa: ARG002  (as Limiter)
        """Wait as asked."""
        time.sleep(seconds)


class RetryAfterOnly(_Simple):
    """No limiter: sends at once and obeys refusals."""

    def acquire(self, tokens: int) -> None:
        """Do nothing."""


class StaticSplit(_Simple):
    """Each process keeps to its share of the limit, in a sliding minute of its own."""

    def __init__(self, task: Task) -> None:
        self._limit = task.limit // task.processes
        self._minute = task.minute
        self._sent: list[tuple[float, int]] = []

    def acquire(self, tokens: int) -> None:
        """Wait for the process's own minute."""
        while True:
            now = time.monotonic()
            self._sent = [(at, sent) for at, sent in self._sent if at > now - self._minute]
            if tokens + sum(sent for _, sent in self._sent) <= self._limit:
                self._sent.append((now, tokens))
                return
            time.sleep(_NAP)


class FilelockJson(_Simple):
    """What one writes by hand: a JSON file under filelock, a sliding minute, asking again every 10 ms."""

    def __init__(self, task: Task) -> None:
        import filelock

        self._task = task
        self._path = Path(task.folder, "by-hand.json")
        self._lock = filelock.FileLock(f"{self._path}.lock")

    def acquire(self, tokens: int) -> None:
        """Ask until there is room."""
        while not self._try(tokens):
            time.sleep(_NAP)

    def done(self, tokens: int) -> None:
        """Correct the last entry of this process."""
        with self._lock:
            sent = json.loads(self._path.read_text())
            for entry in sent:
                if entry[0] == self._last:
                    entry[1] = tokens
            self._path.write_text(json.dumps(sent))

    def _try(self, tokens: int) -> bool:
        with self._lock:
            now = time.time()
            sent = json.loads(self._path.read_text()) if self._path.exists() else []
            sent = [entry for entry in sent if entry[0] > now - self._task.minute]
            if tokens + sum(entry[1] for entry in sent) > self._task.limit:
                return False
            self._last = now
            self._path.write_text(json.dumps([*sent, [now, tokens]]))
            return True


class PyrateLimiter(_Simple):
    """pyrate-limiter, SQLite with a file lock."""

    def __init__(self, task: Task) -> None:
        from pyrate_limiter import limiter_factory

        self._limiter = limiter_factory.create_sqlite_limiter(
            task.limit, round(task.minute * 1000), db_path=f"{task.folder}/pyrate.db", use_file_lock=True
        )

    def acquire(self, tokens: int) -> None:
        """Wait in the library."""
        self._limiter.try_acquire("account", tokens, blocking=True)


class LimitsMovingWindow(_Simple):
    """limits, moving window on Redis, asking again every 10 ms."""

    def __init__(self, task: Task) -> None:
        import limits

        self._limiter = limits.strategies.MovingWindowRateLimiter(limits.storage.storage_from_string(task.redis_url))
        self._item = limits.RateLimitItemPerSecond(task.limit, round(task.minute))

    def acquire(self, tokens: int) -> None:
        """Ask until there is room."""
        while not self._limiter.hit(self._item, "account", cost=tokens):
            time.sleep(_NAP)


class ThrottledGcra(_Simple):
    """throttled-py, GCRA on Redis."""

    def __init__(self, task: Task) -> None:
        from datetime import timedelta

        import throttled

        self._limiter: Any = throttled.Throttled(
            using=throttled.RateLimiterType.GCRA.value,
            quota=throttled.per_duration(timedelta(seconds=task.minute), task.limit, burst=task.limit),
            store=throttled.store.RedisStore(server=task.redis_url),
            timeout=10 * task.minute,
        )

    def acquire(self, tokens: int) -> None:
        """Wait in the library."""
        self._limiter.limit("account", cost=tokens)


class TokenThrottle(_Simple):
    """token-throttle, on SQLite or Redis; it corrects estimates."""

    def __init__(self, task: Task, backend: Any) -> None:  # noqa: ANN401  (the library's)
        import token_throttle as library

        quota = library.Quota(metric="tokens", limit=task.limit, per_seconds=round(task.minute))
        config = library.PerModelConfig(quotas=library.UsageQuotas([quota]))
        self._limiter = library.SyncRateLimiter(config, backend=backend)
        self._reservation: Any = None

    def acquire(self, tokens: int) -> None:
        """Wait in the library."""
        self._reservation = self._limiter.acquire_capacity({"tokens": tokens}, model="account")

    def done(self, tokens: int) -> None:
        """Give back what was too much."""
        self._limiter.refund_capacity(reservation=self._reservation, actual_usage={"tokens": tokens})

    def refused(self, message: str, seconds: float) -> None:
        """Give all back and wait as asked."""
        self.done(0)
        super().refused(message, seconds)


def _limits(task: Task) -> Limits:
    return Limits(tokens=task.limit, algorithm=WindowAlgorithm(task.model), minute=task.minute)


def _ours_on_a_file(task: Task) -> Limiter:
    return Ours(FileLedger(Path(task.folder, "budget.json"), _limits(task), tell=print))


def _ours_on_redis(task: Task) -> Limiter:
    from pytest_refinery.budget.redis_ledger import RedisLedger

    return Ours(RedisLedger(task.redis_url, "benchmark", _limits(task)))


def _token_throttle_sqlite(task: Task) -> Limiter:
    import token_throttle

    return TokenThrottle(
        task, token_throttle.SyncSqliteBackendBuilder(f"{task.folder}/token-throttle.db", key_prefix="benchmark")
    )


def _token_throttle_redis(task: Task) -> Limiter:
    import redis
    import token_throttle

    client = redis.Redis.from_url(task.redis_url)
    return TokenThrottle(task, token_throttle.SyncRedisBackendBuilder(client, key_prefix="benchmark"))


LIMITERS: dict[str, Callable[[Task], Limiter]] = {
    "pytest-refinery, file": _ours_on_a_file,
    "pytest-refinery, Redis": _ours_on_redis,
    "obey retry-after only": lambda _: RetryAfterOnly(),
    "static split among processes": StaticSplit,
    "filelock + JSON by hand": FilelockJson,
    "pyrate-limiter, SQLite + filelock": PyrateLimiter,
    "limits, moving window (Redis)": LimitsMovingWindow,
    "throttled-py, GCRA (Redis)": ThrottledGcra,
    "token-throttle, SQLite": _token_throttle_sqlite,
    "token-throttle, Redis": _token_throttle_redis,
}
