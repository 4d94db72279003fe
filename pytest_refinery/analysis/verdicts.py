"""The judge's verdict on an expectation: one trial or several, counted."""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from pytest_refinery.analysis.concurrency import CutShort, run_all
from pytest_refinery.analysis.evidence import Verifier
from pytest_refinery.analysis.ports import Judgement, Stage
from pytest_refinery.analysis.records import JudgeRecord, JudgeVerdict
from pytest_refinery.digest import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysis.diagnosis_job import TimedJob
    from pytest_refinery.analysis.ports import Case, Judge
    from pytest_refinery.analysis.schemas import Evidence

TRIALS_AT_ONCE = 4
_SHOWN = 3


def decide(
    judge: Judge,
    case: Case,
    job: TimedJob,
    *,
    trials: int = 1,
    pass_rate: float = 1.0,
    at_once: int = TRIALS_AT_ONCE,
) -> JudgeRecord:
    """Ask the judge ``trials`` times, and say whether at least the share ``pass_rate`` found the expectation met.

    A trial without a usable answer counts neither way: the verdict is undecided where it might have turned it.
    ``at_once`` of them run side by side.
    """
    started = job.clock()
    judgements = _judgements(judge, case, job, trials, at_once)
    met, unmet = ([each for each in judgements if each.is_met is wanted] for wanted in (True, False))
    verdict = _verdict(len(met), len(unmet), trials, pass_rate)
    spoken = {JudgeVerdict.MET: met, JudgeVerdict.NOT_MET: unmet}.get(
        verdict, [each for each in judgements if each.is_met is None]
    )
    return JudgeRecord(
        model=judge.model,
        verdict=verdict,
        trials=trials,
        met=len(met),
        not_met=len(unmet),
        pass_rate=pass_rate,
        reasons=tuple(dict.fromkeys(reason for each in spoken for reason in each.reasons))[:_SHOWN],
        quotes=_verified(case, spoken)[:_SHOWN],
        cost=job.report(Stage.JUDGE, calls=trials, started=started),
        notes=job.notes,
    )


def _judgements(judge: Judge, case: Case, job: TimedJob, trials: int, at_once: int) -> list[Judgement]:
    calls = [partial(judge.judge, case, job)] * trials
    found: list[Judgement] = []
    try:
        for _, result in run_all(calls, workers=at_once, seconds_left=job.seconds_left):
            found.append(_failed(result, job) if isinstance(result, Exception) else result)
    finally:
        job.finish()
    return found


def _failed(error: Exception, job: TimedJob) -> Judgement:
    if isinstance(error, CutShort):
        return Judgement(None, (f"The judge did not answer within {job.seconds:g} s (--refinery-timeout).",))
    return Judgement(None, (f"The judge gave no answer: {error}",))


def wanted(trials: int, pass_rate: float) -> int:
    """Return how many of ``trials`` must find the expectation met."""
    # Rates such as 2/3 are written as 0.66 or 0.67.
    return max(ceil(round(pass_rate * trials, 1)), 1)


def _verdict(met: int, unmet: int, trials: int, pass_rate: float) -> JudgeVerdict:
    least = wanted(trials, pass_rate)
    if met >= least:
        return JudgeVerdict.MET
    return JudgeVerdict.NOT_MET if trials - unmet < least else JudgeVerdict.UNDECIDED


def _verified(case: Case, judgements: Sequence[Judgement]) -> tuple[Evidence, ...]:
    quotes = [quote for each in judgements for quote in each.quotes]
    if not quotes:
        return ()
    shown = {entry.run_id: entry.text for entry in render.digest(case.trace).entries}
    return tuple(each for each in Verifier(case.trace, shown=shown).verified(quotes) if each.verified)
