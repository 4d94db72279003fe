"""Several reports as one: the same as one run of everything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    return lambda *args: pytester.runpytest("--refinery", "-pno:xdist", *args)


def found(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    for item in report["expectations"]:
        for stage in item["diagnosis"]["stages"] if item["diagnosis"] else ():
            stage["seconds"] = 0
    return report


@pytest.fixture
def shards(suite: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(suite)
    for number, which in enumerate(("admits", "mentions or read"), start=1):
        shard = f"shard-{number}"
        run(f"--refinery-report={shard}", f"--junitxml={shard}/junit.xml", "-k", which, "-pno:cacheprovider")
    return suite


def test_merged_shards_are_the_report_of_one_run(shards: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--refinery-report=whole", "-pno:cacheprovider")
    capsys.readouterr()
    assert cli.main(["merge", "shard-1", "shard-2", "-o", "merged", "--of", "2"]) == 1
    assert found(shards / "merged") == found(shards / "whole")
    assert (shards / "merged" / "report.md").read_text("utf-8") == (shards / "whole" / "report.md").read_text("utf-8")
    assert "admits-it-cannot-remember" in (shards / "merged" / "index.html").read_text(encoding="utf-8")
    assert 'tests="3"' in (shards / "merged" / "junit.xml").read_text(encoding="utf-8")
    assert capsys.readouterr().err == ""


def test_a_missing_report_is_said_and_fails(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["merge", "shard-2", "shard-3", "-o", "merged", "--of", "3"]) == 1
    said = capsys.readouterr().err
    assert "shard-3 has no report.json" in said
    assert "1 of 3 reports are there" in said


def test_a_baseline_decides_over_all_shards(shards: Path, run: Run) -> None:
    run("--refinery-report=whole", "--deselect", "memory.refinery.yaml::cannot-be-read")
    (shards / "shard-2" / "report.json").unlink()
    assert cli.main(["merge", "shard-1", "-o", "merged", "--baseline", "whole", "--fail-on", "new"]) == 0


def test_four_shards_of_xdist_are_the_report_of_one_run(
    suite: Path, pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    expectations = "".join(
        f"  - {{id: case-{number}, expect: Case {number} is met., checks: [{{output: {{{check}: from now on}}}}]}}\n"
        for number, check in enumerate(("contains", "not_contains") * 4)
    )
    (suite / "many.refinery.yaml").write_text(f"trace: traces/sweep.json\nexpectations:\n{expectations}", "utf-8")
    monkeypatch.chdir(suite)
    (suite / "memory.refinery.yaml").unlink()
    run("--refinery-report=whole", "-pno:cacheprovider")
    for shard in range(4):
        which = f"case-{shard} or case-{7 - shard}"
        pytester.runpytest("--refinery", "-n1", f"--refinery-report=shard-{shard}", "-k", which, "-pno:cacheprovider")
    shards = [f"shard-{number}" for number in range(4)]
    assert cli.main(["merge", *shards, "-o", "merged", "--of", "4"]) == 1
    assert found(suite / "merged") == found(suite / "whole")
    assert len(found(suite / "merged")["expectations"]) == 8
