"""The limits of one key, as LangSmith's documentation states them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from tests.langsmith_server.messages import Request, ServiceError
from tests.openai_server.limits import SlidingMinute

if TYPE_CHECKING:
    from collections.abc import Callable


class Limit(NamedTuple):
    """So many requests of a kind in so many seconds."""

    name: str
    method: str
    path: str
    requests: int
    seconds: float


LIMITS = (
    Limit("v1 query", "POST", r"/api/v1/(public/[^/]+/)?runs/query", 15, 10.0),
    Limit("v1 run", "GET", r"/api/v1/runs/[^/]+", 30, 60.0),
    Limit("v2", ".*", r"/api/v2/.*", 300, 10.0),
    Limit("any", ".*", r"/api/.*", 2_000, 60.0),
)


class Gate:
    """Counts the requests of each key and refuses those above a limit."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._meters: dict[tuple[str, str | None], SlidingMinute] = {}

    def admit(self, request: Request) -> None:
        """Count a request.

        Raises:
            ServiceError: It is one too many.
        """
        for limit in LIMITS:
            if re.fullmatch(limit.method, request.method) and re.fullmatch(limit.path, request.path):
                self._count(limit, request.key)

    def _count(self, limit: Limit, key: str | None) -> None:
        meter = self._meters.setdefault((limit.name, key), SlidingMinute(limit.requests, limit.seconds))
        now = self._clock()
        wait = meter.seconds_until_free(1, now)
        if wait > 0:
            raise ServiceError(429, "Rate limit exceeded", headers={"retry-after": str(math.ceil(wait))})
        meter.charge(1, now)
