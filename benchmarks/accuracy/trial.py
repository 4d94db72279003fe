"""Lets an analyst diagnose labelled traces, through the engine as users run it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.accuracy import categories
from benchmarks.accuracy.labelled import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.accuracy.labelled import Labelled
    from pytest_refinery.analysis.engine import Engine
    from pytest_refinery.analysis.schemas import Diagnosis


def ask(engine: Engine, cases: Sequence[Labelled]) -> list[Answer]:
    """Return what the analyst of ``engine`` says about each case."""
    return [ask_one(engine, case) for case in cases]


def ask_one(engine: Engine, case: Labelled) -> Answer:
    """Return what the analyst of ``engine`` says about one case."""
    started = time.perf_counter()
    diagnosis = engine.diagnose(case.case)
    return _answer(case, diagnosis, seconds=time.perf_counter() - started)


def _answer(case: Labelled, diagnosis: Diagnosis, *, seconds: float) -> Answer:
    step = case.place(diagnosis.responsible_run_id)
    quotes = [evidence for finding in diagnosis.findings for evidence in finding.evidence]
    return Answer(
        step=step,
        agent=case.speakers[step] if step is not None else None,
        category=categories.of(diagnosis) if case.category else None,
        confidence=diagnosis.confidence,
        said=diagnosis.root_cause,
        tokens=sum(stage.input_tokens + stage.output_tokens for stage in diagnosis.stages),
        seconds=seconds,
        coverage=diagnosis.coverage.percentage / 100,
        quotes=len(quotes),
        verified=sum(evidence.verified for evidence in quotes),
        notes=(diagnosis.partial,) if diagnosis.partial else (),
    )
