"""Durations as services write them in headers and in refusals."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = r"\d+(?:\.\d+)?(?:ms|us|µs|ns|[dhms])"
_DURATION = re.compile(rf"(?:{_PART})+", re.ASCII)
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|[dhms])", re.ASCII)
_SENTENCE = re.compile(
    rf"(?:try again|retry) (?:in|after) ((?:{_PART})+|\d+(?:\.\d+)?)(?!\w|\.\d)", re.ASCII | re.IGNORECASE
)
_SECONDS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


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


def _seconds_until(text: str, now: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
