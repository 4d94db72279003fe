from __future__ import annotations

import pytest

from pytest_refinery.errors import CheckError
from pytest_refinery.expectations.checks import Check, run_checks
from pytest_refinery.sources.json_files import JsonFiles
from tests.data_paths import require
from tests.unit.expectations.made import answering, make_check, speaking

UNDECIDED = make_check("latency", {"seconds": 1})


def test_verdicts_come_in_the_order_of_the_checks() -> None:
    checks = [
        make_check("errors", "none"),
        make_check("output", {"contains": "Hi"}),
        make_check("runs", {"at_most": 0}),
    ]
    assert [(verdict.name, verdict.passed) for verdict in run_checks(checks, answering("Hi"))] == [
        ("errors.none", True),
        ("output.contains", True),
        ("runs.at_most", False),
    ]


def test_without_checks_there_are_no_verdicts() -> None:
    assert run_checks([], answering("Hi")) == ()


def test_what_cannot_be_decided_is_raised_where_nothing_has_failed() -> None:
    checks = [make_check("errors", "none"), UNDECIDED, make_check("tokens", {"at_most": 3})]
    with pytest.raises(CheckError) as caught:
        run_checks(checks, answering("Hi"))
    assert str(caught.value).splitlines() == [
        "latency.seconds cannot be decided: the trace 'support' records no times.",
        "tokens.at_most cannot be decided for the trace 'support': it has no LLM run.",
    ]


def test_a_failure_decides_though_another_check_cannot_be_decided() -> None:
    failed, undecided = run_checks([UNDECIDED, make_check("output", {"contains": "Bye"})], answering("Hi"))
    assert (failed.name, failed.passed) == ("output.contains", False)
    assert undecided.message == (
        "expected a decision, was none: latency.seconds cannot be decided: the trace 'support' records no times."
    )
    assert not undecided.passed


def test_a_check_dumps_to_what_the_file_says() -> None:
    assert make_check("python", "a:b").model_dump() == {"python": "a:b"}
    assert make_check("errors", "none").model_dump(exclude_defaults=True) == {"errors": {"none": True}}


def test_a_check_stays_itself() -> None:
    check = make_check("output", {"contains": "x"})
    assert Check.model_validate(check) is check


EVERY_CHECK = [
    make_check("output", {"contains": "a", "not_contains": "b", "matches": "c", "not_matches": "d", "equals": "e"}),
    make_check("output", {"json_schema": {"type": "object"}}),
    make_check("tools", {"called": "a", "not_called": "b", "in_order": ["a", "b"], "at_most": 3}),
    make_check("tools", {"arguments": {"get_order_details": {"order_id": "x"}}}),
    make_check("errors", {"none": True, "at_most": 1, "not_matches": "x"}),
    make_check("runs", {"at_most": 3}),
]


@pytest.mark.parametrize(
    "folder", ["langsmith_tau/nested", "langsmith_tau/turns", "langsmith_sdk_runs", "who_and_when"]
)
def test_every_check_decides_every_real_trace(folder: str) -> None:
    paths = [path for path in require(folder).rglob("*.json*") if path.stat().st_size]
    assert len(paths) > 5
    for path in paths:
        verdicts = run_checks(EVERY_CHECK, JsonFiles().load(str(path), base=path.parent))
        assert len(verdicts) == 15


def test_a_transcript_can_be_checked() -> None:
    trace = speaking({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"})
    assert all(verdict.passed for verdict in run_checks([make_check("output", {"equals": "Hello"})], trace))
