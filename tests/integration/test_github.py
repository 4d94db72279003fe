"""What a job on GitHub shows: the summary of its step, annotations of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import EXPECTATIONS
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

OUTCOMES = {"passed": 1, "failed": 1, "errors": 1}


@pytest.fixture
def step_summary(suite: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a step on GitHub writes its summary to."""
    path = suite / "step-summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


@pytest.fixture
def on_github(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose repository has the suite in a folder of its own."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(suite.parent))


@pytest.fixture
def run_plain(pytester: pytest.Pytester) -> Run:
    """Run the suite without xdist, where it makes no difference."""
    return lambda *args: pytester.runpytest("--refinery", "-p", "no:xdist", *args)


def commands(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("::")]


def test_the_summary_of_the_step_is_the_report(run: Run, suite: Path, step_summary: Path) -> None:
    run("--refinery-report", "out").assert_outcomes(**OUTCOMES)
    assert step_summary.read_text(encoding="utf-8") == "\n" + (suite / "out" / "report.md").read_text(encoding="utf-8")


def test_what_stands_in_the_summary_already_stays(run_plain: Run, step_summary: Path) -> None:
    step_summary.write_text("| before |", encoding="utf-8")
    run_plain()
    assert step_summary.read_text(encoding="utf-8").startswith("| before |\n# pytest-refinery\n")


def test_a_summary_that_would_be_too_long_ends_between_two_items_and_says_so(
    run_plain: Run, step_summary: Path
) -> None:
    run_plain()
    whole = step_summary.read_text(encoding="utf-8")
    step_summary.write_bytes(b"x" * (1024 * 1024 - len(whole.encode()) + 100))
    run_plain()
    written = step_summary.read_text(encoding="utf-8")
    assert len(written.encode()) <= 1024 * 1024
    shown = written.lstrip("x")
    assert "**Cut off here: the whole is too long for this place.**" in shown
    assert shown.count("\n## ") < whole.count("\n## ")


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("where", ["no/such/folder/summary.md", "/dev/full", "."])
def test_a_summary_that_cannot_be_written_is_a_warning(
    run_plain: Run, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", where)
    result = run_plain()
    result.assert_outcomes(**OUTCOMES)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"warning: could not write to {where}: *"])


@pytest.mark.usefixtures("on_github")
@WITH_WORKERS
def test_failures_are_annotated_at_the_line_of_their_expectation(run: Run, suite: Path) -> None:
    failed, undecided = commands(run())
    assert failed.startswith(
        f"::error file={suite.name}/memory.refinery.yaml,line=5,title=admits-it-cannot-remember::"
        "Not met: The agent says that it cannot keep preferences between conversations.%0ARoot cause: The agent "
    )
    assert undecided == (
        f"::error file={suite.name}/memory.refinery.yaml,line=15,title=cannot-be-read::"
        "traces/gone.json: no such trace file."
    )


@pytest.mark.usefixtures("suite")
def test_elsewhere_nothing_is_annotated(run_plain: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert commands(run_plain()) == []


@pytest.mark.usefixtures("on_github")
def test_what_is_expected_to_fail_is_not_annotated(run_plain: Run, suite: Path) -> None:
    text = EXPECTATIONS.replace("tags: [memory]", "tags: [xfail]")
    (suite / "memory.refinery.yaml").write_text(text, encoding="utf-8")
    assert commands(run_plain()) == []


@pytest.mark.usefixtures("on_github")
def test_what_another_plugin_annotates_is_not_annotated_twice(run_plain: Run, suite: Path) -> None:
    register = "config.pluginmanager.register(object(), 'pytest_github_actions_annotate_failures')"
    (suite / "conftest.py").write_text(f"def pytest_configure(config):\n    {register}\n", encoding="utf-8")
    (undecided,) = commands(run_plain())
    assert "title=cannot-be-read" in undecided


@pytest.mark.usefixtures("on_github")
def test_of_many_failures_as_many_are_annotated_as_github_shows(run_plain: Run, suite: Path) -> None:
    one = EXPECTATIONS.partition("expectations:\n")[2].partition("  - id: mentions")[0]
    many = "".join(one.replace("admits-it-cannot-remember", f"admits-{n}") for n in range(14))
    head = EXPECTATIONS.partition("  - id")[0]
    (suite / "memory.refinery.yaml").write_text(head + many, encoding="utf-8")
    found = commands(run_plain("--refinery-no-diagnose"))
    assert len(found) == 10
    assert found[-1] == (
        "::error title=pytest-refinery::5 more expectations are not met; the summary of the job names them."
    )


@pytest.mark.usefixtures("on_github")
def test_a_run_that_is_well_says_nothing(run_plain: Run) -> None:
    assert commands(run_plain("-k", "mentions")) == []


@pytest.mark.usefixtures("on_github")
def test_nothing_in_a_trace_becomes_a_command(run_plain: Run, suite: Path) -> None:
    said = "from now on\n::error::one\n  ::add-mask::two\n##[set-env name=A]three %0A::error::four"
    trace = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": said}]
    (suite / "traces" / "sweep.json").write_text(json.dumps(trace), encoding="utf-8")
    result = run_plain("-vv")
    found = [line for line in result.outlines if line.lstrip().startswith("::")]
    assert [line.partition(",line")[0] for line in found] == [f"::error file={suite.name}/memory.refinery.yaml"] * 3
    assert not any("##[" in line for line in result.outlines)


def test_report_and_summary_may_both_fail_and_the_run_goes_on(
    run_plain: Run, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suite / "out").write_text("a file, not a folder", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(Path("nowhere") / "summary.md"))
    result = run_plain("--refinery-report", "out")
    result.assert_outcomes(**OUTCOMES)
    result.stdout.fnmatch_lines_random(
        ["warning: could not write to nowhere/summary.md*", "warning: could not write the report*"]
    )
