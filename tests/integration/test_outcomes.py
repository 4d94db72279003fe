"""What pytest says of an item is what its record says, whatever the style of the test."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HEAD = """\
import asyncio, sys, unittest
import pytest


class Mine(BaseException):
    pass


@pytest.fixture
def trace(refinery_trace):
    with refinery_trace.run("agent", inputs={"question": "hi"}) as root:
        root.outputs = {"answer": "from now on I will"}


@pytest.fixture
def broken():
    raise RuntimeError("the fixture is broken")


@pytest.fixture
def broken_end():
    yield
    raise RuntimeError("the end is broken")

"""
# Name, decorators and arguments, body, outcome, whether it is diagnosed.
KINDS = {
    "passes": ("", "trace", "pass", "passed", False),
    "fails": ("", "trace", "assert 'from now on' == ''", "failed", True),
    "exits": ("", "trace", "sys.exit(3)", "failed", True),
    "is_cancelled": ("", "trace", "raise asyncio.CancelledError", "failed", True),
    "raises_its_own": ("", "trace", "raise Mine('x')", "failed", True),
    "is_skipped": ("", "trace", "pytest.skip('not today')", "skipped", False),
    "is_skipped_by_unittest": ("", "trace", "raise unittest.SkipTest('not today')", "skipped", False),
    "is_marked_skip": ("@pytest.mark.skip(reason='later')", "trace", "assert 0", "skipped", False),
    "is_expected_to_fail": ("@pytest.mark.xfail(reason='known')", "trace", "assert 0", "skipped", False),
    "is_not_run": ("@pytest.mark.xfail(run=False)", "trace", "assert 0", "skipped", False),
    "says_xfail": ("", "trace", "pytest.xfail('known')", "skipped", False),
    "passes_unexpectedly": ("@pytest.mark.xfail", "trace", "pass", "passed", False),
    "passes_strictly": ("@pytest.mark.xfail(strict=True)", "trace", "pass", "failed", False),
    "raises_another": ("@pytest.mark.xfail(raises=KeyError)", "trace", "assert 0", "failed", True),
    "has_a_broken_fixture": ("", "trace, broken", "pass", "undecided", False),
    "has_a_broken_end": ("", "trace, broken_end", "pass", "undecided", False),
    "fails_with_a_broken_end": ("", "trace, broken_end", "assert 0", "failed", True),
}
OUTCOMES = {kind: outcome for kind, (_, _, _, outcome, _) in KINDS.items()}
DIAGNOSED = {kind for kind, (*_, is_diagnosed) in KINDS.items() if is_diagnosed}


def written(kinds: Sequence[str]) -> str:
    tests = []
    for number, kind in enumerate(kinds):
        decorators, arguments, body, *_ = KINDS[kind]
        name = f"test_{kind}__{number}"
        tests.append(f"{decorators}\n@pytest.mark.refinery(expect='{kind}')\ndef {name}({arguments}):\n    {body}\n")
    return HEAD + "\n\n".join(tests)


def records_of(folder: Path) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))[
        "expectations"
    ]
    return items


def counts_of(result: pytest.RunResult) -> Counter[str]:
    """Return pytest's own counts, as records have them: an error beside a failure is one item."""
    found = Counter(result.parseoutcomes())
    return Counter(
        passed=found["passed"] + found["xpassed"],
        failed=found["failed"],
        undecided=found["errors"] + found["error"],
        skipped=found["skipped"] + found["xfailed"],
    )


def test_each_kind_has_the_outcome_that_pytest_says(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(written(list(KINDS)))
    pytester.runpytest("--refinery", "--refinery-report=out")
    records = {item["expectation"]["expect"]: item for item in records_of(pytester.path)}
    assert {kind: item["outcome"] for kind, item in records.items()} == OUTCOMES
    assert {kind for kind, item in records.items() if item["diagnosis"]} == DIAGNOSED


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=8))
def test_the_counts_are_those_of_pytest(pytester: pytest.Pytester, kinds: list[str]) -> None:
    path = pytester.makepyfile(**{f"test_generated_{abs(hash(tuple(kinds)))}": written(kinds)})
    result = pytester.runpytest("--refinery", "--refinery-report=out", path)
    said, ours = counts_of(result), Counter(item["outcome"] for item in records_of(pytester.path))
    broken_end = kinds.count("has_a_broken_end")
    # pytest counts such a test twice.
    said["passed"] -= broken_end
    said["undecided"] -= kinds.count("fails_with_a_broken_end")
    assert +said == +ours
    printed = result.outlines[next(n for n, line in enumerate(result.outlines) if "refinery summary" in line) + 1]
    assert {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", printed)} == dict(+ours)


UNITTEST = """\
import unittest
import pytest


@pytest.mark.refinery(expect="unit")
class TestUnit(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def trace(self, refinery_trace):
        with refinery_trace.run("agent", inputs={"question": "hi"}) as root:
            root.outputs = {"answer": "from now on I will"}

    def test_passes(self):
        pass

    def test_fails(self):
        self.assertEqual("from now on", "")

    def test_skips(self):
        self.skipTest("no")

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("known")

    @unittest.expectedFailure
    def test_unexpected(self):
        pass

    def test_parts(self):
        with self.subTest(i=1):
            self.assertEqual("from now on", "")
        with self.subTest(i=2):
            pass


@pytest.mark.refinery(expect="async unit")
class TestAsync(unittest.IsolatedAsyncioTestCase):
    async def test_fails_later(self):
        self.fail("no trace")
"""


def test_unittest_tests_have_the_outcome_that_pytest_says(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(UNITTEST)
    pytester.runpytest("--refinery", "--refinery-report=out")
    found = {item["nodeid"].rpartition("::")[2]: item for item in records_of(pytester.path)}
    assert {name: item["outcome"] for name, item in found.items()} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_skips": "skipped",
        "test_expected": "skipped",
        "test_unexpected": "failed",
        "test_parts": "failed",
        "test_fails_later": "failed",
    }
    assert {name for name, item in found.items() if item["diagnosis"]} == {"test_fails", "test_parts"}


@WITH_WORKERS
def test_a_failed_subtest_fails_its_test(pytester: pytest.Pytester, plugin_args: tuple[str, ...]) -> None:
    pytester.makepyfile(
        HEAD + "@pytest.mark.refinery(expect='parts')\n"
        "def test_parts(trace, subtests):\n"
        "    with subtests.test('one'):\n"
        "        assert 'from now on' == ''\n"
        "    with subtests.test('two'):\n"
        "        pass\n"
    )
    pytester.runpytest("--refinery", "--refinery-report=out", *plugin_args)
    (item,) = records_of(pytester.path)
    assert item["outcome"] == "failed"
    assert item["diagnosis"]


def test_a_soft_assertion_fails_its_test(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_check")
    pytester.makepyfile(
        HEAD + "@pytest.mark.refinery(expect='soft')\n"
        "def test_soft(trace, check):\n"
        "    check.equal('from now on', '')\n"
        "    check.equal(1, 1)\n"
    )
    pytester.runpytest("--refinery", "--refinery-report=out")
    (item,) = records_of(pytester.path)
    assert item["outcome"] == "failed"
    assert item["diagnosis"]


@pytest.mark.parametrize(("flags", "is_diagnosed"), [((), False), (("--refinery-diagnose-xfail",), True)])
def test_an_expected_failure_is_diagnosed_on_request(
    pytester: pytest.Pytester, flags: tuple[str, ...], *, is_diagnosed: bool
) -> None:
    pytester.makepyfile(written(["is_expected_to_fail", "is_skipped"]))
    result = pytester.runpytest("--refinery", "--refinery-report=out", *flags)
    result.assert_outcomes(xfailed=1, skipped=1)
    items = {item["expectation"]["expect"]: item for item in records_of(pytester.path)}
    assert bool(items["is_expected_to_fail"]["diagnosis"]) is is_diagnosed
    assert items["is_expected_to_fail"]["error"] == "Expected to fail: known"
    assert items["is_skipped"]["diagnosis"] is None


def test_an_expectation_with_the_tag_xfail_is_an_expected_failure(
    run: Callable[..., pytest.RunResult], suite: Path
) -> None:
    path = suite / "memory.refinery.yaml"
    path.write_text(path.read_text().replace("tags: [memory]", "tags: [memory, xfail]"))
    result = run("--refinery-report=out")
    result.assert_outcomes(xfailed=2, xpassed=1)
    found = {item["expectation"]["id"]: item for item in records_of(suite)}
    assert found["admits-it-cannot-remember"]["outcome"] == "skipped"
    assert found["admits-it-cannot-remember"]["diagnosis"] is None
    assert found["mentions-the-sweep"]["outcome"] == "passed"


def test_the_leaves_of_a_group_reach_the_analyst(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "class Mine:\n"
        "    name = 'mine'\n"
        "    def analyse_group(self, case, group):\n"
        "        print('SEEN', case.failures[0].actual)\n"
        "        raise NotImplementedError\n"
        "    find_gaps = conclude = analyse_group\n"
        "def pytest_refinery_analyst(name):\n"
        "    return Mine() if name == 'mine' else None\n"
    )
    pytester.makepyfile(
        HEAD + "@pytest.mark.refinery(expect='group')\n"
        "def test_group(trace):\n"
        "    inner = ExceptionGroup('inner', [KeyError('who')])\n"
        "    raise ExceptionGroup('errors in a TaskGroup', [AssertionError(\"it said 'from now on'\"), inner])\n"
    )
    result = pytester.runpytest("--refinery", "--refinery-analyst=mine", "-s")
    result.stdout.fnmatch_lines(["*SEEN ExceptionGroup*AssertionError: it said 'from now on'; KeyError: 'who'*"])
