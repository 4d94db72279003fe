"""Regular expressions that other people wrote, searched for within a bounded time. The one module that knows ``regex``.

Python's own engine cannot be interrupted, not even by a signal: ``(a+)+$`` on forty letters takes hours.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import regex

SECONDS = 2.0
"""How much processor time one search may take."""


class PatternTimeoutError(TimeoutError):
    """A search was given up."""

    def __init__(self, pattern: str) -> None:
        super().__init__(
            f"the pattern {pattern[:80]!r} needs more than {SECONDS:g} s on this text. Nested repetitions such as "
            f"(a+)+ do that: write it without them"
        )


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> regex.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return regex.compile(pattern)


def search(pattern: str, text: str) -> tuple[int, int] | None:
    """Return where a pattern, which Python's ``re`` can compile, first matches.

    Raises:
        PatternTimeoutError: That takes too long.
    """
    try:
        found = _compiled(pattern).search(text, timeout=SECONDS)
    except TimeoutError:
        raise PatternTimeoutError(pattern) from None
    return found.span() if found else None


def replace(pattern: str, replacement: str, text: str) -> str:
    """Return a text with each match of a pattern replaced.

    Raises:
        PatternTimeoutError: That takes too long.
    """
    try:
        return _compiled(pattern).sub(lambda _: replacement, text, timeout=SECONDS)
    except TimeoutError:
        raise PatternTimeoutError(pattern) from None
