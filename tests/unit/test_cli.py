"""The command, in this process and in one that cannot import pytest."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import jsonschema
import pytest

from pytest_refinery import cli
from pytest_refinery.analysis.schemas import Diagnosis

if TYPE_CHECKING:
    from pathlib import Path

EXPECT = "The agent says that it cannot keep preferences."


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    conversation = [
        {"role": "user", "content": "Exclude the sweeps."},
        {"role": "assistant", "content": "I will exclude them from now on."},
    ]
    (tmp_path / "sweep.json").write_text(json.dumps(conversation), encoding="utf-8")
    (tmp_path / "system.md").write_text("You are the assistant of a broker.\n", encoding="utf-8")
    return tmp_path


def test_schema_prints_a_valid_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)


def test_diagnose_prints_the_diagnosis(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", "sweep.json", "--expect", EXPECT, "--prompts", "*.md", "--was", "It promised."]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("root cause ")
    assert "run        2 of 2: assistant (1)" in shown
    assert "Was: It promised." in " ".join(shown.split())


def test_diagnose_as_json_is_a_diagnosis(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", "sweep.json", "--expect", EXPECT, "--json"]) == 0
    found = Diagnosis.model_validate_json(capsys.readouterr().out)
    assert found.responsible_run_id == "1"
    assert found.coverage.percentage == 100.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["diagnose", "swep.json", "--expect", "x"], "swep.json: no such trace file. Did you mean 'sweep.json'?"),
        (["diagnose", ".", "--expect", "x"], ".: is a directory; name the trace file in it."),
        (["diagnose", "system.md", "--expect", "x"], "system.md:1:1: not valid JSON: expecting value."),
        (
            ["diagnose", "sweep.json", "--expect", "x", "--prompts", "*.txt"],
            "prompts: no file matches '*.txt' (looked in",
        ),
    ],
)
def test_a_mistake_is_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert cli.main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"pytest-refinery: {said}")
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_wrong_variable_is_one_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFINERY_TIMEOUT", "soon")
    assert cli.main(["diagnose", "sweep.json", "--expect", "x"]) == 1
    assert capsys.readouterr().err.startswith(
        "pytest-refinery: variable REFINERY_TIMEOUT: 'soon' is not a number of seconds"
    )


def test_without_a_command_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert "usage: pytest-refinery" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["schema"], ["diagnose", "sweep.json", "--expect", EXPECT, "--json"]])
def test_the_engine_does_not_need_pytest(folder: Path, arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "sys.modules['pytest'] = sys.modules['_pytest'] = None\n"
        "from pytest_refinery.cli import main\n"
        f"sys.exit(main({arguments!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
