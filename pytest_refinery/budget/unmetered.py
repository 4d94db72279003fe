"""The budget of a replay: nothing is sent, so nothing costs and nothing waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery import rate_limit_headers
from pytest_refinery.budget import messages
from pytest_refinery.errors import RequestTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event

    from pytest_refinery.analysis.ports import Work


@dataclass(frozen=True)
class UnmeteredLease:
    """A request that may be sent at once."""

    seconds_waited: float = 0.0
    assumed_limit: int | None = None

    def settle(self, tokens: int, *, seconds: float | None = None) -> None:
        """Take no note of it."""


class UnmeteredBudget:
    """The port ``TokenBudget`` without a ledger.

    What the limit decided while recording it decides again: how a trace is cut, and what is too large to be sent.

    Args:
        tokens_per_minute: The limit that the account was known to have when the recording began.
    """

    def __init__(self, tokens_per_minute: int) -> None:
        self._limit = tokens_per_minute

    @property
    def largest_request(self) -> int:
        """The tokens that one request could cost at most."""
        return self._limit

    def reserve(
        self,
        tokens: int,
        requests: int = 1,  # noqa: ARG002  (the port's)
        *,
        work: Work | None = None,  # noqa: ARG002
        again: Callable[[], int] | None = None,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002
        cancelled: Event | None = None,  # noqa: ARG002
    ) -> UnmeteredLease:
        """Grant the request.

        Raises:
            RequestTooLargeError: It is larger than the limit was.
        """
        if tokens > self._limit:
            raise RequestTooLargeError(messages.too_large(tokens, self._limit))
        return UnmeteredLease()

    def finish(self, work_id: str) -> None:
        """Take no note of it."""

    def foreseen_wait(self, tokens: int) -> float:  # noqa: ARG002  (the port's)
        """Return 0 seconds."""
        return 0.0

    def refused(
        self,
        headers: Mapping[str, str],
        message: str,
        *,
        code: str = "",
        attempt: int = 0,  # noqa: ARG002  (the port's)
    ) -> float | None:
        """Return 0, or ``None`` where no retry helped."""
        refusal = rate_limit_headers.refusal(headers, message, code)
        self._learn(refusal.limit)
        return None if refusal.is_final else 0.0

    def observe(self, headers: Mapping[str, str], *, age_seconds: float = 0.0) -> None:  # noqa: ARG002  (the port's)
        """Learn the limit as it was learnt while recording."""
        self._learn(rate_limit_headers.observation(headers).limit_tokens)

    def _learn(self, limit: int | None) -> None:
        self._limit = min(self._limit, limit or self._limit)


class NoPacing:
    """The pace of a replay: the next request may always be sent."""

    def book(self, lane: str, *, requests: int, seconds: float) -> float:  # noqa: ARG002  (the port's)
        """Return 0 seconds."""
        return 0.0

    def hold(self, lane: str, seconds: float) -> None:
        """Take no note of it."""
