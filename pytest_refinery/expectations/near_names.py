"""Names that are probably misspelt: what is of no name passes many a check, and says nothing."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from pytest_refinery.errors import CheckError

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
# Words this alike are one with a slip; "get" and "set" are two.
_ALIKE = 0.8
_WHOLE_ALIKE = 0.85


def refuse_misspelt(name: str, known: Iterable[str], *, what: str) -> None:
    """Refuse a name that nothing has where something has one very like it.

    Args:
        name: The name that the check asks for.
        known: The names that there are.
        what: What is wrong, up to the name: ``"tools.not_called: the trace calls no tool"``.

    Raises:
        CheckError: There is one very like it.
    """
    known = set(known)
    near = next((each for each in sorted(known) if _is_slip(name, each)), None) if name not in known else None
    if near is not None:
        msg = f"{what} {name!r}, so the check would say nothing. Did you mean {near!r}?"
        raise CheckError(msg)


def _is_slip(name: str, other: str) -> bool:
    mine, others = _words(name), _words(other)
    if not mine or not others or mine[0][:1] != others[0][:1]:
        return False
    if len(mine) == len(others):
        return all(map(_is_alike, mine, others))
    one, two = "".join(mine), "".join(others)
    return one == two or (1 in {len(mine), len(others)} and _ratio(one, two) >= _WHOLE_ALIKE)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def _is_alike(one: str, other: str) -> bool:
    if one == other or sorted(one) == sorted(other):
        return True
    # Another number is another thing.
    return not (one.isdigit() or other.isdigit()) and _ratio(one, other) >= _ALIKE


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
