"""How many tokens a text costs, without a tokenizer."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Each alternative matches about what one token of o200k holds; single spaces join the word after them.
_TOKEN = re.compile(
    r"[A-Z]?[a-z]{1,8}|[A-Z]{1,3}|\d{1,3}"
    r"|[!-/:-@\[-`{-~]{1,3}"
    r"|\n\s*|[^\S\n]{2,}"
    r"|[^\s\u0000-\u2dff]|[\u0080-\u2dff]{1,2}"
)


def estimate(text: str) -> int:
    """Return about how many tokens ``text`` costs, rather too many than too few.

    Against o200k, on 1,519 samples of real traces (LangSmith exports, chats of agents,
    OpenTelemetry spans), the estimate is 6 % above the count in the median and at most 14 %
    in 95 of 100; one in a hundred is 9 % or more too low, the worst (encoded data) 27 %.
    """
    return _TOKEN.subn("", text)[1]


def cut(text: str, *, most: int) -> Iterator[str]:
    """Yield ``text`` in pieces of at most ``most`` tokens, cut after line ends where possible, else after a space."""
    start = 0
    while start < len(text):
        end = _end_of(text, start, most)
        yield text[start:end]
        start = end


def _end_of(text: str, start: int, most: int) -> int:
    # One more than fits: where it starts, the piece has to end.
    beyond = next(islice(_TOKEN.finditer(text, start), most, None), None)
    if beyond is None:
        return len(text)
    middle = (start + beyond.start()) // 2
    for end in ("\n", " "):
        found = text.rfind(end, middle, beyond.start())
        if found >= 0:
            return found + 1
    return beyond.start()
