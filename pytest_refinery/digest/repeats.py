"""Finds the lines of earlier texts again, so that history pasted into a prompt is written once."""

from __future__ import annotations

import json
import re
from array import array
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from pytest_refinery.digest.lines import indented

# A reference costs about as much as forty characters of text, and lines of a text are harder to find than all of it.
_LONG = 40
_WORTH_A_RANGE = 120
# Text and line are kept as one number.
_MOST_LINES = 1 << 32
_LEAD = re.compile(r"\s*(?:[\w .()'\[*#>-]{1,40}[:\]>]\**\s+)?")


@dataclass(frozen=True, slots=True)
class _Text:
    """A text, and where each of its lines starts; the last start is one beyond the end."""

    text: str
    starts: array[int]

    def line(self, index: int) -> str:
        return self.text[self.starts[index] : self.starts[index + 1] - 1]

    @property
    def height(self) -> int:
        return len(self.starts) - 1


class _Found(NamedTuple):
    """A line of text ``number``, without ``inner`` at its start, stands after ``lead`` in the new line."""

    number: int
    row: int
    inner: str
    lead: str


class _Repeat(NamedTuple):
    """How many lines before and after the one that was found repeat too."""

    before: int
    after: int
    reference: str


class LineIndex:
    """The lines of all texts written so far, by what they say.

    A line of forty characters or more finds its copies; the lines around it are compared one
    by one, so that a long range costs one reference. What is kept is small beside the texts:
    lines are found by their hash and then compared.
    """

    def __init__(self) -> None:
        self._texts: dict[int, _Text] = {}
        self._places: dict[int, int] = {}

    def add(self, number: int, lines: list[str], *, text: str) -> None:
        """Remember the lines of text ``number``, which is ``text``; the latest copy of a line is the one found."""
        places = {hash(rest): index for index, line in enumerate(lines) for _, rest in _readings(line)}
        if not places:
            return
        joined = "\n".join(lines)
        starts = array("Q", accumulate((len(line) + 1 for line in lines), initial=0))
        # The text itself is in memory anyway, as part of the trace.
        self._texts[number] = _Text(text if text == joined else joined, starts)
        self._places.update((key, number * _MOST_LINES + index) for key, index in places.items())

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
        after = self._same_after(lines, at, found)
        is_whole = before + 1 + after == self._texts[found.number].height
        size = sum(map(len, lines[at - before : at + 1 + after]))
        return (
            _Repeat(before, after, self._reference(found, before, after))
            if is_whole or size >= _WORTH_A_RANGE
            else None
        )

    def _find(self, line: str) -> _Found | None:
        for lead, rest in _readings(line):
            number, index = divmod(self._places.get(hash(rest), 0), _MOST_LINES)
            earlier = self._texts[number].line(index) if number else ""
            if earlier.endswith(rest):
                return _Found(number, index, earlier.removesuffix(rest), lead)
        return None

    def _same_before(self, lines: list[str], at: int, found: _Found, *, most: int) -> int:
        if found.lead or found.inner:
            return 0
        earlier, most = self._texts[found.number], min(most, found.row)
        count = 0
        while count < most and lines[at - count - 1] == earlier.line(found.row - count - 1):
            count += 1
        return count

    def _same_after(self, lines: list[str], at: int, found: _Found) -> int:
        earlier = self._texts[found.number]
        most = min(len(lines) - at, earlier.height - found.row) - 1
        count = 0
        while count < most and lines[at + count + 1] == earlier.line(found.row + count + 1):
            count += 1
        return count

    def _reference(self, found: _Found, before: int, after: int) -> str:
        first, last = found.row - before + 1, found.row + after + 1
        reference = f"=m{found.number}"
        if (first, last) != (1, self._texts[found.number].height):
            reference += f":{first}" if first == last else f":{first}-{last}"
        if found.inner:
            reference += f" without {json.dumps(found.inner, ensure_ascii=False)}"
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
