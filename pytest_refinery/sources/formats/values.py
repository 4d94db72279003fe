"""Values that each format writes in its own way: times, token counts, JSON in a text."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_refinery.traces import json_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_refinery.traces.model import Json

_OPENING = ("{", "[", '"')
# How many of each unit a second has, the finest first; a count of seconds since 1970 has at most 11 digits.
_UNITS = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3), (0, 1))
_TOKEN_NAMES = {
    "input_tokens": (
        *("input_tokens", "prompt_tokens", "promptTokens", "inputTokens", "input"),
        *("prompt_token_count", "promptTokenCount"),
    ),
    "output_tokens": (
        *("output_tokens", "completion_tokens", "completionTokens", "outputTokens", "output"),
        *("candidates_token_count", "candidatesTokenCount"),
    ),
    "total_tokens": ("total_tokens", "totalTokens", "total", "total_token_count", "totalTokenCount"),
}


def timestamp(value: object) -> datetime | None:
    """Return a moment in UTC, ``None`` where ``value`` is none.

    ISO text, with a zone or in UTC without one; or a count since 1970, as number or text, whose
    size tells nanoseconds, microseconds, milliseconds and seconds apart.
    """
    try:
        count = _ticks(value)
        if count is not None:
            return datetime.fromtimestamp(_seconds(count), tz=UTC)
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found and (found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))
    except (OverflowError, OSError, ValueError):
        return None


def _ticks(value: object) -> float | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # OpenTelemetry's files write 0 for a time that is not known.
    return value or None


def _seconds(count: float) -> float:
    return next((count / unit for size, unit in _UNITS if abs(count) >= size), count)


def token_counts(source: Mapping[str, Any]) -> dict[str, int]:
    """Return ``input_tokens``, ``output_tokens`` and ``total_tokens`` as far as ``source`` has them."""
    found = {}
    for name, keys in _TOKEN_NAMES.items():
        counts = (_count(source.get(key)) for key in keys)
        if (count := next((count for count in counts if count is not None), None)) is not None:
            found[name] = count
    return found


def _count(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and value >= 0 else None


def decoded(value: Json) -> Json:
    """Return ``value``, or what stands in it where it is a text of JSON: an object, a list, a text of one of these."""
    while isinstance(value, str) and value.lstrip().startswith(_OPENING):
        inner = json_values.parsed(value)
        if not isinstance(inner, dict | list | str):
            return value
        value = inner
    return value
