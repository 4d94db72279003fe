"""Points in time, however a trace writes them."""

from __future__ import annotations

from datetime import UTC, datetime

# How many of each unit a second has, the finest first; a count of seconds since 1970 has at most 11 digits.
_UNITS = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3), (0, 1))


def moment(value: object) -> datetime | None:
    """Return a moment in UTC, ``None`` where ``value`` is none.

    ISO text, with a zone or in UTC without one; or a count since 1970, as number or text, whose
    size tells nanoseconds, microseconds, milliseconds and seconds apart.
    """
    try:
        count = _count(value)
        if count is not None:
            return datetime.fromtimestamp(_seconds(count), tz=UTC)
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found and (found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))
    except (OverflowError, OSError, ValueError):
        return None


def _count(value: object) -> float | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # OpenTelemetry's files write 0 for a time that is not known.
    return value or None


def _seconds(count: float) -> float:
    return next((count / unit for size, unit in _UNITS if abs(count) >= size), count)
