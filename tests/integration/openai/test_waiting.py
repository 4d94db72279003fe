"""A limit that lets hardly anything through: the run shows where it stands, and no wait is without an end."""

from __future__ import annotations

import json
import re
import sys
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.test_terminals import Screen, on_a_terminal

if TYPE_CHECKING:
    from pathlib import Path

# The first request fits, the next one does not.
_LIMIT = "4000"
# A notice comes after 5 s of waiting.
_WAITS = ("--refinery", "--refinery-tpm", _LIMIT, "--refinery-max-wait", "7", "-p", "no:cacheprovider")
_TWO = """\
trace: sweep.json
expectations:
  - {id: admits, expect: The agent says that it keeps nothing., checks: [{runs: {at_most: 0}}]}
  - {id: refuses, expect: The agent refuses., checks: [{runs: {at_most: 0}}]}
"""
_STANDING = (
    r"^refinery: diagnosed (\d) of (\d) failures so far, about (?:\d+ s|\d+ min) left at 4,000 tokens per minute$"
)


@pytest.fixture
def two(suite: Path) -> Path:
    (suite / "memory.refinery.yaml").write_text(_TWO, encoding="utf-8")
    return suite


def _diagnoses(folder: Path) -> list[dict[str, Any]]:
    report = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))
    return [item["diagnosis"] for item in report["expectations"]]


def test_a_wait_that_runs_out_ends_with_the_diagnosis_of_the_rules(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest(*_WAITS, "--refinery-report", "out", "-p", "no:xdist")
    result.assert_outcomes(failed=1)
    (found,) = _diagnoses(suite)
    assert (found["analyst"], found["coverage"]["percentage"]) == ("builtin", 100.0)
    assert fnmatch(
        found["partial"],
        "The model gpt-6-luna gave no usable answer (*No room for * tokens within * s: * of 4,000 used in the last "
        "minute by 1 worker. Allow more time (--refinery-max-wait)*): diagnosed by the rules",
    )
    shown = re.findall(_STANDING, result.stdout.str(), re.MULTILINE)
    assert shown == [("0", "1")]


def test_what_does_not_wait_says_nothing_of_a_wait(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--refinery", "-p", "no:xdist")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*failures so far*")


def test_the_controller_says_where_all_workers_stand(pytester: pytest.Pytester, two: Path) -> None:
    result = pytester.runpytest_subprocess(*_WAITS, "--refinery-report", "out", "-n2")
    result.assert_outcomes(failed=2)
    assert [each["analyst"] for each in _diagnoses(two)] == ["builtin", "builtin"]
    shown = re.findall(_STANDING, result.stdout.str(), re.MULTILINE)
    assert ("0", "2") in shown or ("1", "2") in shown


def test_the_progress_of_pytest_stays_whole_on_a_terminal(two: Path) -> None:
    written = on_a_terminal([sys.executable, "-m", "pytest", *_WAITS, "-p", "no:xdist"], two)
    assert "refinery: diagnosed 0 of 1 failures so far, about " in written
    shown = Screen().write(written)
    assert next(line for line in shown if line.startswith("memory")).split() == ["memory.refinery.yaml", "FF", "[100%]"]
    assert not any("failures so far" in line for line in shown)
