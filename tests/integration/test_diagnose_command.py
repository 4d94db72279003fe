"""The command and a run of pytest are two ways to one diagnosis."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery import cli

if TYPE_CHECKING:
    from pathlib import Path

FILE = "memory.refinery.yaml"


@pytest.fixture(autouse=True)
def _at_the_root(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(suite)


def diagnosed_by_command(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert cli.main(["diagnose", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def without_times(diagnosis: dict[str, Any]) -> dict[str, Any]:
    stages = [{**stage, "seconds": 0, "seconds_waited": 0} for stage in diagnosis["stages"]]
    return {**diagnosis, "stages": stages}


def test_both_ways_give_the_same_diagnosis(
    pytester: pytest.Pytester, suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytester.runpytest("--refinery", "--refinery-report", "out", "-p", "no:cacheprovider")
    report = json.loads((suite / "out" / "report.json").read_text(encoding="utf-8"))
    (failed,) = [item for item in report["expectations"] if item["outcome"] == "failed"]
    found = diagnosed_by_command(capsys, failed["nodeid"])
    assert without_times(found) == without_times(failed["diagnosis"])


def test_what_is_met_needs_no_diagnosis(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", f"{FILE}::mentions-the-sweep"]) == 0
    assert capsys.readouterr().out == "The expectation is met: there is nothing to diagnose.\n"


def test_an_expectation_that_nothing_decides_is_diagnosed_from_its_sentence(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (suite / "one.refinery.yaml").write_text(
        "trace: traces/sweep.json\nprompts: [prompts/*.md]\n"
        "expectations: [{id: a, expect: The agent says that it cannot keep preferences.}]\n"
    )
    arguments = ("traces/sweep.json", "--expect", "The agent says that it cannot keep preferences.")
    found = diagnosed_by_command(capsys, "one.refinery.yaml")
    expected = diagnosed_by_command(capsys, *arguments, "--prompts", "prompts/*.md")
    assert without_times(found) == without_times(expected)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            [f"{FILE}::admits-it-cannot"],
            "has no expectation 'admits-it-cannot'. Did you mean 'admits-it-cannot-remember'? There are: ",
        ),
        ([FILE], f"Name one of them. There are: {FILE}::admits-it-cannot-remember, "),
        ([f"{FILE}::a", "--was", "x"], "--expect, --why, --actual and --prompts are for a TRACE; "),
        (["traces/sweep.json"], "Say what was expected, with --expect SENTENCE; "),
        (["gone.refinery.yaml::a"], "gone.refinery.yaml:1:1: The file cannot be read: "),
        (["run.refinery.yaml"], "run.refinery.yaml names no trace: run its agent with pytest --refinery "),
    ],
)
def test_what_cannot_be_diagnosed_is_said(
    suite: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    (suite / "run.refinery.yaml").write_text(
        "agent: desk:answer\nexpectations: [{id: a, expect: It answers., inputs: {q: x}, checks: [{errors: none}]}]\n"
    )
    assert cli.main(["diagnose", *arguments]) == 1
    assert sentence in capsys.readouterr().err
