"""Lets requests in as the limits allow, and refuses the others in the service's words."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from tests.openai_server import limits
from tests.openai_server.messages import ServiceError

if TYPE_CHECKING:
    from tests.openai_server.limits import Meter
    from tests.openai_server.terms import Terms

_VISIT = "Visit https://platform.openai.com/account/rate-limits to learn more."
# Who waited as long as told must be let in.
_ROUNDING = 1e-6
_WORDS = {"tokens": "tokens per min (TPM)", "requests": "requests per min (RPM)"}


class Gate:
    """Keeps the limits of every model; all its methods may be called from any thread."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._lock = threading.Lock()
        self._meters: dict[tuple[str, str], Meter] = {}
        self._charges: dict[str, list[tuple[float, int]]] = defaultdict(list)

    def enter(self, model: str, tokens: int) -> float:
        """Charge a request of ``tokens`` and return the time of it.

        Raises:
            ServiceError: With status 429 where it does not fit. It then counts as a request, not as tokens.
        """
        with self._lock:
            now = self._terms.clock()
            self._take("requests", model, 1, now)
            self._take("tokens", model, tokens, now)
            self._charges[model].append((now, tokens))
            return now

    def charge_more(self, model: str, tokens: int, at: float) -> None:
        """Charge ``tokens`` to the request that entered at ``at``; negative ones are given back."""
        with self._lock:
            meter = self._meter("tokens", model)
            if meter is not None:
                meter.charge(tokens, at)
            self._charges[model].append((at, tokens))

    def headers(self, model: str) -> dict[str, str]:
        """Return what an answer says about the limits."""
        if self._terms.rate_limit_headers == "never":
            return {}
        with self._lock:
            return self._headers(model)

    def charged(self) -> int:
        """Return all tokens charged so far."""
        with self._lock:
            return sum(tokens for charges in self._charges.values() for _, tokens in charges)

    def most_in_any_minute(self) -> int:
        """Return the most tokens of one model charged in any minute."""
        with self._lock:
            minute = self._terms.minute_seconds
            return max((limits.most_in_any_minute(charges, minute) for charges in self._charges.values()), default=0)

    def _take(self, what: str, model: str, amount: int, now: float) -> None:
        meter = self._meter(what, model)
        if meter is None:
            return
        wait = meter.seconds_until_free(amount, now)
        if amount > meter.limit or wait > _ROUNDING:
            raise self._refusal(what, model, amount, now, wait)
        meter.charge(amount, now)

    def _meter(self, what: str, model: str) -> Meter | None:
        limit = self._terms.tpm if what == "tokens" else self._terms.rpm
        if limit is None:
            return None
        known = self._meters.get((what, model))
        if known is None or known.limit != limit:
            known = self._meters[what, model] = limits.meter(self._terms.tpm_model, limit, self._terms.minute_seconds)
        return known

    def _refusal(self, what: str, model: str, amount: int, now: float, wait: float) -> ServiceError:
        meter = self._meters[what, model]
        return refusal(
            what,
            model,
            amount,
            limit=meter.limit,
            used=min(meter.limit, math.ceil(meter.used(now))),
            wait=wait,
            headers=self._headers(model) if self._terms.rate_limit_headers == "always" else None,
        )

    def _headers(self, model: str) -> dict[str, str]:
        now = self._terms.clock()
        found: dict[str, str] = {}
        for what in _WORDS:
            meter = self._meter(what, model)
            if meter is not None:
                found[f"x-ratelimit-limit-{what}"] = str(meter.limit)
                found[f"x-ratelimit-remaining-{what}"] = str(max(0, math.floor(meter.limit - meter.used(now))))
                found[f"x-ratelimit-reset-{what}"] = limits.duration(meter.seconds_until_free(meter.limit, now))
        return found


def refusal(
    what: str,
    model: str,
    amount: int,
    *,
    limit: int,
    used: int,
    wait: float,
    headers: dict[str, str] | None,
) -> ServiceError:
    """Return the 429 for ``amount`` of ``what``: ``tokens`` or ``requests``; with ``None`` it has no headers at all."""
    place = f"for {model} in organization org-loopback on {_WORDS[what]}: Limit {limit}"
    if amount > limit:
        reduce = "The input or output tokens must be reduced in order to run successfully."
        message, waiting = f"Request too large {place}, Requested {amount}. {reduce} {_VISIT}", {}
    else:
        milliseconds = max(1, math.ceil(wait * 1000))
        again = f"Please try again in {limits.duration(milliseconds / 1000)}."
        message = f"Rate limit reached {place}, Used {used}, Requested {amount}. {again} {_VISIT}"
        waiting = {"retry-after": str(math.ceil(wait)), "retry-after-ms": str(milliseconds)}
    return ServiceError(
        message,
        status=429,
        kind=what,
        code="rate_limit_exceeded",
        headers=None if headers is None else headers | waiting,
    )
