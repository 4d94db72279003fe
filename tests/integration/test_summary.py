"""The end of a run: what is known from before, what is gone, and how it is shown."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery import shared_file
from tests.integration.conftest import CASH_SWEEP, EXPECTATIONS
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

OUTCOMES = {"passed": 1, "failed": 1, "errors": 1}
NODEID = "memory.refinery.yaml::admits-it-cannot-remember"


def report(suite: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((suite / "out" / "report.json").read_text(encoding="utf-8"))
    return found


def put_right(suite: Path) -> None:
    """Let the agent answer as expected."""
    answer = {"role": "assistant", "content": "I cannot remember this cash sweep rule between conversations."}
    (suite / "traces" / "sweep.json").write_text(json.dumps([*CASH_SWEEP[:2], answer]), encoding="utf-8")


@pytest.mark.usefixtures("suite")
def test_a_first_run_is_compared_with_nothing(run: Run) -> None:
    result = run()
    result.stdout.no_fnmatch_line("vs *")
    result.stdout.no_fnmatch_line("*known*)")


@WITH_WORKERS
def test_a_cause_that_was_there_in_the_last_run_is_marked_as_known(run: Run, suite: Path) -> None:
    run("-p", "no:terminal")
    result = run("--refinery-report", "out")
    result.stdout.fnmatch_lines(
        [
            "vs last run: 0 new, 1 known, 0 fixed",
        ]
    )
    found = report(suite)
    assert found["root_causes"][0]["is_known"] is True
    assert [item["is_known"] for item in found["expectations"]] == [True, None, None]
    text = (suite / "out" / "report.md").read_text(encoding="utf-8")
    assert "vs last run: 0 new, 1 known, 0 fixed" in text
    assert f"| `{NODEID}` | failed (known) | medium | assistant |" in text


def test_a_cause_that_is_no_longer_there_is_gone(run: Run, suite: Path) -> None:
    run()
    put_right(suite)
    result = run("--refinery-report", "out")
    result.stdout.fnmatch_lines(
        ["vs last run: 0 new, 0 known, 1 fixed", "Fixed        The agent promises to remember*"]
    )
    (gone,) = report(suite)["comparison"]["gone"]
    assert gone["nodeids"] == [NODEID]
    assert "## Fixed\n\n- The agent promises" in (suite / "out" / "report.md").read_text(encoding="utf-8")


def test_a_run_of_something_else_forgets_nothing(run: Run, suite: Path) -> None:
    run()
    run("-k", "mentions")
    assert "1 known" in run().stdout.str()


def test_where_nothing_was_wrong_and_nothing_is_nothing_is_compared(pytester: pytest.Pytester, suite: Path) -> None:
    put_right(suite)
    results = [pytester.runpytest("--refinery", "-p", "no:xdist", "-k", "not read") for _ in "ab"]
    results[1].assert_outcomes(passed=2, deselected=1)
    results[1].stdout.no_fnmatch_line("vs *")


@pytest.mark.usefixtures("suite")
def test_without_the_cache_nothing_is_kept(run: Run) -> None:
    run("-p", "no:cacheprovider")
    run("-p", "no:cacheprovider").stdout.no_fnmatch_line("vs *")


@pytest.mark.usefixtures("suite")
def test_cache_clear_forgets_the_last_run(run: Run) -> None:
    run()
    run("--cache-clear").stdout.no_fnmatch_line("vs *")


def test_a_folder_with_an_earlier_report_is_what_a_run_is_compared_with(run: Run, suite: Path) -> None:
    run("--refinery-report", "out", "-p", "no:cacheprovider")
    result = run("--refinery-report", "out", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["vs earlier out/report.json: 0 new, 1 known, 0 fixed"])
    assert report(suite)["comparison"]["earlier"] == "the earlier out/report.json"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"created": 1, "tests": []}', "is not a report of pytest-refinery, so nothing was compared with it"),
        ("\x00\xff", "is not a report of pytest-refinery, so nothing was compared with it"),
        (
            '{"schema_version": 7, "expectations": []}',
            "has schema_version 7, later than our 3, so nothing was compared with it",
        ),
    ],
)
def test_a_foreign_report_is_a_warning(pytester: pytest.Pytester, suite: Path, content: str, said: str) -> None:
    (suite / "out").mkdir()
    (suite / "out" / "report.json").write_text(content, encoding="latin-1")
    result = pytester.runpytest("--refinery", "--refinery-report", "out", "-p", "no:xdist")
    result.assert_outcomes(**OUTCOMES)
    result.stdout.fnmatch_lines([f"warning: the earlier out/report.json {said}"])
    assert report(suite)["comparison"] is None


def test_a_report_that_cannot_be_written_is_a_warning(run: Run, suite: Path) -> None:
    (suite / "out").write_text("a file", encoding="utf-8")
    result = run("--refinery-report", "out")
    result.assert_outcomes(**OUTCOMES)
    result.stdout.fnmatch_lines([f"warning: could not write the report to {suite / 'out'}: *"])


def test_a_full_disk_is_a_warning_and_leaves_the_earlier_report_whole(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.runpytest("--refinery", "--refinery-report", "out", "-p", "no:xdist")
    before = (suite / "out" / "report.json").read_text(encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shared_file, "_fill", full)
    result = pytester.runpytest("--refinery", "--refinery-report", "out", "-p", "no:xdist")
    result.assert_outcomes(**OUTCOMES)
    result.stdout.fnmatch_lines(["warning: could not write the report to *: No space left on device"])
    assert (suite / "out" / "report.json").read_text(encoding="utf-8") == before


def test_a_patch_of_an_earlier_run_does_not_stay(pytester: pytest.Pytester, suite: Path) -> None:
    arguments = ("--refinery", "--refinery-report", "out", "-p", "no:xdist")
    pytester.runpytest(*arguments)
    assert "+You have no memory" in (suite / "out" / "refinery-fix.patch").read_text(encoding="utf-8")
    put_right(suite)
    pytester.runpytest(*arguments)
    assert not (suite / "out" / "refinery-fix.patch").exists()


def test_nothing_outside_the_repository_is_in_the_patch(pytester: pytest.Pytester, suite: Path) -> None:
    inner = suite / "inner"
    inner.mkdir()
    (inner / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    text = EXPECTATIONS.replace("traces/", "../traces/").replace("prompts/", "../prompts/")
    (inner / "memory.refinery.yaml").write_text(text, encoding="utf-8")
    arguments = ("--refinery", "--refinery-report", "out", "-p", "no:xdist", "inner")
    result = pytester.runpytest(*arguments)
    result.stdout.fnmatch_lines(
        ["warning: refinery-fix.patch leaves out the fix of *: the file is not in this repository*"]
    )
    assert not (suite / "out" / "refinery-fix.patch").exists()
    (suite / ".git").mkdir()
    pytester.runpytest(*arguments)
    assert "+++ b/prompts/system.md" in (suite / "out" / "refinery-fix.patch").read_text(encoding="utf-8")


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("style", ["no", "line", "short"])
def test_the_summary_is_the_same_whatever_the_traceback_style(pytester: pytest.Pytester, style: str) -> None:
    plain, quiet = (
        pytester.runpytest("--refinery", "-p", "no:xdist", "-p", "no:cacheprovider", f"--tb={style}", *args).outlines
        for args in ((), ("-q",))
    )
    first, last = "1 failed, 1 undecided, 1 passed.", "Diagnosed    by rules: 0 tokens"
    shown = plain[plain.index(first) : plain.index(last)]
    assert shown == quiet[quiet.index(first) : quiet.index(last)]


@pytest.mark.usefixtures("suite")
def test_the_quietest_runs_have_no_summary(pytester: pytest.Pytester) -> None:
    pytester.runpytest("--refinery", "-qq", "-p", "no:xdist").stdout.no_fnmatch_line("*refinery summary*")


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n2",)], ids=["plain", "n2"])
def test_a_narrow_terminal_is_filled_and_no_more(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    result = pytester.runpytest("--refinery", *workers)
    start = next(number for number, line in enumerate(result.outlines) if line.startswith("Expected     The agent"))
    end = next(number for number, line in enumerate(result.outlines) if line.startswith("Diagnosed"))
    assert max(len(line) for line in result.outlines[start:end] if "::" not in line) <= 44


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n2",)], ids=["plain", "n2"])
def test_colours_are_those_of_pytests_own_writer(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    plain = pytester.runpytest("--refinery", "-p", "no:cacheprovider", "--color=no", *workers)
    coloured = pytester.runpytest(
        *("--refinery", "-p", "no:cacheprovider", "--color=yes", "--junitxml=junit.xml", *workers)
    )
    assert "\x1b" not in plain.stdout.str()
    shown = coloured.stdout.str()
    assert "\x1b[1m\x1b[31mRoot cause   \x1b[0m" in shown or "\x1b[31m\x1b[1mRoot cause   \x1b[0m" in shown
    assert "\x1b[32m             + You have no memory" in shown
    assert "\x1b" not in (pytester.path / "junit.xml").read_text(encoding="utf-8")


@pytest.mark.usefixtures("suite")
def test_a_long_error_is_wrapped_and_its_headline_is_not(pytester: pytest.Pytester) -> None:
    text = EXPECTATIONS.replace("traces/gone.json", "../outside-of-the-suite/a-trace-with-a-rather-long-name/gone.json")
    (pytester.path / "memory.refinery.yaml").write_text(text, encoding="utf-8")
    result = pytester.runpytest("--refinery", "-p", "no:xdist", "-k", "cannot-be-read")
    lines = result.outlines
    start = next(number for number, line in enumerate(lines) if "ERROR at setup" in line)
    assert lines[start + 1].endswith("/outside-of-the-suite/a-trace-with-a-rather-long-name/gone.json:")
    assert lines[start + 2].startswith("no such trace file.")


@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n2",)], ids=["plain", "n2"])
def test_half_a_character_breaks_neither_the_run_nor_its_report(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.refinery
        def test_it(refinery_trace):
            with refinery_trace.run("half \\udc80 a character") as run:
                run.outputs = {"output": "I will do so from now on \\ud800."}
            assert not run.outputs, "half"
        """
    )
    result = pytester.runpytest("--refinery", "--refinery-report", "out", *workers)
    result.assert_outcomes(failed=1)
    (item,) = report(pytester.path)["expectations"]
    assert "half ? a character" in [each["run_name"] for each in item["diagnosis"]["candidates"]]


SUMMARISER = """\
from pytest_refinery.analysis.ports import SharedCause, FailureSummary
from pytest_refinery.analysts.rules.analyst import RulesAnalyst


class House(RulesAnalyst):
    name = "house"
    model = "rules of the house"
    fingerprint = "1"

    def summarize(self, failures, job):
        {body}

    def forecast_summary(self, failures):
        raise NotImplementedError


def pytest_refinery_analyst(name):
    return House() if name == "house" else None
"""
TWO_FAILURES = EXPECTATIONS.replace("{contains: cash sweep}", "{contains: no such words}")


def test_ctrl_c_while_it_is_waited_for_ends_the_waiting_and_not_the_report(
    pytester: pytest.Pytester, suite: Path
) -> None:
    body = "import _thread, threading; _thread.interrupt_main(); threading.Event().wait()"
    (suite / "conftest.py").write_text(SUMMARISER.format(body=body), encoding="utf-8")
    (suite / "memory.refinery.yaml").write_text(TWO_FAILURES, encoding="utf-8")
    result = pytester.runpytest_subprocess("--refinery", "--refinery-analyst", "house", "-p", "no:xdist")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["warning: the causes are grouped by their words alone: KeyboardInterrupt"])


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            (
                "names = tuple(one.nodeid for one in failures); "
                "return FailureSummary('All of it.', (SharedCause('Ours.', names, 'Do it.'),))"
            ),
            ["Summary      All of it.", "2 failures   Ours. (prompt issue)", "             To do: Do it."],
        ),
        (
            "raise ValueError('the house is closed')",
            [
                "Note         *by their words alone: rules of the house*",
                "*summary: the house is closed",
            ],
        ),
        (
            "return 'nonsense'",
            ["warning: the causes are grouped by their words alone: AttributeError: 'str' object *"],
        ),
        (
            "return FailureSummary('Nothing.', ())",
            ["Note         *by their words alone: rules of the house*", "*summary: it named no cause*"],
        ),
    ],
)
def test_an_analyst_of_somebody_else_may_sum_up(run: Run, suite: Path, body: str, shown: list[str]) -> None:
    (suite / "conftest.py").write_text(SUMMARISER.format(body=body), encoding="utf-8")
    (suite / "memory.refinery.yaml").write_text(TWO_FAILURES, encoding="utf-8")
    result = run("--refinery-analyst", "house", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=2, errors=1)
    result.stdout.fnmatch_lines(shown)
