"""A Python test saves the trace that it used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

TEST = """\
import pytest


@pytest.mark.refinery
def test_shop(refinery_trace):
    with refinery_trace.run("shop", inputs={"question": "Open?"}) as run:
        run.outputs = "From ten to four."
    refinery_trace.save("traces/shop.json")


@pytest.mark.refinery
def test_nothing(refinery_trace):
    refinery_trace.save("traces/none.json")
"""


def test_the_trace_of_a_test_becomes_a_file(pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]) -> None:
    pytester.makepyfile(TEST)
    result = run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*traces/none.json: there is no trace to save*"])
    trace = JsonFiles().load("traces/shop.json", base=pytester.path)
    assert answer.of(trace).text == "From ten to four."
