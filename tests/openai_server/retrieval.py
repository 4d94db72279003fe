"""Chunks of files, filters over their attributes, and their order by relevance."""

from __future__ import annotations

import math
import operator
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.openai_server.messages import JsonObject

_WORD = re.compile(r"\w+")
_PIECE = re.compile(r"\S{1,64}\s*|\s+")
# The usual constants of BM25.
_SATURATION, _LENGTH_WEIGHT = 1.2, 0.75
_HALF_SCORE = 10.0


@dataclass(frozen=True)
class Chunk:
    """A part of an indexed file."""

    file_id: str
    filename: str
    text: str
    attributes: Mapping[str, str | float | bool]

    @cached_property
    def words(self) -> Counter[str]:
        """How often each word is in it."""
        return Counter(_words(self.text))


@dataclass(frozen=True)
class Hit:
    """A chunk that was found, with its score from 0 to 1."""

    chunk: Chunk
    score: float


def chunked(text: str, *, size: int, overlap: int, count: Callable[[str], int]) -> Iterator[str]:
    """Yield ``text`` in chunks of at most ``size`` tokens, each starting with the last ``overlap`` tokens before it."""
    pieces = _PIECE.findall(text)
    costs = [count(piece) for piece in pieces]
    start = 0
    while start < len(pieces):
        end = _fitting(costs, range(start, len(costs)), size)
        yield "".join(pieces[start:end])
        if end == len(pieces):
            return
        start = max(start + 1, _fitting(costs, range(end - 1, start, -1), overlap) + 1)


def search(query: str, chunks: Sequence[Chunk], *, most: int, threshold: float = 0.0) -> list[Hit]:
    """Return the ``most`` relevant chunks with at least the score ``threshold``, the best first."""
    score = _scorer(query, chunks)
    hits = (Hit(chunk, score(chunk)) for chunk in chunks)
    found = sorted((hit for hit in hits if hit.score >= threshold), key=lambda hit: -hit.score)
    return found[:most]


def matches(filters: JsonObject | None, attributes: Mapping[str, Any]) -> bool:
    """Tell whether a file with these attributes passes a comparison or compound filter."""
    if filters is None:
        return True
    if filters["type"] in _COMPOUNDS:
        return _COMPOUNDS[filters["type"]](matches(part, attributes) for part in filters["filters"])
    return _passes(filters["type"], attributes.get(filters["key"]), filters["value"])


_COMPOUNDS: dict[str, Callable[[Iterator[bool]], bool]] = {"and": all, "or": any}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda value, given: value in given,
    "nin": lambda value, given: value not in given,
}


def _passes(comparison: str, value: object, given: object) -> bool:
    if value is None:
        return comparison in {"ne", "nin"}
    try:
        return _COMPARISONS[comparison](value, given)
    except TypeError:
        return False


def _fitting(costs: Sequence[int], indices: range, most: int) -> int:
    """Return the first of ``indices`` at which the costs so far exceed ``most``, at least one step on."""
    used = 0
    for index in indices:
        used += costs[index]
        if used > most and (index != indices.start or indices.step < 0):
            return index
    return indices.stop


def _scorer(query: str, chunks: Sequence[Chunk]) -> Callable[[Chunk], float]:
    wanted = set(_words(query))
    present = Counter(word for chunk in chunks for word in wanted & chunk.words.keys())
    average = sum(chunk.words.total() for chunk in chunks) / max(1, len(chunks)) or 1.0

    def score(chunk: Chunk) -> float:
        length = 1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * chunk.words.total() / average
        total = 0.0
        for word in wanted & chunk.words.keys():
            rarity = math.log(1 + (len(chunks) - present[word] + 0.5) / (present[word] + 0.5))
            often = chunk.words[word]
            total += rarity * often * (_SATURATION + 1) / (often + _SATURATION * length)
        return round(total / (total + _HALF_SCORE), 4)

    return score


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
