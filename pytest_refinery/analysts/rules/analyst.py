"""The analyst that needs nothing: it answers the stages with rules over the whole trace."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import Finding, GroupAnalysis
from pytest_refinery.analysts.rules import (
    conclusion,
    confidence,
    doubts,
    explaining,
    gaps,
    objections,
    ranking,
    tracing,
)
from pytest_refinery.analysts.rules.facts import texts
from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
from pytest_refinery.analysts.rules.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.schemas import Conclusion, GapAnalysis
    from pytest_refinery.analysts.rules.confidence import Precision
    from pytest_refinery.analysts.rules.findings import Found
    from pytest_refinery.analysts.rules.ranking import Ranked
    from pytest_refinery.digest.grouping import Group

_LONGEST_TIMELINE = 12
_NEXT = 0.97


class RulesAnalyst:
    """Answers the stages of a diagnosis with rules; reads each trace once.

    Args:
        precision: How often each rule was right, where other counts than the shipped ones are to be used.
    """

    name = "builtin"

    def __init__(self, precision: Precision | None = None) -> None:
        self._precision = confidence.shipped() if precision is None else precision
        self._lock = threading.Lock()
        # The case itself is kept, so that its id cannot be given to another one.
        self._last: tuple[Case, CaseAnalysis] | None = None

    def analyse_group(self, case: Case, group: Group) -> GroupAnalysis:
        """Return what the rules found in the runs of ``group``, having read the whole trace."""
        study = self._study(case)
        ids = set(group.run_ids)
        return GroupAnalysis(
            timeline=study.timeline(ids),
            findings=tuple(finding for finding in study.findings if finding.run_id in ids),
            runs_read=tuple(group.run_ids),
        )

    def find_gaps(self, case: Case, findings: Sequence[Finding]) -> GapAnalysis:  # noqa: ARG002
        """Return what was expected beside what was there, and what a rule proves to be missing in the prompt."""
        study = self._study(case)
        return gaps.find(study.facts, study.ranked[0].cause if study.ranked else None)

    def conclude(self, case: Case, findings: Sequence[Finding], gaps: GapAnalysis) -> Conclusion:  # noqa: ARG002
        """Name the step that explains the failure, or say that none does."""
        study = self._study(case)
        return conclusion.conclude(study.facts, study.ranked, self._precision)

    def _study(self, case: Case) -> CaseAnalysis:
        with self._lock:
            if self._last is None or self._last[0] is not case:
                self._last = (case, CaseAnalysis(case))
            return self._last[1]


class CaseAnalysis:
    """One case, read once by all rules."""

    def __init__(self, case: Case) -> None:
        self.facts = TraceFacts.of(case)
        self.objections = objections.of(self.facts)

    @cached_property
    def ranked(self) -> tuple[Ranked, ...]:
        """The steps, the likeliest first; one that contradicts the expectation before all."""
        found = [explaining.explained(self.facts, each, self.objections) for each in self._found()]
        ranked = ranking.rank(self.facts, found, objections=len(self.objections))
        return tuple(sorted(ranked, key=_contradicts_the_expectation))

    def _found(self) -> Iterator[Found]:
        """Yield what the rules found and what still holds when it is tested on the whole case."""
        for each in tracing.trace_back(self.facts, self.objections):
            if each.holds(self.facts):
                yield each
        for rule in RULES:
            yield from (each for each in rule(self.facts) if each.holds(self.facts))

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """All findings; a step's first weighs its score, each further one a little less."""
        return tuple(
            _finding(each, ranked.score * _NEXT**place)
            for ranked in self.ranked
            for place, each in enumerate(ranked.found)
        )

    def timeline(self, run_ids: set[str]) -> tuple[str, ...]:
        """Return a line for each of the first steps in ``run_ids``."""
        steps = [step for step in self.facts.steps if step.run_id in run_ids]
        return tuple(
            f"{step.run_number}. {step.speaker}: {texts.shown(step.text, 80) or ', '.join(c.name for c in step.calls)}"
            for step in steps[:_LONGEST_TIMELINE]
        )


def _contradicts_the_expectation(ranked: Ranked) -> bool:
    return not (ranked.cause is not None and ranked.cause.rule == doubts.RULE)


def _finding(found: Found, weight: float) -> Finding:
    return Finding(
        run_id=found.step.run_id,
        what=found.what,
        failure_type=found.failure_type,
        rule=found.rule,
        explains=found.explains,
        weight=round(weight, 4),
        evidence=found.evidence,
    )
