"""The analyst that needs nothing: it answers the stages with rules over the whole trace."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import Finding, GapAnalysis, GroupAnalysis
from pytest_refinery.llm.builtin import conclusion, gaps, ranking, words
from pytest_refinery.llm.builtin.detectors import DETECTORS
from pytest_refinery.llm.builtin.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.schemas import Conclusion
    from pytest_refinery.digest.grouping import Group
    from pytest_refinery.llm.builtin.ranking import Ranked
    from pytest_refinery.llm.builtin.reading import Sign

_LONGEST_TIMELINE = 12
_SHARE = 0.95


class BuiltinAnalyst:
    """Answers the stages of a diagnosis with rules and plain statistics; reads each trace once."""

    name = "builtin"

    def __init__(self, weights: ranking.Weights | None = None) -> None:
        """Take other ``weights`` than the shipped ones, for fitting them."""
        self.weights = weights or ranking.Weights.shipped()
        self._lock = threading.Lock()
        # The case itself is kept, so that its id cannot be given to another one.
        self._last: tuple[Case, Study] | None = None

    def analyse_group(self, case: Case, group: Group) -> GroupAnalysis:
        """Return what the rules found in the runs of ``group``, having read the whole trace."""
        study = self._study(case)
        ids = set(group.run_ids)
        return GroupAnalysis(
            timeline=study.timeline(ids),
            findings=tuple(finding for finding in study.findings() if finding.run_id in ids),
            runs_read=tuple(group.run_ids),
        )

    def find_gaps(self, case: Case, findings: Sequence[Finding]) -> GapAnalysis:
        """Return what was expected beside what was there, and what the agent had not been told."""
        study = self._study(case)
        return gaps.find(study.reading, study.among(findings))

    def conclude(self, case: Case, findings: Sequence[Finding], gaps: GapAnalysis) -> Conclusion:  # noqa: ARG002
        """Name the step that the rules weigh heaviest, and explain it."""
        study = self._study(case)
        return conclusion.conclude(study.reading, study.among(findings), self.weights)

    def _study(self, case: Case) -> Study:
        with self._lock:
            if self._last is None or self._last[0] is not case:
                self._last = (case, Study.of(case, self.weights))
            return self._last[1]


class Study:
    """One case, read once by all detectors."""

    def __init__(self, reading: Reading, ranked: Sequence[Ranked]) -> None:
        self.reading = reading
        self.ranked = tuple(ranked)

    @classmethod
    def of(cls, case: Case, weights: ranking.Weights) -> Study:
        """Let every detector read ``case``."""
        reading = Reading.of(case)
        signs = [sign for detector in DETECTORS for sign in detector(reading)]
        return cls(reading, ranking.rank(reading, signs, weights))

    def findings(self) -> tuple[Finding, ...]:
        """Return all signs as findings: a step's first weighs its probability, each further one a little less."""
        return tuple(
            _finding(sign, ranked.probability * _SHARE**place)
            for ranked in self.ranked
            for place, sign in enumerate(ranked.signs)
        )

    def among(self, findings: Sequence[Finding]) -> tuple[Ranked, ...]:
        """Return the ranked steps, without the signs that are not among ``findings``."""
        kept = {(finding.run_id, finding.rule) for finding in findings}
        return tuple(
            type(ranked)(
                ranked.step,
                tuple(sign for sign in ranked.signs if (sign.step.run_id, sign.rule) in kept),
                ranked.probability,
            )
            for ranked in self.ranked
        )

    def timeline(self, run_ids: set[str]) -> tuple[str, ...]:
        """Return a line for each of the first steps in ``run_ids``."""
        lines = [_line(ranked) for ranked in self.ranked if ranked.step.run_id in run_ids]
        return tuple(lines[:_LONGEST_TIMELINE])


def _finding(sign: Sign, weight: float) -> Finding:
    return Finding(
        run_id=sign.step.run_id,
        what=sign.what,
        failure_type=sign.failure_type,
        rule=sign.rule,
        weight=round(weight, 4),
        evidence=sign.evidence,
    )


def _line(ranked: Ranked) -> str:
    step = ranked.step
    said = words.shown(step.text, limit=80) or ", ".join(call.name for call in step.calls)
    return f"{step.number}. {step.speaker}: {said}"
