"""All labelled traces from the data beside the checkout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.accuracy import support, teams
from benchmarks.accuracy.planted import cases as planted

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.accuracy.labelled import Labelled


def read(data: Path, *, kind: str = "nested") -> list[Labelled]:
    """Return all labelled traces under ``data``, the support conversations in their ``kind`` of recording."""
    return [*support.read(data / "langsmith_tau", kind=kind), *teams.read(data / "who_and_when")]


def unseen(data: Path) -> list[Labelled]:
    """Return all traces but the errors planted in the development half, which rules are made with in sight."""
    return [*read(data), *planted.read(data, chosen=planted.HALVES[1]), *planted.read_german()]
