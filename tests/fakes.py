"""One fake for each port, and small traces made by hand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_refinery.analysis.ports import Case
from pytest_refinery.analysis.schemas import (
    Conclusion,
    Confidence,
    Evidence,
    FailureType,
    Finding,
    GapAnalysis,
    GroupAnalysis,
)
from pytest_refinery.traces.model import Run, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_refinery.digest.grouping import Group


def make_trace(*texts: str, name: str = "support") -> Trace:
    """Return a flat trace whose runs answer ``texts``; their ids are r1, r2, ..."""
    runs = tuple(
        Run(id=f"r{number}", name=f"step {number}", kind="chain", outputs={"output": text})
        for number, text in enumerate(texts, start=1)
    )
    return Trace(id="t1", name=name, runs=runs, source=f"{name}.json")


def make_case(*texts: str) -> Case:
    return Case(trace=make_trace(*texts), expect="The agent says so.")


def make_finding(run_id: str, *, rule: str = "a rule", weight: float = 0.5, quote: str | None = None) -> Finding:
    evidence = (Evidence(run_id=run_id, quote=quote, why="it says so"),) if quote else ()
    return Finding(
        run_id=run_id,
        what=f"{rule} in {run_id}",
        failure_type=FailureType.PROMPT_ISSUE,
        rule=rule,
        weight=weight,
        evidence=evidence,
    )


def make_conclusion(
    run_id: str | None = "r1", *, quote: str = "", confidence: Confidence = Confidence.HIGH, basis: str = "Measured."
) -> Conclusion:
    return Conclusion(
        failure_type=FailureType.PROMPT_ISSUE,
        root_cause="The prompt never says so.",
        responsible_run_id=run_id,
        confidence=confidence,
        confidence_basis=basis,
        evidence=(Evidence(run_id=run_id or "", quote=quote, why="it says so"),) if quote else (),
    )


@dataclass
class ScriptedAnalyst:
    """Answers as told; a group's answer may be an exception to raise, each in its turn."""

    name: str = "scripted"
    groups: dict[str, list[GroupAnalysis | Exception]] = field(default_factory=dict)
    gaps: GapAnalysis | Exception = field(default_factory=GapAnalysis)
    conclusion: Conclusion | Exception = field(default_factory=make_conclusion)
    asked: list[str] = field(default_factory=list)
    before_group: Callable[[str], None] = lambda _: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def analyse_group(self, case: Case, group: Group) -> GroupAnalysis:
        self.before_group(group.name)
        with self._lock:
            self.asked.append(group.name)
            script = self.groups.get(group.name, [])
            answer = script.pop(0) if script else GroupAnalysis(runs_read=group.run_ids)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def find_gaps(self, case: Case, findings: Sequence[Finding]) -> GapAnalysis:
        self.asked.append("gaps")
        if isinstance(self.gaps, Exception):
            raise self.gaps
        return self.gaps

    def conclude(self, case: Case, findings: Sequence[Finding], gaps: GapAnalysis) -> Conclusion:
        self.asked.append("conclusion")
        if isinstance(self.conclusion, Exception):
            raise self.conclusion
        return self.conclusion


class FakeClock:
    """A monotonic clock that moves when told."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
