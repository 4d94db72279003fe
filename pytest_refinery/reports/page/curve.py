"""Tokens over time beside the limit: the points of a small plot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_refinery.analysis.ports import Spending

WINDOW = 60.0
WIDTH, HEIGHT = 640, 120
_HEADROOM = 1.08


@dataclass(frozen=True)
class Curve:
    """The tokens of the last minute at each moment, as an SVG path in a box of ``WIDTH`` by ``HEIGHT``.

    Attributes:
        area: The path's ``d``.
        limit: Tokens per minute, ``None`` where it is not known.
        limit_y: Where the line of the limit stands.
        peak: The most tokens of any minute.
        seconds: How long the box is.
        tokens: All of them.
    """

    area: str
    limit: int | None
    limit_y: float
    peak: int
    seconds: float
    tokens: int


def curve(spendings: Iterable[Spending], *, limit: int | None) -> Curve | None:
    """Return the plot of what was spent, ``None`` where nothing was."""
    spent = sorted(spendings, key=lambda spending: spending.at)
    if not spent:
        return None
    levels = _levels(spent)
    peak, seconds = max(tokens for _, tokens in levels), levels[-1][0]
    top = max(peak, limit or 0) * _HEADROOM
    steps = (f"H{at / seconds * WIDTH:.1f}V{HEIGHT - tokens / top * HEIGHT:.1f}" for at, tokens in levels)
    return Curve(
        area=f"M0 {HEIGHT}{''.join(steps)}Z",
        limit=limit,
        limit_y=round(HEIGHT - (limit or 0) / top * HEIGHT, 1),
        peak=peak,
        seconds=seconds,
        tokens=sum(spending.tokens for spending in spent),
    )


def _levels(spent: Sequence[Spending]) -> list[tuple[float, int]]:
    """Return the tokens of the last minute at each moment at which they change, in seconds from the first."""
    begin = spent[0].at
    changes = sorted(
        change
        for spending in spent
        for change in ((spending.at - begin, spending.tokens), (spending.at - begin + WINDOW, -spending.tokens))
    )
    moments, tokens = zip(*changes, strict=True)
    return list(zip(moments, accumulate(tokens), strict=True))
