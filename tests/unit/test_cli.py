"""The command, in this process and in one that cannot import pytest."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import jsonschema
import pytest

from pytest_refinery import cli
from pytest_refinery.analysis.schemas import Diagnosis
from pytest_refinery.expectations import loader

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
    assert shown.startswith("Root cause ")
    assert "Step         2 of 2, message of assistant (id 1)" in shown
    assert "Actual It promised." in " ".join(shown.split())


def test_diagnose_as_json_is_a_diagnosis(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", "sweep.json", "--expect", EXPECT, "--json"]) == 0
    found = Diagnosis.model_validate_json(capsys.readouterr().out)
    assert found.responsible_run_id == "1"
    assert found.coverage.percentage == 100.0


@pytest.mark.parametrize(("kind", "shown"), [("console", b"said ??."), ("file", "said \u8fd4\u54c1.".encode())])
def test_what_a_console_cannot_show_costs_nothing_else(
    monkeypatch: pytest.MonkeyPatch, kind: str, shown: bytes
) -> None:
    printed = io.BytesIO()
    stdout = io.TextIOWrapper(printed, encoding="cp1252")
    monkeypatch.setattr(stdout, "isatty", lambda: kind == "console")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert cli.main(["diagnose", "sweep.json", "--expect", EXPECT, "--was", "It said \u8fd4\u54c1."]) == 0
    stdout.flush()
    assert shown in b" ".join(printed.getvalue().split())


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


def test_new_writes_a_file_that_loads_and_says_what_to_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["new", "sweep.json", "--expect", EXPECT, "--because", "Clients: they believed it."]) == 0
    path = "expectations/the-agent-says-that-it-cannot-keep-preferences.refinery.yaml"
    shown = capsys.readouterr().out.splitlines()
    assert (shown[0], shown[-1]) == (path, f"  pytest --refinery {path}")
    (found,) = loader.load(folder / path)
    assert (found.expect, found.business_context, found.checks) == (EXPECT, "Clients: they believed it.", ())
    assert found.trace == "../sweep.json"
    assert not (folder / "expectations" / "traces").exists()


def test_new_refers_to_the_prompt_files_that_the_agent_was_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "You are the assistant of {company}. Answer questions about transactions. Be brief."
    (folder / "prompts").mkdir()
    (folder / "prompts" / "system.md").write_text(told, encoding="utf-8")
    (folder / "prompts" / "other.md").write_text("You are somebody else, who was never told.", encoding="utf-8")
    (folder / "agent.py").write_text("PLANNER = 'Write the plan down before you act.'", encoding="utf-8")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "copy.md").write_text(told, encoding="utf-8")
    spoken = [
        {"role": "system", "content": told.format(company="Northmere")},
        {"role": "system", "content": "Write the plan down before you act."},
        {"role": "assistant", "content": "Yes."},
    ]
    (folder / "told.json").write_text(json.dumps(spoken), encoding="utf-8")
    assert cli.main(["new", "told.json", "--expect", EXPECT, "--name", "Plans first!"]) == 0
    (found,) = loader.load(folder / "expectations" / "plans-first.refinery.yaml")
    assert found.prompts == ("../prompts/system.md", "../agent.py")
    said = capsys.readouterr().out
    assert "  prompts  2 prompts in the trace; in 2 files here: ../prompts/system.md, ../agent.py\n" in said


def test_new_saves_a_trace_from_elsewhere_and_never_overwrites(
    tmp_path_factory: pytest.TempPathFactory, folder: Path
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "bad.json"
    elsewhere.write_bytes((folder / "sweep.json").read_bytes())
    (folder / "here").mkdir()
    (folder / "here" / "MEMORY.refinery.yml").write_text("mine", encoding="utf-8")
    for _ in range(2):
        assert cli.main(["new", str(elsewhere), "--expect", EXPECT, "--folder", "here", "--name", "memory"]) == 0
    assert (folder / "here" / "MEMORY.refinery.yml").read_text("utf-8") == "mine"
    for name in ("memory-2", "memory-3"):
        (found,) = loader.load(folder / "here" / f"{name}.refinery.yaml")
        assert found.id == name
        assert found.trace == f"traces/{name}.json"
        assert (folder / "here" / found.trace).read_bytes() == elsewhere.read_bytes()


@pytest.mark.parametrize(
    ("trace", "expect", "said"),
    [
        ("swep.json", "x", "swep.json: no such trace file. Did you mean 'sweep.json'?"),
        ("sweep.json", " ", "expectations/expectation.refinery.yaml:"),
    ],
)
def test_new_writes_nothing_where_something_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str], trace: str, expect: str, said: str
) -> None:
    assert cli.main(["new", trace, "--expect", expect]) == 1
    assert capsys.readouterr().err.startswith(f"pytest-refinery: {said}")
    assert not (folder / "expectations").exists()


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
