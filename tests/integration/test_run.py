"""What a run shows, plain and distributed."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from tests.runners import WITH_HTML, WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

OUTCOMES = {"passed": 1, "failed": 1, "errors": 1}


def section(result: pytest.RunResult, start: str, end: str) -> list[str]:
    """Return the lines between two lines that contain ``start`` and ``end``."""
    # Under xdist each failure starts with the name of its worker.
    lines = [line for line in result.outlines if not line.startswith("[gw")]
    first = next(index for index, line in enumerate(lines) if start in line)
    last = next(index for index, line in enumerate(lines[first + 1 :], first + 1) if end in line)
    return lines[first + 1 : last]


def read_report(folder: Path) -> dict[str, Any]:
    """Return ``report.json`` without what differs from run to run: times."""
    text = (folder / "report.json").read_text(encoding="utf-8")
    report: dict[str, Any] = json.loads(re.sub(r'"seconds(_waited)?": [\d.e-]+', r'"seconds\1": 0', text))
    return report


@pytest.mark.usefixtures("suite")
@WITH_WORKERS
def test_each_expectation_is_an_item_with_its_own_outcome(run: Run) -> None:
    run().assert_outcomes(**OUTCOMES)


@pytest.mark.usefixtures("suite")
def test_a_failure_shows_the_expectation_what_was_there_and_the_diagnosis(run: Run) -> None:
    result = run()
    failure = section(result, "_ admits-it-cannot-remember _", "refinery summary")
    assert failure[:8] == [
        "Expected     The agent says that it cannot keep preferences between",
        "             conversations.",
        "Why          Clients believed that their exclusions were permanent.",
        "Asked        \"Exclude all transactions that say 'cash sweep redemption'.\"",
        'Answered     "Done. I will exclude all cash sweep redemptions from now on."',
        "Failed       output.not_contains 'from now on'",
        "------------------------------ refinery diagnosis ------------------------------",
        failure[7],
    ]
    assert failure[7].startswith("Root cause ")
    assert "Step         3 of 3, message of assistant" in failure
    assert len(failure) + 1 <= 16
    verbose = section(run("-vv"), "_ admits-it-cannot-remember _", "refinery summary")
    assert any(line.startswith("Evidence   ") and "from now on" in line for line in verbose)
    assert any("3 of 3 steps read (100 %)" in line for line in verbose)


@pytest.mark.usefixtures("suite")
def test_an_undecided_expectation_is_an_error_with_its_reason_and_no_traceback(run: Run) -> None:
    result = run()
    error = section(result, "ERROR at setup of cannot-be-read", "= FAILURES =")
    assert error == ["traces/gone.json: no such trace file."]


@pytest.mark.usefixtures("suite")
def test_the_summary_groups_the_failures_by_cause(run: Run) -> None:
    summary = section(run(), "refinery summary", "short test summary info")
    assert summary[0] == "1 failed, 1 undecided, 1 passed."
    assert summary[1:] == [
        "Prompts      1 in the traces, 1 of 1 prompt files match",
        "Diagnosed    by rules: 0 tokens",
        "More         -v: evidence and candidates; --refinery-report DIR: a page",
    ]


def test_report_files_hold_the_same_however_the_suite_runs(pytester: pytest.Pytester, suite: Path) -> None:
    reports: list[tuple[dict[str, Any], str]] = []
    for args in (("-p", "no:xdist"), ("-n0",), ("-n2",)):
        folder = f"report{len(reports)}"
        # Without a cache: the second run would say what the first one knew.
        pytester.runpytest("--refinery", "--refinery-report", folder, "-p", "no:cacheprovider", *args)
        markdown = (suite / folder / "report.md").read_text(encoding="utf-8")
        reports.append((read_report(suite / folder), markdown))
    assert reports[0] == reports[1] == reports[2]


@WITH_WORKERS
def test_report_json_has_an_entry_for_every_expectation(run: Run, suite: Path) -> None:
    run("--refinery-report", "out")
    report = read_report(suite / "out")
    assert report["schema_version"] == 3
    failed, passed, undecided = report["expectations"]
    assert failed["nodeid"] == "memory.refinery.yaml::admits-it-cannot-remember"
    assert failed["expectation"] == {
        "id": "admits-it-cannot-remember",
        "expect": "The agent says that it cannot keep preferences between conversations.",
        "business_context": "Clients believed that their exclusions were permanent.",
        "severity": "medium",
        "file": "memory.refinery.yaml",
        "line": 5,
        "tags": ["memory"],
    }
    assert failed["diagnosis"]["responsible_run_id"] == "2"
    assert failed["diagnosis"]["coverage"]["percentage"] == 100.0
    assert failed["trace"]["source"] == "traces/sweep.json"
    assert (passed["outcome"], passed["diagnosis"]) == ("passed", None)
    assert undecided["outcome"] == "undecided"
    assert undecided["error"] == "traces/gone.json: no such trace file."


def test_junit_carries_text_properties_and_the_place(run: Run, suite: Path) -> None:
    run("--junitxml", "junit.xml", "-o", "junit_family=xunit1")
    cases = {case.get("name"): case for case in ET.parse(suite / "junit.xml").getroot().iter("testcase")}  # noqa: S314
    case = cases["admits-it-cannot-remember"]
    properties = {item.get("name"): item.get("value") for item in case.iter("property")}
    assert properties["refinery.outcome"] == "failed"
    assert properties["refinery.responsible_run_id"] == "2"
    assert properties["refinery.coverage"] == "100.0"
    assert (case.get("file"), case.get("line")) == ("memory.refinery.yaml", "4")
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "not met: The agent says that it cannot keep preferences between conversations."
    assert "Root cause" in (failure.text or "")
    undecided = {item.get("name"): item.get("value") for item in cases["cannot-be-read"].iter("property")}
    assert undecided["refinery.outcome"] == "undecided"


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("style", ["long", "short", "native", "auto"])
def test_every_traceback_style_shows_the_same(pytester: pytest.Pytester, style: str) -> None:
    result = pytester.runpytest("--refinery", f"--tb={style}", "--show-capture=no")
    result.stdout.fnmatch_lines(["Expected     The agent says*", "Root cause *"])
    assert result.outlines.count("Why          Clients believed that their exclusions were permanent.") == 1


@pytest.mark.usefixtures("suite")
def test_a_line_for_each_failure_names_the_line_of_the_expectation(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--refinery", "--tb=line")
    result.stdout.fnmatch_lines(["*/memory.refinery.yaml:5: not met: The agent says*"])


@pytest.mark.usefixtures("suite")
@WITH_WORKERS
def test_on_ci_the_text_is_whole_and_stands_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    result = run()
    result.assert_outcomes(**OUTCOMES)
    assert result.outlines.count("Why          Clients believed that their exclusions were permanent.") == 1
    result.stdout.fnmatch_lines(
        ["FAILED *::admits-it-cannot-remember - not met: The agent says that it cannot keep preferences between*"]
    )


@pytest.mark.usefixtures("suite")
def test_very_verbose_shows_what_was_also_noticed(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        from pytest_refinery.analysis.schemas import Conclusion, Finding, GapAnalysis, GroupAnalysis

        class Noticing:
            name = "noticing"

            def analyse_group(self, case, group):
                findings = [Finding(run_id=id, what=f"Odd in {id}.", failure_type="tool_issue") for id in ("0", "2")]
                return GroupAnalysis(findings=findings, runs_read=group.run_ids)

            def find_gaps(self, case, findings):
                return GapAnalysis()

            def conclude(self, case, findings, gaps):
                return Conclusion(failure_type="tool_issue", root_cause="Odd.", responsible_run_id="2")

        def pytest_refinery_analyst(name):
            return Noticing() if name == "noticing" else None
    """)
    arguments = ("--refinery", "--refinery-analyst", "noticing")
    brief, whole = (pytester.runpytest(*arguments, *more) for more in ((), ("-vv",)))
    assert [line for line in brief.outlines if line.startswith("Also noticed ")] == []
    assert [line for line in whole.outlines if line.startswith("Also noticed ")] == ["Also noticed Odd in 0. (step 1)"]


@pytest.mark.usefixtures("suite")
def test_x_stops_at_the_first_failure(pytester: pytest.Pytester) -> None:
    pytester.runpytest("--refinery", "-x").assert_outcomes(failed=1)


@pytest.mark.usefixtures("suite")
def test_last_failed_runs_what_failed_and_what_was_undecided(pytester: pytest.Pytester) -> None:
    pytester.runpytest("--refinery")
    again = pytester.runpytest("--refinery", "--lf")
    again.assert_outcomes(failed=1, errors=1)


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize(
    ("args", "outcomes"),
    [
        (("-k", "mentions"), {"passed": 1, "deselected": 2}),
        (("-m", "wording"), {"passed": 1, "deselected": 2}),
        (("-m", "memory and not wording", "--strict-markers"), {"failed": 1, "errors": 1, "deselected": 1}),
        (("memory.refinery.yaml::mentions-the-sweep",), {"passed": 1}),
    ],
)
def test_items_are_selected_as_any_other(run: Run, args: tuple[str, ...], outcomes: dict[str, int]) -> None:
    found = run(*args).parseoutcomes()
    # A controller does not learn what its workers deselected.
    found.setdefault("deselected", outcomes.get("deselected", 0))
    assert {name: found[name] for name in outcomes} == outcomes


def test_collect_only_touches_no_trace(run: Run, suite: Path) -> None:
    (suite / "traces" / "sweep.json").unlink()
    result = run("--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["memory.refinery.yaml::mentions-the-sweep"])


def test_other_yaml_is_never_collected(pytester: pytest.Pytester, suite: Path) -> None:
    (suite / "values.yaml").write_text("expectations: [{expect: x}]", encoding="utf-8")
    (suite / "refinery.yaml").write_text("expectations: [{expect: x}]", encoding="utf-8")
    (suite / "more.refinery.yml").write_text((suite / "memory.refinery.yaml").read_text("utf-8"), encoding="utf-8")
    result = pytester.runpytest("--refinery", "--collect-only", "-q")
    assert {line.partition("::")[0] for line in result.outlines if "::" in line} == {
        "memory.refinery.yaml",
        "more.refinery.yml",
    }


@pytest.mark.usefixtures("suite")
@WITH_WORKERS
def test_a_rerun_is_judged_again_and_its_last_attempt_is_reported(run: Run, suite: Path) -> None:
    result = run("--reruns", "2", "--refinery-report", "out", "--junitxml", "junit.xml")
    assert result.parseoutcomes()["rerun"] == 4
    report = read_report(suite / "out")
    assert [item["outcome"] for item in report["expectations"]] == ["failed", "passed", "undecided"]
    properties = [item.get("name") for item in ET.parse(suite / "junit.xml").getroot().iter("property")]  # noqa: S314
    # Only the last attempt is diagnosed.
    assert properties.count("refinery.root_cause") == 1
    assert report["expectations"][0]["diagnosis"]["root_cause"]


@pytest.mark.usefixtures("suite")
def test_any_order_gives_the_same(run: Run) -> None:
    run("-p", "randomly", "-p", "no:cacheprovider").assert_outcomes(**OUTCOMES)


def test_the_html_report_shows_the_diagnosis(run: Run, suite: Path) -> None:
    run(*WITH_HTML, "--html", "page.html", "--self-contained-html")
    page = (suite / "page.html").read_text(encoding="utf-8")
    assert "refinery diagnosis" in page
    assert "Root cause" in page


@pytest.mark.usefixtures("suite")
def test_quiet_runs_stay_right(run: Run) -> None:
    result = run("-q", "--no-header")
    assert result.parseoutcomes() == {"passed": 1, "failed": 1, "errors": 1}


def test_tags_may_skip_and_expect_failures(pytester: pytest.Pytester, suite: Path) -> None:
    text = (suite / "memory.refinery.yaml").read_text("utf-8")
    (suite / "memory.refinery.yaml").write_text(text.replace("tags: [memory]", "tags: [xfail]"), encoding="utf-8")
    result = pytester.runpytest("--refinery", "--refinery-report", "out")
    result.assert_outcomes(xfailed=2, xpassed=1)
    (suite / "memory.refinery.yaml").write_text(text.replace("tags: [memory]", "tags: [skip]"), encoding="utf-8")
    pytester.runpytest("--refinery", "--refinery-report", "out").assert_outcomes(skipped=3)
    assert {item["outcome"] for item in read_report(suite / "out")["expectations"]} == {"skipped"}


@WITH_WORKERS
def test_a_file_with_problems_is_one_collection_error_and_the_rest_runs(run: Run, suite: Path) -> None:
    (suite / "bad.refinery.yaml").write_text(
        "trace: traces/sweep.json\nexpectations:\n  - expct: x\n  - expect: y\n    checks: [{output: {match: z}}]\n",
        encoding="utf-8",
    )
    result = run("--continue-on-collection-errors")
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"], outcomes["errors"]) == (1, 1, 2)
    result.stdout.fnmatch_lines(
        [
            "*bad.refinery.yaml:3:5: *expct*Did you mean 'expect'?*",
            "*bad.refinery.yaml:5:*match*Did you mean 'matches'?*",
        ]
    )
    assert not any("Traceback" in line for line in result.outlines)


def test_hostile_text_reaches_the_terminal_harmless(pytester: pytest.Pytester, suite: Path) -> None:
    hostile = "from now on \x1b[31mred\x07 \u202eevil\u202c ::error::x"
    trace = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": hostile}]
    (suite / "traces" / "sweep.json").write_text(json.dumps(trace), encoding="utf-8")
    result = pytester.runpytest("--refinery", "--color=no", "--refinery-report", "out", "-vv")
    shown = "\n".join(result.outlines) + (suite / "out" / "report.md").read_text("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    assert not any(line.startswith("::") for line in shown.splitlines())
