"""A labelled trace, the ways of asking about it, and what an analyst said."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_refinery.analysis.ports import Case
from pytest_refinery.expectations.checks import Check, run_checks
from pytest_refinery.traces import prompts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_refinery.analysis.ports import PromptFile
    from pytest_refinery.analysis.schemas import Confidence
    from pytest_refinery.expectations.verdicts import CheckFailure
    from pytest_refinery.traces.model import Trace


class Mode(StrEnum):
    """What the analyst is given of an expectation."""

    CHECKS = "checks"
    SENTENCE = "sentence"
    EMPTY = "empty"
    REASON = "reason"


@dataclass(frozen=True)
class Labelled:
    """A trace with the decisive step as it is known, and the expectation that an expert would write.

    Steps are the messages of the conversation, counted from 0 in the order of ``run_ids``.

    Attributes:
        data_set: The group that figures are given for.
        expect: The expert's sentence.
        checks: The expert's checks.
        reason: Why it failed, in the words of the label: for the mode ``reason`` only.
        speakers: The agent of each step, in the words of the labels.
        workers: The agents that may be blamed at all; the others only pass on or execute.
        decisive: The step that the label names; ``None`` where the expectation is wrong and the agent right.
        agent: The agent that the label names, which need not be the speaker of that step.
        kind: The kind of error, where the answer is known by construction.
        secrets: What no suggested fix may carry: expected values, the question, names and ids of the case.
    """

    data_set: str
    name: str
    trace: Trace
    expect: str
    checks: tuple[Check, ...]
    run_ids: tuple[str | None, ...]
    speakers: tuple[str, ...]
    workers: frozenset[str]
    texts: tuple[str, ...]
    decisive: int | None
    agent: str
    reason: str = ""
    kind: str = ""
    secrets: tuple[str, ...] = ()
    prompt_files: tuple[PromptFile, ...] = ()

    def place(self, run_id: str | None) -> int | None:
        """Return the step that belongs to a run, ``None`` where none does."""
        return self.run_ids.index(run_id) if run_id in self.run_ids and run_id is not None else None

    @cached_property
    def failures(self) -> tuple[CheckFailure, ...]:
        """What the checks objected to, as a run of the plugin finds it."""
        return failures(self.checks, self.trace)

    def case(self, mode: Mode) -> Case:
        """Return what the analyst is asked in ``mode``."""
        sentences = {Mode.EMPTY: "", Mode.REASON: self.reason}
        return Case(
            trace=self.trace,
            expect=sentences.get(mode, self.expect),
            failures=self.failures if mode is Mode.CHECKS else (),
            prompts=prompts.extract(self.trace),
            prompt_files=self.prompt_files,
        )


def failures(checks: Iterable[Check], trace: Trace) -> tuple[CheckFailure, ...]:
    """Return what checks object to in a trace."""
    return tuple(verdict.failure for verdict in run_checks(checks, trace) if verdict.failure is not None)


@dataclass(frozen=True)
class Answer:
    """What an analyst, or a trivial rule, says about one labelled trace.

    Attributes:
        step: The decisive step; ``None`` where none was named or the run is no step: counted as wrong.
        is_determined: Whether a run was named at all.
        candidates: The steps that were shown, the likeliest first; at most three.
        rule: The rule that the cause rests on, ``""`` where an analyst names none.
        fix: What a fix would add, without the text that is there; ``""`` without one.
        doubts_expectation: Whether it says that the expectation may be wrong.
        verified: How many quotes were found in the trace again, of ``quotes``.
        coverage: The share of the runs that were read, 0 to 1.
    """

    step: int | None
    agent: str | None
    is_determined: bool = True
    candidates: tuple[int | None, ...] = ()
    confidence: Confidence | None = None
    rule: str = ""
    fix: str = ""
    doubts_expectation: bool = False
    said: str = ""
    tokens: int = 0
    seconds: float = 0.0
    coverage: float = 0.0
    quotes: int = 0
    verified: int = 0
    notes: tuple[str, ...] = field(default=())
