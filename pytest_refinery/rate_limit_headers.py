"""What a service says about its limits, in headers and sentences, and how long to wait where it does not."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# No wait helps: the request is above the limit, or the account has no money left.
_FINAL_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_FINAL_WORDS = ("request too large", "insufficient_quota", "exceeded your current quota")
_LIMIT = re.compile(r"\b[Ll]imit:? (\d+)", re.ASCII)
_REQUESTED = re.compile(r"\bRequested:? (\d+)", re.ASCII)
_PER_REQUESTS = re.compile(r"requests per (?:min|day)|limit type: (?!tokens)", re.IGNORECASE)
# As OpenAI names its headers; as a LiteLLM proxy names those about a key, and what it always says of one.
_FAMILIES = ("x-ratelimit-{}", "x-ratelimit-api_key-{}")
_OF_A_KEY = {"limit-tokens": "x-litellm-key-tpm-limit", "limit-requests": "x-litellm-key-rpm-limit"}
_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = r"\d+(?:\.\d+)?(?:ms|us|µs|ns|[dhms])"
_DURATION = re.compile(rf"(?:{_PART})+", re.ASCII)
_PARTS = re.compile(r"(?<!\d)(\d+(?:\.\d+)?)(ms|us|µs|ns|[dhms])", re.ASCII)
_SENTENCE = re.compile(
    rf"(?:try again|retry) (?:in|after) ((?:{_PART})+|\d+(?:\.\d+)?)(?!\w|\.\d)", re.ASCII | re.IGNORECASE
)
_SECONDS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class Observation:
    """What the headers of an answer say; ``None`` where they are silent."""

    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    limit_requests: int | None = None
    remaining_requests: int | None = None


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
    asked = seconds_in_sentence(message)
    is_about_tokens = not _PER_REQUESTS.search(message)
    return Refusal(
        is_final=code in _FINAL_CODES or any(words in folded for words in _FINAL_WORDS),
        retry_after=seconds_in_headers(headers) if asked is None else asked,
        limit=_number(_LIMIT, message) if is_about_tokens else None,
        requested=_number(_REQUESTED, message) if is_about_tokens else None,
    )


def observation(headers: Mapping[str, str]) -> Observation:
    """Read the headers about limits, those of a LiteLLM proxy included."""
    lower = {name.lower(): value for name, value in headers.items()}

    def said(what: str) -> int | None:
        names = [*(family.format(what) for family in _FAMILIES), _OF_A_KEY.get(what, "")]
        return next((found for name in names if (found := _whole(lower.get(name))) is not None), None)

    return Observation(
        # Some proxies say 0 or -1 where there is no limit.
        limit_tokens=said("limit-tokens") or None,
        remaining_tokens=said("remaining-tokens"),
        limit_requests=said("limit-requests") or None,
        remaining_requests=said("remaining-requests"),
    )


def reserves_output(headers: Mapping[str, str]) -> bool:
    """Tell whether the answer of a service shows that it counts the output that a request permits until it answers.

    A LiteLLM proxy does; its refusals do not say what it counted.
    """
    return any(name.lower().startswith("x-litellm-") for name in headers)


def _number(pattern: re.Pattern[str], message: str) -> int | None:
    found = pattern.search(message)
    return int(found[1]) if found else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def seconds(text: str) -> float | None:
    """Return the seconds of ``6m0s``, ``1.326s``, ``374ms`` or a bare number; ``None`` for anything else."""
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PARTS.findall(text))


def seconds_in_sentence(message: str) -> float | None:
    """Return the seconds of "Please try again in 1.326s", wherever it stands in a message."""
    found = _SENTENCE.search(message)
    return seconds(found[1]) if found else None


def seconds_in_headers(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return what ``retry-after-ms`` or ``retry-after`` asks for, the latter in seconds or as a date."""
    lower = {name.lower(): value for name, value in headers.items()}
    milliseconds = seconds(lower.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = lower.get("retry-after", "")
    asked = seconds(text)
    return _seconds_until(text, now or datetime.now(UTC)) if asked is None else asked


def back_off(attempt: int, *, first: float, longest: float) -> float:
    """Return the seconds to wait before the next attempt where the service does not say: twice as many each time."""
    return min(longest, math.ldexp(first, attempt))


def spread() -> float:
    """Return the share of a pause that is really made, so that processes do not come back all at once."""
    return random.uniform(0.5, 1.0)  # noqa: S311  (guards nothing)


def _seconds_until(text: str, now: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    aware = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
