from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from pytest_refinery.analysis import plans, verdicts
from pytest_refinery.analysis.diagnosis_job import TimedJob
from pytest_refinery.analysis.ports import Case, Forecast, Job, Judgement, Stage
from pytest_refinery.analysis.records import JudgeVerdict, PlanRecord
from pytest_refinery.analysis.schemas import Evidence
from pytest_refinery.errors import AnalysisError
from tests.fakes import make_case

MET, UNMET, UNSURE = (
    Judgement(is_met=True, reasons=("yes",)),
    Judgement(is_met=False, reasons=("no",)),
    Judgement(is_met=None, reasons=("perhaps",)),
)


@dataclass
class ScriptedJudge:
    script: list[Judgement | Exception]
    model: str = "scripted"
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, case: Case, job: Job) -> Judgement:
        job.spent(Stage.JUDGE, input_tokens=100, output_tokens=10)
        with self._lock:
            answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def forecast_judge(self, case: Case) -> Forecast:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("script", "rate", "verdict"),
    [
        ([MET], 1.0, JudgeVerdict.MET),
        ([UNMET], 1.0, JudgeVerdict.NOT_MET),
        ([UNSURE], 1.0, JudgeVerdict.UNDECIDED),
        ([MET, UNMET, MET], 0.67, JudgeVerdict.MET),
        ([MET, UNMET, MET], 0.66, JudgeVerdict.MET),
        ([MET, UNMET, UNMET], 0.5, JudgeVerdict.NOT_MET),
        ([MET, UNMET, UNSURE], 0.5, JudgeVerdict.UNDECIDED),
        ([MET, AnalysisError("broken"), MET], 0.6, JudgeVerdict.MET),
        ([AnalysisError("broken")] * 3, 0.1, JudgeVerdict.UNDECIDED),
    ],
)
def test_trials_are_counted(script: list[Judgement | Exception], rate: float, verdict: JudgeVerdict) -> None:
    trials = len(script)
    found = verdicts.decide(ScriptedJudge([*script]), make_case("one"), TimedJob(30), trials=trials, pass_rate=rate)
    assert (found.verdict, found.trials, found.pass_rate) == (verdict, trials, rate)
    assert (found.cost.calls, found.cost.input_tokens) == (trials, 100 * trials)


def test_reasons_are_those_of_the_verdict() -> None:
    found = verdicts.decide(ScriptedJudge([MET, UNMET, MET]), make_case("one"), TimedJob(30), trials=3, pass_rate=0.5)
    assert found.reasons == ("yes",)


def test_only_quotes_that_the_trace_has_are_shown() -> None:
    quotes = (Evidence(run_id="r1", quote="one two"), Evidence(run_id="r1", quote="never said"))
    judge = ScriptedJudge([Judgement(is_met=False, reasons=("no",), quotes=quotes)])
    found = verdicts.decide(judge, make_case("one two three"), TimedJob(30))
    assert [quote.quote for quote in found.quotes] == ["one two"]


def test_a_judge_that_does_not_answer_in_time_leaves_it_undecided() -> None:
    class Slow(ScriptedJudge):
        def judge(self, case: Case, job: Job) -> Judgement:
            job.cancelled.wait(30)
            return MET

    job = TimedJob(0.05)
    found = verdicts.decide(Slow([]), make_case("one"), job)
    assert found.verdict == JudgeVerdict.UNDECIDED
    assert found.reasons == ("The judge did not answer within 0.05 s (--refinery-timeout).",)
    assert job.cancelled.is_set()


def test_plans_add_up() -> None:
    plan = PlanRecord(calls=3, input_tokens=9_000, least_output_tokens=300, most_output_tokens=3_000)
    assert plans.total([]) == PlanRecord()
    assert plans.times(plan, 2) == PlanRecord(
        calls=6, input_tokens=18_000, least_output_tokens=600, most_output_tokens=6_000
    )
    found = plans.session([plan] * 10, model="m", limit=30_000, dollars=lambda _, given, said: (given + said) / 1e6)
    assert (found.items, found.calls, found.minutes) == (10, 30, 2.1)
    assert found.least_dollars == pytest.approx(0.093)
    assert found.most_dollars == pytest.approx(0.12)
    assert plans.minutes(10_000, limit=30_000) == 0
