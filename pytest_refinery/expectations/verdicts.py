"""What a check found, and how values are shown in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Run

_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check of one value.

    Attributes:
        name: The check and what it looks at, such as ``output.contains``.
        expected: What was expected: ``the answer to contain 'x'``.
        actual: What was there.
        run_id: The run in which it was there, where one run can be named.
    """

    name: str
    passed: bool
    expected: str
    actual: str
    run_id: str | None = None
    run_name: str | None = None

    @property
    def message(self) -> str:
        """The verdict as one line: what was expected, what was there, and in which run."""
        where = "" if self.run_id is None else f" (in run {quoted(self.run_name or '')}, id {self.run_id})"
        return f"expected {self.expected}, was {self.actual}{where}"


class Decision(NamedTuple):
    """What a verdict says, without the name of the check and the run."""

    passed: bool
    expected: str
    actual: str


def verdict(name: str, run: Run | None, decision: Decision) -> Verdict:
    """Return the verdict of check ``name`` about ``run``."""
    run_id, run_name = (None, None) if run is None else (run.id, run.name)
    return Verdict(name, *decision, run_id, run_name)


def quoted(text: str, *, at: int = 0) -> str:
    """Return ``text`` in quotes on one line, about 300 characters around ``at``, control characters as escapes."""
    start = max(0, min(at - _SHOWN // 2, len(text) - _SHOWN))
    cut = text[start : start + _SHOWN]
    before, after = "… " if start else "", " …" if start + _SHOWN < len(text) else ""
    return f"'{before}{visible(cut)}{after}'"


def counted(number: int, noun: str) -> str:
    """Return ``1 run`` or ``2 runs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def visible(text: str) -> str:
    """Return ``text`` with escapes for all that a terminal would obey instead of showing it."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
