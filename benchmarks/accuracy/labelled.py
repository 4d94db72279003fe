"""A labelled trace, and what an analyst said about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.schemas import Confidence


@dataclass(frozen=True)
class Labelled:
    """A trace with the decisive step as people named it.

    Steps are the messages of the conversation, counted from 0 in the order of ``run_ids``.

    Attributes:
        data_set: The group that figures are given for.
        speakers: The agent of each step, in the words of the labels.
        workers: The agents that may be blamed at all; the others only pass on or execute.
        decisive: The step that the label names.
        agent: The agent that the label names, which need not be the speaker of that step.
        failures: All steps that are labelled as failures, the decisive one among them.
        category: The kind of failure, where the labels name one.
        reason: Why, in the words of the label.
    """

    data_set: str
    name: str
    case: Case
    run_ids: tuple[str | None, ...]
    speakers: tuple[str, ...]
    workers: frozenset[str]
    texts: tuple[str, ...]
    decisive: int
    agent: str
    failures: frozenset[int]
    category: str | None = None
    reason: str = ""

    def place(self, run_id: str | None) -> int | None:
        """Return the step that belongs to a run, ``None`` where none does."""
        return self.run_ids.index(run_id) if run_id in self.run_ids and run_id is not None else None


@dataclass(frozen=True)
class Answer:
    """What an analyst, or a trivial rule, says about one labelled trace.

    Attributes:
        step: The decisive step, ``None`` where none was named: counted as wrong.
        verified: How many quotes were found in the trace again, of ``quotes``.
        coverage: The share of the runs that were read, 0 to 1.
    """

    step: int | None
    agent: str | None
    category: str | None = None
    confidence: Confidence | None = None
    said: str = ""
    tokens: int = 0
    seconds: float = 0.0
    coverage: float = 0.0
    quotes: int = 0
    verified: int = 0
    notes: tuple[str, ...] = field(default=())
