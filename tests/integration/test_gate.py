"""Runs beside a baseline: which failures fail them, and what they say of each expectation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery import cli
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]


@pytest.fixture
def decided(suite: Path) -> Path:
    """The suite without the expectation that cannot be decided."""
    file = suite / "memory.refinery.yaml"
    file.write_text(file.read_text(encoding="utf-8").partition("  - id: cannot-be-read")[0], encoding="utf-8")
    return suite


@pytest.fixture
def saved(decided: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    run("--refinery-report=first", "--refinery-no-diagnose")
    monkeypatch.chdir(decided)
    assert cli.main(["baseline", "save", "main", "--report", "first"]) == 0
    assert "baselines/main" in capsys.readouterr().out
    return decided


def comparison(folder: Path) -> Any:  # noqa: ANN401  (JSON)
    return json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))["comparison"]


def break_wording(folder: Path) -> None:
    file = folder / "memory.refinery.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("contains: cash sweep", "contains: bonds"), "utf-8")


@WITH_WORKERS
def test_what_the_baseline_has_does_not_fail_the_run(run: Run, saved: Path) -> None:
    result = run("--refinery-report=out", "--refinery-baseline=main", "--refinery-fail-on=new")
    result.assert_outcomes(failed=1, passed=1)
    assert result.ret == pytest.ExitCode.OK
    found = comparison(saved)
    assert (found["earlier"], found["changes"], found["gate"]["verdict"]) == (
        "baseline main",
        {"still failing": 1},
        "pass",
    )


@pytest.mark.parametrize("which", ["new", "regression"])
def test_a_check_that_fails_now_fails_it(run: Run, saved: Path, which: str) -> None:
    break_wording(saved)
    result = run("--refinery-report=out", "--refinery-baseline=main", f"--refinery-fail-on={which}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    found = comparison(saved)
    assert found["changes"] == {"still failing": 1, "new failure": 1}
    assert found["gate"]["verdict"] == "fail"
    assert "memory.refinery.yaml::mentions-the-sweep" in found["gate"]["why"]


def test_a_failure_of_another_test_is_never_excused(run: Run, saved: Path) -> None:
    (saved / "test_plain.py").write_text("def test_plain(): assert False", encoding="utf-8")
    assert run("--refinery-baseline=main", "--refinery-fail-on=new").ret == pytest.ExitCode.TESTS_FAILED


def test_a_run_that_stopped_early_is_never_excused(run: Run, saved: Path) -> None:
    assert run("--refinery-baseline=main", "--refinery-fail-on=new", "-x").ret != pytest.ExitCode.OK


def test_without_a_baseline_any_failure_fails_and_that_is_said(run: Run, decided: Path) -> None:
    result = run("--refinery-fail-on=new", "--refinery-no-diagnose")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["warning: there is nothing to compare with yet, so any failure fails this run"])


def test_a_name_that_is_not_there_is_one_sentence(run: Run, saved: Path) -> None:
    result = run("--refinery-baseline=mian")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *there is no baseline 'mian'*Saved: main.*Did you mean*main*"])


def test_what_only_the_baseline_has_is_named_where_all_was_selected(run: Run, saved: Path) -> None:
    file = saved / "memory.refinery.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("mentions-the-sweep", "speaks-of-it"), encoding="utf-8")
    run("--refinery-report=out", "--refinery-baseline=main")
    assert comparison(saved)["missing"] == ["memory.refinery.yaml::mentions-the-sweep"]
    run("--refinery-report=out", "--refinery-baseline=main", "-k", "admits")
    assert comparison(saved)["missing"] == []


AGENT = """
from pathlib import Path

from pytest_refinery import record

PROMPT = Path(__file__).with_name("prompt.md")


def answer(question):
    prompt = PROMPT.read_text()
    with record("model", "llm", inputs={"messages": [
        {"role": "system", "content": prompt}, {"role": "user", "content": question}
    ]}) as run:
        run.outputs = {"role": "assistant", "content": "It takes 30 days." if "policy" in prompt else "I do not know."}
    return run.outputs["content"]
"""
RERUN = """
expectations:
  - id: names-the-days
    expect: The agent says how long it takes.
    agent: shop:answer
    inputs: {question: "How long does it take?"}
    checks:
      - output: {contains: 30 days}
"""


@WITH_WORKERS
def test_where_an_agent_parts_from_what_passed_is_in_the_report(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(shop=AGENT)
    pytester.makefile(".refinery.yaml", days=RERUN)
    prompt = pytester.path / "prompt.md"
    prompt.write_text("Follow the policy.", encoding="utf-8")
    run("--refinery-report=first").assert_outcomes(passed=1)
    monkeypatch.chdir(pytester.path)
    assert cli.main(["baseline", "save", "main", "--report", "first"]) == 0
    prompt.write_text("Be kind.", encoding="utf-8")
    run("--refinery-report=out", "--refinery-baseline=main").assert_outcomes(failed=1)
    (item,) = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))["expectations"]
    parted = item["divergence"]
    assert [(each["aspect"], each["before"], each["after"]) for each in parted["given"]] == [
        ("prompt", "Follow the policy.", "Be kind.")
    ]
    assert (parted["did"]["aspect"], parted["did"]["after"]) == ("answer", "I do not know.")
    found = item["diagnosis"]
    assert "after a changed prompt (step 2): “Follow the policy.” is now “Be kind.”" in found["root_cause"]
    assert (found["failure_type"], found["confidence"]) == ("prompt_issue", "low")
