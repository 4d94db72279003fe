"""Reads a digest back: what a model has to be able to do with it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAME = r'(?:[\w./@-]+|"(?:[^"\\]|\\.)*")'
_ITEM = re.compile(rf"m(?P<number>\d+) (?P<heading>{_NAME}(?: {_NAME})*):(?P<first>.*)")
_THINKING = re.compile(r"thinking:(?P<first>.*)")
_REFERENCE = re.compile(
    r'=m(?P<number>\d+)(?::(?P<first>\d+)(?:-(?P<last>\d+))?)?(?: without (?P<inner>"(?:[^"\\]|\\.)*"))?'
    r'(?: after (?P<lead>"(?:[^"\\]|\\.)*"))?'
)


def items(text: str) -> dict[int, str]:
    """Return the text of each item in a digest, references resolved, lines joined by line feeds."""
    found: dict[int, list[str]] = {}
    for number, lines in sorted(_bodies(text.split("\n"))):
        found[number] = [line for written in lines for line in _resolved(written, found)]
    return {number: "\n".join(lines) for number, lines in found.items()}


def thoughts(text: str) -> list[str]:
    """Return the reasoning in a digest, one text for each message that has some."""
    found: list[list[str]] = []
    is_inside = False
    for line in text.split("\n"):
        match = _THINKING.fullmatch(line)
        if match:
            found.append([match["first"].removeprefix(" ")])
        elif is_inside and line[:1] in {"", " "}:
            found[-1].append(line.removeprefix(" "))
        is_inside = bool(match) or (is_inside and line[:1] in {"", " "})
    return ["\n".join(lines) for lines in found]


def _bodies(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    body: list[str] | None = None
    for line in lines:
        match = _ITEM.fullmatch(line)
        if match:
            body = [match["first"]]
            yield int(match["number"]), body
        elif body is not None and line[:1] in {"", " ", "="}:
            body.append(line)
        else:
            body = None


def _resolved(line: str, known: dict[int, list[str]]) -> list[str]:
    match = _REFERENCE.fullmatch(line)
    if not match:
        return [line.removeprefix(" ")]
    lines = known[int(match["number"])]
    first = int(match["first"] or 1)
    last = int(match["last"] or match["first"] or len(lines))
    chosen = lines[first - 1 : last]
    inner = json.loads(match["inner"] or '""')
    assert chosen[0].startswith(inner)
    return [json.loads(match["lead"] or '""') + chosen[0].removeprefix(inner), *chosen[1:]]
