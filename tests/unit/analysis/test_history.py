from __future__ import annotations

import json

import pytest

from pytest_refinery.analysis import history
from pytest_refinery.analysis.gate import Baseline
from pytest_refinery.analysis.history import ForeignReportError, Past, PastItem
from pytest_refinery.analysis.records import Change, Outcome, Report
from pytest_refinery.analysis.session_report import compile_report
from tests.unit.analysis.test_records import make_diagnosis, make_item

FAILED = make_item("a", diagnosis=make_diagnosis("A promise."))
LAST = history.remembered([FAILED], None)


def reported(name: str, words: str) -> Report:
    item = make_item(name, diagnosis=make_diagnosis(words))
    return compile_report([item], plugin_version="1", baseline=Baseline(LAST))


def test_an_expectation_that_failed_before_is_known_however_its_cause_is_worded() -> None:
    for words in ("A promise.", "Something lasting was promised."):
        report = compile_report(
            [make_item("a", diagnosis=make_diagnosis(words))], plugin_version="1", baseline=Baseline(LAST)
        )
        assert (report.root_causes[0].is_known, report.expectations[0].is_known) == (True, True)


def test_another_expectation_is_new_though_its_cause_is_known() -> None:
    report = compile_report(
        [make_item("b", diagnosis=make_diagnosis("A promise."))], plugin_version="1", baseline=Baseline(LAST)
    )
    assert (report.root_causes[0].is_known, report.expectations[0].change) == (False, Change.NEW)
    assert report.comparison is not None
    assert report.comparison.missing == ("a.refinery.yaml::a",)


def test_without_an_earlier_run_nothing_is_compared() -> None:
    report = compile_report([FAILED], plugin_version="1")
    assert (report.root_causes[0].is_known, report.expectations[0].is_known, report.comparison) == (None, None, None)


def test_what_passed_is_neither_known_nor_new() -> None:
    report = compile_report([make_item("a", Outcome.PASSED)], plugin_version="1", baseline=Baseline(LAST))
    assert report.expectations[0].is_known is None


def test_a_cause_is_gone_when_its_expectations_hold() -> None:
    report = compile_report([make_item("a", Outcome.PASSED)], plugin_version="1", baseline=Baseline(LAST))
    assert report.comparison is not None
    assert [cause.cause for cause in report.comparison.gone] == ["A promise."]
    assert (report.comparison.new, report.comparison.known) == (0, 0)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNDECIDED, Outcome.SKIPPED])
def test_no_cause_is_gone_of_which_an_expectation_does_not_pass(outcome: Outcome) -> None:
    assert history.fixed_causes([make_item("a", outcome)], LAST) == ()
    assert history.fixed_causes([make_item("b", Outcome.PASSED)], LAST) == ()


def test_a_run_of_some_items_forgets_nothing_of_the_others() -> None:
    now = history.remembered([make_item("b", diagnosis=make_diagnosis("Other."))], LAST)
    assert [item.nodeid for item in now.items] == ["a.refinery.yaml::a", "a.refinery.yaml::b"]
    assert history.remembered([make_item("a", Outcome.PASSED)], now).items[0] == now.items[1]


def test_what_was_kept_is_read_again() -> None:
    assert history.read_cached(json.loads(LAST.model_dump_json())) == LAST


@pytest.mark.parametrize("kept", [None, [], "x", {"items": 1}, {"schema_version": 99, "items": []}])
def test_what_somebody_else_kept_is_not_used(kept: object) -> None:
    assert history.read_cached(kept) is None


def test_an_earlier_report_is_read() -> None:
    report = compile_report([FAILED], plugin_version="1")
    found = history.read_report(report.model_dump_json(), name="out/report.json")
    assert found == Past(name="out/report.json", items=LAST.items)


def test_fields_of_later_versions_are_no_obstacle() -> None:
    report = json.loads(compile_report([FAILED], plugin_version="1").model_dump_json())
    report["later"] = report["expectations"][0]["diagnosis"]["later"] = 1
    assert history.read_report(json.dumps(report), name="x").items == LAST.items


@pytest.mark.parametrize("text", ["", "{", "[]", '{"created": 1, "tests": []}', '{"schema_version": "x"}'])
def test_a_file_that_is_no_report_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ForeignReportError, match=r"out/report\.json is not a report of pytest-refinery"):
        history.read_report(text, name="out/report.json")


def test_a_report_of_another_schema_is_not_compared() -> None:
    with pytest.raises(ForeignReportError, match="has schema_version 99, later than our 3"):
        history.read_report('{"schema_version": 99, "expectations": []}', name="x")


@pytest.mark.parametrize(
    ("past", "now"),
    [
        (["below/m.refinery.yaml::a/b", "below/deep/n.yaml::c"], ["m.refinery.yaml::a/b", "deep/n.yaml::c"]),
        (["m.refinery.yaml::a", "deep/n.yaml::c"], ["proj/below/m.refinery.yaml::a", "proj/below/deep/n.yaml::c"]),
    ],
)
def test_a_run_that_was_started_in_another_folder_is_compared_with_the_same_expectations(
    past: list[str], now: list[str]
) -> None:
    earlier = Past(items=tuple(PastItem(nodeid=each, outcome=Outcome.PASSED) for each in past))
    assert list(earlier.seen_from(now[:1]).by_nodeid) == now


def test_node_ids_of_the_same_folder_stay_though_another_ends_alike() -> None:
    past = Past(items=tuple(PastItem(nodeid=each, outcome=Outcome.PASSED) for each in ("a/m.yaml::x", "m.yaml::x")))
    assert past.seen_from(["m.yaml::x"]) == past
    assert past.seen_from(["other.yaml::x"]) == past
