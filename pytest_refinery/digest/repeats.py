"""Finds the lines of earlier texts again, so that history pasted into a prompt is written once."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from pytest_refinery.digest.lines import indented

# A reference costs about as much as forty characters of text, and lines of a text are harder to find than all of it.
_LONG = 40
_WORTH_A_RANGE = 120
_LEAD = re.compile(r"\s*(?:[\w .()'\[*#>-]{1,40}[:\]>]\**\s+)?")


class _Place(NamedTuple):
    """A line of a written text; ``lead`` is what stands before the part that was looked for."""

    number: int
    line: int
    lead: str


class _Found(NamedTuple):
    place: _Place
    lead: str


class _Repeat(NamedTuple):
    """How many lines before and after the one that was found repeat too."""

    before: int
    after: int
    reference: str


class LineIndex:
    """The lines of all texts written so far, by what they say.

    A line of forty characters or more finds its copies; the lines around it are compared one
    by one, so that a long range costs one reference.
    """

    def __init__(self) -> None:
        self._texts: dict[int, list[str]] = {}
        self._places: dict[str, _Place] = {}

    def add(self, number: int, lines: list[str]) -> None:
        """Remember the lines of text ``number``; the latest copy of a line is the one found."""
        is_findable = False
        for index, line in enumerate(lines):
            for lead, rest in _readings(line):
                self._places[rest] = _Place(number, index, lead)
                is_findable = True
        if is_findable:
            self._texts[number] = lines

    def shortened(self, lines: list[str]) -> list[str]:
        """Return the lines as a digest writes them: what is new indented, what repeats as ``=m3:4-9``."""
        written: list[str] = []
        at = new = 0
        while at < len(lines):
            repeat = self._repeat(lines, at, most_before=new)
            if repeat is None:
                written.append(indented(lines[at]))
                at, new = at + 1, new + 1
            else:
                del written[len(written) - repeat.before :]
                written.append(repeat.reference)
                at, new = at + 1 + repeat.after, 0
        return written

    def _repeat(self, lines: list[str], at: int, *, most_before: int) -> _Repeat | None:
        found = self._find(lines[at])
        if found is None:
            return None
        before = self._same_before(lines, at, found, most=most_before)
        after = self._same_after(lines, at, found.place)
        is_whole = before + 1 + after == len(self._texts[found.place.number])
        size = sum(map(len, lines[at - before : at + 1 + after]))
        return (
            _Repeat(before, after, self._reference(found, before, after))
            if is_whole or size >= _WORTH_A_RANGE
            else None
        )

    def _find(self, line: str) -> _Found | None:
        for lead, rest in _readings(line):
            place = self._places.get(rest)
            if place is not None:
                return _Found(place, lead)
        return None

    def _same_before(self, lines: list[str], at: int, found: _Found, *, most: int) -> int:
        if found.lead or found.place.lead:
            return 0
        earlier, index = self._texts[found.place.number], found.place.line
        count = 0
        while count < min(most, index) and lines[at - count - 1] == earlier[index - count - 1]:
            count += 1
        return count

    def _same_after(self, lines: list[str], at: int, place: _Place) -> int:
        earlier = self._texts[place.number]
        most = min(len(lines) - at, len(earlier) - place.line) - 1
        count = 0
        while count < most and lines[at + count + 1] == earlier[place.line + count + 1]:
            count += 1
        return count

    def _reference(self, found: _Found, before: int, after: int) -> str:
        number, index, inner = found.place
        first, last = index - before + 1, index + after + 1
        reference = f"=m{number}"
        if (first, last) != (1, len(self._texts[number])):
            reference += f":{first}" if first == last else f":{first}-{last}"
        if inner:
            reference += f" without {json.dumps(inner, ensure_ascii=False)}"
        if found.lead:
            reference += f" after {json.dumps(found.lead, ensure_ascii=False)}"
        return reference


def _readings(line: str) -> list[tuple[str, str]]:
    """Return the line whole, and without a lead like ``Human: ``, as far as they are long."""
    if len(line) < _LONG:
        return []
    match = _LEAD.match(line)
    end = match.end() if match else 0
    if not end or len(line) - end < _LONG:
        return [("", line)]
    return [("", line), (line[:end], line[end:])]
