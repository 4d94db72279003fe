"""Fixes that are tried in a copy of the project: processes of their own, as a user starts them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery import cli, wiring
from tests.unit.verification.test_scratch import git, state

if TYPE_CHECKING:
    from collections.abc import Callable

DESK = """\
from pathlib import Path

PROMPT = Path(__file__).parent / "prompts" / "system.md"


def answer(question):
    told = PROMPT.read_text("utf-8")
    kept = "I left them out of this list." if "no memory" in told else "I will leave them out from now on."
    return f"{'Yes' if 'You have no memory' in told and 'curt' in told else 'Dear client'}: {kept}"
"""
SYSTEM = "You are the assistant of a brokerage. Answer questions about the customer's transactions."
MEMORY = """\
agent: desk:answer
inputs: {question: "Exclude all transactions that say 'cash sweep redemption'."}
prompts: [prompts/*.md]
expectations:
  - id: admits-it-cannot-remember
    expect: The agent says that it cannot keep preferences between conversations.
    checks:
      - output: {not_contains: from now on}
  - id: is-polite
    expect: The agent addresses the client.
    checks:
      - output: {contains: Dear client}
  - id: answers-in-german
    expect: The agent answers in German.
    checks:
      - output: {contains: Sehr geehrte}
"""
ID = "memory.refinery.yaml::admits-it-cannot-remember"


@pytest.fixture
def desk(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with an agent that does what its prompt says."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path.parent / "cache"))
    folder = pytester.mkdir("project")
    for name, text in {"desk.py": DESK, "prompts/system.md": f"{SYSTEM}\n", "memory.refinery.yaml": MEMORY}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / ".gitignore").write_text("out\n__pycache__\n.pytest_cache\n", encoding="utf-8")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "The desk")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess("--refinery", "--refinery-report", "out", *arguments, timeout=120)

    return run


def verifications(folder: Path) -> dict[str, Any]:
    items = json.loads((folder / "out" / "report.json").read_text("utf-8"))["expectations"]
    return {item["expectation"]["id"]: (item["diagnosis"] or {}).get("verification") for item in items}


def project_state(folder: Path) -> dict[str, object]:
    return {
        path: content
        for path, content in state(folder).items()
        if not any(part in path for part in ("/out/", "__pycache__", ".pytest_cache"))
    }


def test_a_fix_that_helps_is_confirmed_everywhere(run: Callable[..., pytest.RunResult], desk: Path) -> None:
    before = project_state(desk)
    result = run("--refinery-verify", "3", "-n2", "-k", "admits or polite", "--junitxml=junit.xml")
    said = "verified: 0 of 3 -> 3 of 3, 2 others unchanged"
    assert said in " ".join(" ".join(result.outlines).split())
    found = verifications(desk)["admits-it-cannot-remember"]
    assert (found["status"], found["how"], found["p_value"]) == ("confirmed", "rerun", 0.05)
    for name in ("out/report.md", "out/refinery-fix.patch", "junit.xml", "out/index.html"):
        assert said in (desk / name).read_text("utf-8").replace("&gt;", ">").replace("\\>", ">"), name
    (desk / "junit.xml").unlink()
    assert project_state(desk) == before
    assert list((desk.parents[1] / "cache" / "pytest-refinery" / "copies").iterdir()) == []


def own_fix(folder: Path, *lines: str) -> str:
    text = f"{SYSTEM}\n"
    changed = "".join(f"+{line}\n" for line in lines)
    (folder / "my.patch").write_text(
        f"--- a/prompts/system.md\n+++ b/prompts/system.md\n@@ -1 +1,{1 + len(lines)} @@\n {text}{changed}", "utf-8"
    )
    return "my.patch"


def test_a_fix_of_ones_own_that_breaks_another_expectation_is_refuted(
    run: Callable[..., pytest.RunResult], desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--refinery-no-diagnose")
    patch = own_fix(desk, "You have no memory.", "Be curt.")
    assert cli.main(["verify", "out", "--fix", patch, "--only", ID, "--times", "3"]) == 1
    said = (
        "refuted: 0 of 3 -> 3 of 3, 1 other unchanged, 1 lost. "
        "With the fix, what holds without it fails: memory.refinery.yaml::is-polite."
    )
    assert said in capsys.readouterr().out
    # It was somebody's own fix, not the suggested one.
    assert set(verifications(desk).values()) == {None}


def test_a_prompt_that_is_read_in_the_project_itself_shows_nothing(
    run: Callable[..., pytest.RunResult], desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = repr(str(desk / "prompts" / "system.md"))
    (desk / "desk.py").write_text(DESK.replace('Path(__file__).parent / "prompts" / "system.md"', f"Path({prompt})"))
    run("--refinery-no-diagnose")
    patch = own_fix(desk, "You have no memory.")
    assert cli.main(["verify", "out", "--fix", patch, "--only", ID, "--times", "3"]) == 1
    assert "not verified: The runs read prompts/system.md of the project itself" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_command_that_is_killed_leaves_nothing_behind(run: Callable[..., pytest.RunResult], desk: Path) -> None:
    run("--refinery-no-diagnose")
    before = project_state(desk)
    copies = desk.parents[1] / "cache" / "pytest-refinery" / "copies"
    code = "from pytest_refinery.cli import main; main()"
    arguments = ["verify", "out", "--fix", own_fix(desk, "You have no memory."), "--only", ID, "--times", "3"]
    with subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True) as command:
        assert command.stderr is not None
        assert any("run 2 of 3 without the fix" in line for line in command.stderr)
        command.kill()
    (desk / "my.patch").unlink()
    assert {path: content for path, content in project_state(desk).items() if "/.git/" not in path} == {
        path: content for path, content in before.items() if "/.git/" not in path
    }
    # What it had begun ends with it.
    for process in [path for path in Path("/proc").iterdir() if path.name.isdigit() and str(copies) in _command(path)]:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(int(process.name))
            assert select.select([descriptor], [], [], 20)[0], _command(process)
            os.close(descriptor)
    assert len(git(desk, "worktree", "list").splitlines()) == 2
    wiring.remove_leftover_copies()
    assert list(copies.iterdir()) == []
    assert project_state(desk) == before


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
