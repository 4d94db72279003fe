"""The commands about the fixes of a report, without runs of the suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_refinery import cli
from pytest_refinery.analysis import fixes
from pytest_refinery.analysis.schemas import SuggestedFix, Trials, Verification, VerificationStatus
from pytest_refinery.analysis.session_report import compile_report
from tests import reported

if TYPE_CHECKING:
    from pathlib import Path

PROMPT, CHANGED = "You help.\n", "You help.\nYou forget.\n"
FILE = "prompts/system.md"


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts").mkdir()
    (tmp_path / FILE).write_text(PROMPT, encoding="utf-8")
    (tmp_path / "memory.refinery.yaml").write_text("", encoding="utf-8")
    return tmp_path


def write(
    folder: Path,
    status: VerificationStatus | None,
    *,
    diff: str = fixes.unified(FILE, PROMPT, CHANGED),
    file: str = FILE,
) -> None:
    trials = {"before": Trials(passed=0, trials=5), "after": Trials(passed=5, trials=5)}
    fix = SuggestedFix(component="system prompt", file=file, before="You help.", after=CHANGED, diff=diff)
    found = reported.diagnosis(suggested_fix=fix)
    if status is not None:
        found = found.with_verification(Verification(status=status, how="rerun", **trials))
    report = compile_report([reported.item(diagnosis=found)], plugin_version="1")
    (folder / "out").mkdir(exist_ok=True)
    (folder / "out" / "report.json").write_text(report.model_dump_json(), encoding="utf-8")


def test_a_confirmed_fix_is_made_and_only_once(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(suite, VerificationStatus.CONFIRMED)
    assert cli.main(["accept", "out"]) == 0
    assert (suite / FILE).read_text("utf-8") == CHANGED
    assert cli.main(["accept", "out", "admits"]) == 1
    assert "not accepted: the patch does not fit" in capsys.readouterr().out
    assert (suite / FILE).read_text("utf-8") == CHANGED


@pytest.mark.parametrize(
    "status", [None, *(each for each in VerificationStatus if each is not VerificationStatus.CONFIRMED)]
)
def test_no_other_fix_is_made(
    suite: Path, capsys: pytest.CaptureFixture[str], status: VerificationStatus | None
) -> None:
    write(suite, status)
    assert cli.main(["accept", "out"]) == 0
    assert cli.main(["accept", "out", "memory.refinery.yaml::admits"]) == 1
    assert capsys.readouterr().out.count("memory.refinery.yaml::admits  not accepted: it is ") == 2
    assert (suite / FILE).read_text("utf-8") == PROMPT


def test_a_patch_of_another_file_is_not_made(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(suite, VerificationStatus.CONFIRMED, diff=fixes.unified("conftest.py", "", "import os\n"))
    assert cli.main(["accept", "out", "admits"]) == 1
    assert f"not accepted: the patch is not of {FILE} alone" in capsys.readouterr().out
    assert not (suite / "conftest.py").exists()
    outside = "../outside.md"
    write(suite, VerificationStatus.CONFIRMED, diff=fixes.unified(outside, "", "taken\n"), file=outside)
    assert cli.main(["accept", "out", "admits"]) == 1
    assert not (suite.parent / "outside.md").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "elsewhere"], "elsewhere/report.json cannot be read (No such file or directory)"),
        (["accept", "out", "admit"], "The report has no failed expectation 'admit'. Did you mean 'admits'?"),
        (["verify", "out"], "No failed expectation of the report has a suggested change of a file."),
        (["verify", "out", "--fix", "no.patch"], "--fix no.patch cannot be read"),
        (["verify", "out", "--against", "nowhere"], "not a git repository"),
    ],
)
def test_what_cannot_be_done_is_an_error(
    suite: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    write(suite, None, diff="")
    assert cli.main(arguments) == 1
    assert said in capsys.readouterr().err


def test_a_report_of_another_folder_is_an_error(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(suite, None)
    (suite / "memory.refinery.yaml").unlink()
    assert cli.main(["accept", "out"]) == 1
    assert "Start the command in the folder that pytest was started in." in capsys.readouterr().err
    (suite / "out" / "report.json").write_text("[]", encoding="utf-8")
    assert cli.main(["accept", "out"]) == 1
    assert "is not a report of this version" in capsys.readouterr().err
