"""Our texts on the terminal, written by pytest's own writer: line by line, in colour where there is any."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_refinery.reports import labels

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import pytest

_BOLD = {"bold": True}
_LABELS = dict.fromkeys((*labels.LABELS, "Plan", "Prompts", "Report", "Diagnosed", "Spent"), _BOLD) | {
    labels.ROOT_CAUSE: {"red": True, "bold": True},
    labels.FAILED: {"red": True, "bold": True},
    "Fixed": {"green": True, "bold": True},
    labels.INCOMPLETE: {"yellow": True, "bold": True},
    labels.NOTE: {"yellow": True, "bold": True},
}
_WIDTH = 13
# What our own texts have beside ASCII.
_IN_ASCII = {
    "\u201c": '"',
    "\u201d": '"',
    "\u2018": "'",
    "\u2019": "'",
    "\u2013": "-",
    "\u2014": "-",
    "\u2026": "...",
    "\u2192": "->",
    "\u00b7": "-",
    "\u00d7": "x",
}
_COUNT = re.compile(r"(?<!\d)\d+ failures? +")
_LONG_LABEL = re.compile(r"[A-Z][a-z ]{12,}(?=: )")
_CHANGE = re.compile(r" {13}(?P<sign>[+-]) ")
_REST_OF_A_CHANGE = re.compile(r" {15}\S")
_ADDED, _TAKEN_AWAY = {"green": True}, {"red": True}


def encodable(text: str, writer: Any) -> str:  # noqa: ANN401  (pytest's writer has no public name)
    """Return a text of which the terminal can show every character: what its encoding has not is replaced."""
    encoding = getattr(getattr(writer, "_file", None), "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_shown(character, encoding) for character in text)
    return text


def _shown(character: str, encoding: str) -> str:
    if character.encode(encoding, "ignore"):
        return character
    return _IN_ASCII.get(character, "?")


def write(writer: Any, lines: Iterable[str]) -> None:  # noqa: ANN401  (pytest's writer has no public name)
    """Write lines of ours: labels stand out, and a change looks like one."""
    change: dict[str, bool] | None = None
    for written in lines:
        line = encodable(written, writer)
        changed = _CHANGE.match(line)
        if changed is not None:
            change = _ADDED if changed["sign"] == "+" else _TAKEN_AWAY
        elif change is None or not _REST_OF_A_CHANGE.match(line):
            change = None
        if change is not None:
            writer.line(line, **change)
        else:
            _write_labelled(writer, line)


def _write_labelled(writer: Any, line: str) -> None:  # noqa: ANN401
    count = _COUNT.match(line)
    found = count or _LONG_LABEL.match(line)
    label = found[0] if found else line[:_WIDTH]
    markup = _LABELS[labels.ROOT_CAUSE] if count else _LABELS.get(label.strip())
    if markup is not None and (found or label.endswith(" ")):
        writer.write(label, **markup)
        line = line[len(label) :]
    writer.line(line)


def paint(report: pytest.TestReport, title: str) -> None:
    """Let our parts of a failure be written by us: the section ``title``, and what is no Python.

    pytest writes them as one text, of which a single character that the terminal cannot show costs all line ends.
    """
    longrepr: Any = report.longrepr
    ours = {content for name, content, _ in getattr(longrepr, "sections", ()) if name == title}
    traceback = getattr(longrepr, "reprtraceback", None)
    if traceback is not None and traceback.style == "native" and hasattr(report, "refinery"):
        ours.update("".join(entry.lines) for entry in traceback.reprentries)
    if ours:
        plain = longrepr.toterminal
        longrepr.toterminal = lambda writer: plain(_Painter(writer, ours))


class _Painter:
    """A writer that writes some texts in colour and leaves all others to the one behind it."""

    def __init__(self, writer: Any, ours: Collection[str]) -> None:  # noqa: ANN401
        self._writer = writer
        self._ours = ours

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._writer, name)

    def line(self, text: str = "", **markup: bool) -> None:
        if text in self._ours:
            write(self._writer, text.splitlines())
        else:
            self._writer.line(text, **markup)

    def write(self, text: str, **markup: bool) -> None:
        if text in self._ours:
            write(self._writer, text.splitlines())
        else:
            self._writer.write(text, **markup)
