"""Our texts in colour, written by pytest's own writer: it knows whether there is any."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import pytest

_BOLD = {"bold": True}
_LABELS = dict.fromkeys(
    "expected because was run evidence gap lacked assumed stale fix finding analyst stages compared diagnosed spent "
    "plan written".split(),
    _BOLD,
) | {
    "in short": _BOLD,
    "root cause": {"red": True, "bold": True},
    "gone": {"green": True, "bold": True},
    "partial": {"yellow": True, "bold": True},
    "note": {"yellow": True, "bold": True},
}
_WIDTH = 11
_COUNT = re.compile(r"\d+ of \d+ failures?: ")
_CHANGE = re.compile(r" {11}(?P<sign>[+-]) ")
_REST_OF_A_CHANGE = re.compile(r" {13}\S")
_ADDED, _TAKEN_AWAY = {"green": True}, {"red": True}


def write(writer: Any, lines: Iterable[str]) -> None:  # noqa: ANN401  (pytest's writer has no public name)
    """Write lines of ours: labels stand out, and a change looks like one."""
    change: dict[str, bool] | None = None
    for line in lines:
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
    label = count[0] if count else line[:_WIDTH]
    markup = _LABELS["root cause"] if count else _LABELS.get(label.strip())
    if markup is not None and label.endswith(" "):
        writer.write(label, **markup)
        line = line[len(label) :]
    writer.line(line)


def paint(report: pytest.TestReport, title: str) -> None:
    """Let a failure be shown with our parts of it in colour: the section ``title``, and what is no Python.

    Nothing else about the report changes: where there are no colours, the same text is written.
    """
    longrepr: Any = report.longrepr
    ours = {content for name, content, _ in getattr(longrepr, "sections", ()) if name == title}
    traceback = getattr(longrepr, "reprtraceback", None)
    if traceback is not None and traceback.style == "native" and hasattr(report, "refinery"):
        ours.update("".join(entry.lines) for entry in traceback.reprentries)
    if ours:
        plain = longrepr.toterminal
        longrepr.toterminal = lambda writer: plain(_Painter(writer, ours) if writer.hasmarkup else writer)


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
