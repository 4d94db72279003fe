"""Lets an analyst diagnose labelled traces, through the engine as users run it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.accuracy.labelled import Answer, Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.accuracy.labelled import Labelled
    from pytest_refinery.analysis.engine import Engine
    from pytest_refinery.analysis.schemas import Diagnosis, SuggestedFix

SHOWN = 3
# The rule that says that the records contradict the expectation.
DOUBT = "contradicted_expectation"


def ask(engine: Engine, cases: Sequence[Labelled], mode: Mode = Mode.CHECKS) -> list[Answer]:
    """Return what the analyst of ``engine`` says about each case."""
    return [ask_one(engine, case, mode) for case in cases]


def ask_one(engine: Engine, case: Labelled, mode: Mode = Mode.CHECKS) -> Answer:
    """Return what the analyst of ``engine`` says about one case."""
    asked = case.case(mode)
    started = time.perf_counter()
    diagnosis = engine.diagnose(asked)
    return _answer(case, diagnosis, seconds=time.perf_counter() - started)


def _answer(case: Labelled, diagnosis: Diagnosis, *, seconds: float) -> Answer:
    step = case.place(diagnosis.responsible_run_id) if diagnosis.is_determined else None
    quotes = [evidence for finding in diagnosis.findings for evidence in finding.evidence]
    return Answer(
        step=step,
        agent=case.speakers[step] if step is not None else None,
        is_determined=diagnosis.is_determined,
        candidates=tuple(case.place(run_id) for run_id in _shown(diagnosis)),
        confidence=diagnosis.confidence,
        rule=_rule(diagnosis),
        doubts_expectation=_rule(diagnosis) == DOUBT,
        fix=_added(diagnosis.suggested_fix) if diagnosis.suggested_fix else "",
        said=diagnosis.root_cause or "",
        tokens=sum(stage.input_tokens + stage.output_tokens for stage in diagnosis.stages),
        seconds=seconds,
        coverage=diagnosis.coverage.percentage / 100,
        quotes=len(quotes),
        verified=sum(evidence.verified for evidence in quotes),
        notes=(diagnosis.partial,) if diagnosis.partial else (),
    )


def _added(fix: SuggestedFix) -> str:
    """Return what a fix adds to the text that is there."""
    return fix.after.replace(fix.before, "").strip() if fix.before else fix.after


def _shown(diagnosis: Diagnosis) -> list[str]:
    """Return the runs that the report shows: the responsible one, then the other candidates."""
    named = [diagnosis.responsible_run_id, *(candidate.run_id for candidate in diagnosis.candidates)]
    return list(dict.fromkeys(run_id for run_id in named if run_id))[:SHOWN]


def _rule(diagnosis: Diagnosis) -> str:
    own = [finding for finding in diagnosis.findings if finding.run_id == diagnosis.responsible_run_id]
    return max(own, key=lambda finding: finding.weight).rule if own else ""
