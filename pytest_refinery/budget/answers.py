"""What the answers of a service say about its limits: headers, and the sentences of refusals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.budget import durations
from pytest_refinery.budget.limits import Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

# No wait helps: the request is above the limit, or the account has no money left.
_FINAL_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_FINAL_WORDS = ("request too large", "insufficient_quota", "exceeded your current quota")
_LIMIT = re.compile(r"\bLimit:? (\d+)", re.ASCII)
_REQUESTED = re.compile(r"\bRequested:? (\d+)", re.ASCII)
_PER_REQUESTS = re.compile(r"requests per (?:min|day)", re.IGNORECASE)


@dataclass(frozen=True)
class Refusal:
    """What a 429 says.

    Attributes:
        retry_after: Seconds that the service asks to wait, if it does.
        limit: The tokens per minute that it names, if it does.
        requested: The tokens that it counted for the request, if it says so.
    """

    is_final: bool
    retry_after: float | None = None
    limit: int | None = None
    requested: int | None = None


def refusal(headers: Mapping[str, str], message: str, code: str) -> Refusal:
    """Read a 429. The sentence is more exact than the header, which has whole seconds."""
    folded = message.casefold()
    asked = durations.seconds_in_sentence(message)
    is_about_tokens = not _PER_REQUESTS.search(message)
    return Refusal(
        is_final=code in _FINAL_CODES or any(words in folded for words in _FINAL_WORDS),
        retry_after=durations.seconds_in_headers(headers) if asked is None else asked,
        limit=_number(_LIMIT, message) if is_about_tokens else None,
        requested=_number(_REQUESTED, message) if is_about_tokens else None,
    )


def observation(headers: Mapping[str, str]) -> Observation:
    """Read the ``x-ratelimit-*`` headers."""
    lower = {name.lower(): value for name, value in headers.items()}
    return Observation(
        limit_tokens=_positive(lower.get("x-ratelimit-limit-tokens")),
        remaining_tokens=_whole(lower.get("x-ratelimit-remaining-tokens")),
        limit_requests=_positive(lower.get("x-ratelimit-limit-requests")),
        remaining_requests=_whole(lower.get("x-ratelimit-remaining-requests")),
    )


def _number(pattern: re.Pattern[str], message: str) -> int | None:
    found = pattern.search(message)
    return int(found[1]) if found else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _positive(text: str | None) -> int | None:
    # Some proxies say 0 or -1 where there is no limit.
    return _whole(text) or None
