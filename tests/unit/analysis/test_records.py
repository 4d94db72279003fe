from __future__ import annotations

from pytest_refinery.analysis.records import ExpectationRecord, ItemRecord, Outcome, Report
from pytest_refinery.analysis.schemas import Confidence, Coverage, Diagnosis, FailureType, StageReport
from pytest_refinery.analysis.session_report import compile_report


def make_diagnosis(cause: str = "", *, root_cause: str = "The prompt is silent.") -> Diagnosis:
    return Diagnosis(
        failure_type=FailureType.PROMPT_ISSUE,
        cause=cause,
        root_cause=root_cause,
        responsible_run_id="r1",
        responsible_run_name="answer",
        confidence=Confidence.MEDIUM,
        coverage=Coverage(runs_total=1, runs_read=1, percentage=100.0),
        analyst="builtin",
        stages=(StageReport(name="trace analysis", input_tokens=100, output_tokens=10, seconds_waited=0.25),),
    )


def make_item(name: str, outcome: Outcome = Outcome.FAILED, diagnosis: Diagnosis | None = None) -> ItemRecord:
    expectation = ExpectationRecord(id=name, expect="It says so.", file="a.refinery.yaml", line=3)
    return ItemRecord(nodeid=f"a.refinery.yaml::{name}", outcome=outcome, expectation=expectation, diagnosis=diagnosis)


def report(*items: ItemRecord) -> Report:
    return compile_report(items, plugin_version="1")


def test_failures_of_one_cause_are_one_root_cause() -> None:
    items = [make_item(name, diagnosis=make_diagnosis("A promise.", root_cause=f"Case {name}.")) for name in "abc"]
    (cause,) = report(*items).root_causes
    assert cause.cause == "A promise."
    assert len(cause.nodeids) == 3


def test_a_cause_with_one_failure_is_told_in_the_words_of_that_case() -> None:
    (cause,) = report(make_item("a", diagnosis=make_diagnosis("A promise.", root_cause="Case a."))).root_causes
    assert cause.cause == "Case a."


def test_the_most_frequent_cause_comes_first() -> None:
    items = [
        make_item("a", diagnosis=make_diagnosis("rare")),
        make_item("b", diagnosis=make_diagnosis("often")),
        make_item("c", diagnosis=make_diagnosis("Often")),
    ]
    assert [len(cause.nodeids) for cause in report(*items).root_causes] == [2, 1]


def test_the_session_counts_outcomes_tokens_and_waits() -> None:
    session = report(
        make_item("a", Outcome.PASSED),
        make_item("b", diagnosis=make_diagnosis()),
        make_item("c", Outcome.UNDECIDED),
        make_item("d", Outcome.SKIPPED),
        make_item("e", diagnosis=make_diagnosis()),
    ).session
    assert (session.expectations, session.passed, session.failed, session.undecided, session.skipped) == (5, 1, 2, 1, 1)
    assert (session.tokens, session.seconds_waited) == (220, 0.5)
    assert session.analysts == ("builtin",)


def test_what_was_replayed_cost_nothing_in_this_session() -> None:
    items = [make_item(name, diagnosis=make_diagnosis()) for name in "ab"]
    session = compile_report(items, plugin_version="1", replayed={items[0].nodeid}).session
    assert (session.replayed, session.tokens, session.seconds_waited) == (1, 110, 0.25)


def test_the_summary_says_what_holds_what_not_and_why() -> None:
    found = report(
        make_item("a", Outcome.PASSED), make_item("b", diagnosis=make_diagnosis()), make_item("c", Outcome.UNDECIDED)
    )
    assert found.executive_summary == ("1 failed, 1 undecided, 1 passed. Why: The prompt is silent.")


def test_the_summary_names_a_cause_that_failures_share_and_no_other() -> None:
    silent, deaf = make_diagnosis(), make_diagnosis(cause="The tool is deaf.", root_cause="The tool is deaf.")
    shared = report(make_item("a", diagnosis=silent), make_item("b", diagnosis=silent), make_item("c", diagnosis=deaf))
    assert "Most frequent cause, 2 of 3 failures: The prompt is silent." in shared.executive_summary
    single = report(make_item("a", diagnosis=silent), make_item("b", diagnosis=deaf))
    assert single.executive_summary.endswith("2 failed. Each failure has a cause of its own.")


def test_items_stand_in_the_order_of_their_files_whatever_order_they_ran_in() -> None:
    items = [make_item("b"), make_item("a")]
    assert report(*items) == report(*reversed(items))


def test_a_report_survives_its_own_json() -> None:
    found = report(make_item("a", diagnosis=make_diagnosis()))
    assert Report.model_validate_json(found.model_dump_json()) == found
