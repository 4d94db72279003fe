"""The page that a run leaves behind: the same however the suite runs, and nothing of it elsewhere."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import PROMISE
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

WATCH = """
def pytest_runtest_logreport(report):
    for name in ("refinery_picture", "refinery_spent"):
        if hasattr(report, name):
            print("brought:", name, report.when, report.nodeid)
"""


def read_page(folder: Path) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


def pictures(page: str) -> list[dict[str, Any]]:
    return [
        json.loads(text) for text in re.findall(r'<script type="application/json" id="[\w-]+">(.*?)</script>', page)
    ]


def test_the_page_is_the_same_however_the_suite_runs(pytester: pytest.Pytester, suite: Path) -> None:
    found = set()
    for args in (("-p", "no:xdist"), ("-n0",), ("-n2",)):
        pytester.runpytest("--refinery", "--refinery-report", "out", "-p", "no:cacheprovider", *args)
        found.add(re.sub(r"<td>[\d.]+ s</td>", "<td>0.0 s</td>", read_page(suite / "out")))
        (suite / "out" / "report.json").unlink()
    assert len(found) == 1


@WITH_WORKERS
def test_a_failed_item_brings_the_picture_of_its_trace_and_nobody_else_does(run: Run, suite: Path) -> None:
    result = run("--refinery-report", "out")
    result.stdout.fnmatch_lines(["*out/index.html"])
    (picture,) = pictures(read_page(suite / "out"))
    assert [row["kind"] for row in picture["runs"]] == ["message"] * 3
    assert picture["messages"][picture["runs"][2]["writes"][0]]["text"] == PROMISE
    assert "picture" not in (suite / "out" / "report.json").read_text("utf-8")


@pytest.mark.usefixtures("suite")
def test_without_a_report_folder_no_picture_is_drawn(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest(WATCH)
    assert "brought:" not in run("-s").stdout.str()
    run("-s", "--refinery-report", "out").stdout.fnmatch_lines(
        ["*brought: refinery_picture call memory.refinery.yaml::admits-it-cannot-remember"]
    )


def test_a_marked_test_brings_its_picture_too(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.refinery(expect="It says no.")
        def test_it(refinery_trace):
            with refinery_trace.run("desk", inputs={"question": "May I?"}) as open_run:
                open_run.outputs = "Yes."
            assert False
        """
    )
    run("--refinery-report", "out").assert_outcomes(failed=1)
    (picture,) = pictures(read_page(pytester.path / "out"))
    assert picture["values"] == ['{"question": "May I?"}', "Yes."]


def test_an_attempt_that_passes_leaves_no_picture_of_the_one_before(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        attempts = []

        @pytest.mark.refinery(expect="It says no.")
        def test_it(refinery_trace):
            with refinery_trace.run("desk") as open_run:
                open_run.outputs = "Yes."
            attempts.append(1)
            assert len(attempts) > 1
        """
    )
    args = ("--refinery", "--refinery-report", "out", "--reruns", "1", "-p", "rerunfailures", "-p", "no:xdist")
    pytester.runpytest(*args).assert_outcomes(passed=1)
    assert pictures(read_page(pytester.path / "out")) == []


def test_a_trace_that_cannot_be_drawn_changes_nothing_else(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        from pytest_refinery.traces.model import Run, Trace

        @pytest.mark.refinery(expect="It says no.")
        def test_it(refinery_trace):
            deep = []
            for _ in range(100_000):
                deep = [deep]
            run = Run(id="1", name="desk", kind="chain", inputs=deep, outputs="Yes.")
            refinery_trace.use(Trace(id="t", name="desk", runs=(run,)))
            assert False
        """
    )
    run("--refinery-report", "out").assert_outcomes(failed=1)
    page = read_page(pytester.path / "out")
    assert pictures(page) == []
    assert "It says no." in page
