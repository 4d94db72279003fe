"""Which headers of an answer are recorded: those that clients act upon, and none that change from time to time."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT = frozenset(
    "content-disposition content-encoding content-language content-type link location www-authenticate "
    "x-should-retry".split()
)
"""What is recorded as it is."""
WAITS = {"retry-after": "0.001", "retry-after-ms": "1", "openai-poll-after-ms": "1"}
"""What is recorded instead of each wait: a thousandth of a second. Clients take 0 for no answer."""
_USUAL_REASONS = {status.value: status.phrase for status in HTTPStatus}


def kept(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers that are recorded, in the order of their names, with every wait as short as can be."""
    found = ((name.lower(), value) for name, value in headers)
    return tuple(sorted((name, WAITS.get(name, value)) for name, value in found if name in KEPT or name in WAITS))


def without_boundary(content_type: str) -> str:
    """Return the type of a body without the boundary between its parts, which is another each time."""
    if content_type.lower().startswith("multipart/"):
        return content_type.partition(";")[0].strip()
    return content_type


def unusual_reason(status: int, reason: str | None) -> str:
    """Return the words after a status where they are not those of its number."""
    return "" if not reason or not reason.isascii() or reason == _USUAL_REASONS.get(status) else reason
