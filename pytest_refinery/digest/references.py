"""Lists of numbers as text: ``m2,m1,m3-m9``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def ranges(numbers: Iterable[int]) -> tuple[range, ...]:
    """Return ``numbers``, in their order, as ranges of neighbours."""
    found: list[range] = []
    for number in numbers:
        if found and found[-1].stop == number:
            found[-1] = range(found[-1].start, number + 1)
        else:
            found.append(range(number, number + 1))
    return tuple(found)


def spans(numbers: Iterable[int], letter: str = "m") -> str:
    """Return ``numbers`` as a list of names and spans of names: ``m2,m1,m3-m9``."""
    return ",".join(_span(part, letter) for part in ranges(numbers))


def _span(part: range, letter: str) -> str:
    first = f"{letter}{part.start}"
    return first if len(part) == 1 else f"{first}-{letter}{part[-1]}"
