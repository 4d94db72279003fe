from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from pytest_refinery.analysis.records import ItemRecord, Outcome, Report
from pytest_refinery.analysis.session_report import compile_report
from pytest_refinery.reports import merging
from tests.unit.analysis.test_records import make_item


def report(*items: ItemRecord) -> Report:
    return compile_report(items, plugin_version="1")


def test_the_items_of_all_shards_are_there_once() -> None:
    merged = merging.merge([("one", report(make_item("a"))), ("two", report(make_item("b", Outcome.PASSED)))])
    assert [item.expectation.id for item in merged.items] == ["a", "b"]
    assert set(merged.sources.values()) == {"one", "two"}
    assert merged.notes == ()


def test_a_re_run_replaces_what_it_repeats_and_that_is_said() -> None:
    merged = merging.merge([("one", report(make_item("a"))), ("again", report(make_item("a", Outcome.PASSED)))])
    assert [item.outcome for item in merged.items] == [Outcome.PASSED]
    assert merged.notes == ("a.refinery.yaml::a is in one and in again: the later one counts",)


def test_what_a_shard_did_not_run_replaces_nothing() -> None:
    merged = merging.merge([("one", report(make_item("a"))), ("two", report(make_item("a", Outcome.SKIPPED)))])
    assert [item.outcome for item in merged.items] == [Outcome.FAILED]


def test_junit_files_are_counted_together() -> None:
    case = '<testcase classname="c" name="{}" time="1.5">{}</testcase>'
    first = f"<testsuites><testsuite>{case.format('a', '<failure/>')}{case.format('b', '')}</testsuite></testsuites>"
    again = f"<testsuites><testsuite>{case.format('a', '')}{case.format('c', '<skipped/>')}</testsuite></testsuites>"
    (suite,) = ET.fromstring(merging.junit([first.encode(), again.encode()]))  # noqa: S314
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped", "time")} == {
        "tests": "3",
        "failures": "0",
        "skipped": "1",
        "time": "4.500",
    }


def test_a_file_that_is_no_xml_is_refused() -> None:
    with pytest.raises(ValueError, match="syntax error"):
        merging.junit([b"no XML"])
