from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.analysis import shared_causes
from pytest_refinery.analysis.diagnosis_job import TimedJob
from pytest_refinery.analysis.ports import FailureSummarizer, FailureSummary, Forecast, Job, SharedCause, Stage
from pytest_refinery.analysis.session_report import compile_report
from pytest_refinery.errors import AnalysisError
from tests.unit.analysis.test_records import make_diagnosis, make_item

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_refinery.analysis.records import ItemRecord

FAILURES = tuple(make_item(name, diagnosis=make_diagnosis(f"Cause {name}.")) for name in "abc")
A, B, C = (item.nodeid for item in FAILURES)


@dataclass
class ScriptedSummarizer:
    """Answers as told."""

    answer: FailureSummary | Exception
    model: str = "model-1"
    fingerprint: str = "1"
    before: Callable[[], object] = field(default=lambda: None)

    def summarize(self, failures: Sequence[ItemRecord], job: Job) -> FailureSummary:
        job.spent(Stage.SUMMARY, input_tokens=100, output_tokens=20)
        self.before()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def forecast_summary(self, failures: int) -> Forecast:
        return Forecast(1, 1, 1, 1)


def told(*causes: SharedCause) -> FailureSummary:
    return FailureSummary(summary="Promises are made that nobody keeps.", causes=causes)


def test_the_fake_is_a_summarizer() -> None:
    assert isinstance(ScriptedSummarizer(told()), FailureSummarizer)


def test_causes_are_ranked_by_how_many_expectations_they_break() -> None:
    found = shared_causes.checked(told(SharedCause("Rare.", (C,)), SharedCause("Often.", (A, B), "Say so.")), FAILURES)
    assert [(cause.cause, cause.nodeids, cause.advice) for cause in found.causes] == [
        ("Often.", (A, B), "Say so."),
        ("Rare.", (C,), ""),
    ]


def test_items_that_did_not_fail_are_dropped() -> None:
    found = shared_causes.checked(
        told(SharedCause("All.", (A, "x::y", B, C)), SharedCause("None.", ("x::z",))), FAILURES
    )
    assert [(cause.cause, cause.nodeids) for cause in found.causes] == [("All.", (A, B, C))]


def test_an_item_belongs_to_the_first_cause_that_names_it() -> None:
    found = shared_causes.checked(told(SharedCause("One.", (A, A, B)), SharedCause("Two.", (B, C))), FAILURES)
    assert [cause.nodeids for cause in found.causes] == [(A, B), (C,)]


def test_what_is_in_no_cause_is_grouped_by_its_words() -> None:
    found = shared_causes.checked(told(SharedCause("One.", (A,)), SharedCause("  ", (B,))), FAILURES)
    assert [cause.cause for cause in found.causes] == ["One.", "The prompt is silent.", "The prompt is silent."]


def test_the_summary_costs_what_it_cost_and_counts_in_the_session() -> None:
    result = shared_causes.ask(ScriptedSummarizer(told(SharedCause("All.", (A, B, C)))), FAILURES, TimedJob(10))
    assert (result.record.cost.calls, result.record.cost.input_tokens, result.record.cost.output_tokens) == (
        1,
        100,
        20,
    )
    report = compile_report(FAILURES, plugin_version="1", summary_result=result, dollars=lambda *_: 0.5)
    assert report.session.tokens == 3 * 110 + 120
    assert report.session.dollars == 0.5
    assert report.session.summary == result.record
    assert report.executive_summary == ("3 failed. Promises are made that nobody keeps.")
    assert [cause.cause for cause in report.root_causes] == ["All."]


@pytest.mark.parametrize(
    ("error", "said"),
    [(AnalysisError("the account is closed"), "the account is closed"), (KeyError(), "KeyError")],
)
def test_without_an_answer_rules_group_the_causes_and_the_report_says_why(error: Exception, said: str) -> None:
    result = shared_causes.ask(ScriptedSummarizer(error), FAILURES, TimedJob(10))
    report = compile_report(FAILURES, plugin_version="1", summary_result=result)
    assert report.session.summary is not None
    assert report.session.summary.problem == said
    assert report.session.tokens == 3 * 110 + 120
    assert len(report.root_causes) == 3


@pytest.mark.parametrize("causes", [(), (SharedCause("Others.", ("x::y",)),)])
def test_an_answer_about_something_else_is_none(causes: tuple[SharedCause, ...]) -> None:
    result = shared_causes.ask(ScriptedSummarizer(told(*causes)), FAILURES, TimedJob(10))
    assert result.grouped is None
    assert result.record.problem == "it named no cause of any of the failures"


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    forever = ScriptedSummarizer(told(), before=lambda: threading.Event().wait())
    job = TimedJob(0.05)
    result = shared_causes.ask(forever, FAILURES, job)
    assert result.record.problem == "it was not there within 0.05 s"
    assert job.cancelled.is_set()


def test_what_was_said_in_an_earlier_session_costs_nothing() -> None:
    found = shared_causes.checked(told(SharedCause("All.", (A, B, C))), FAILURES)
    result = shared_causes.recalled("model-1", found)
    assert (result.grouped, result.record.cached, result.record.cost.calls) == (found, True, 0)
