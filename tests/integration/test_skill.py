"""A script that may use only what the skill names turns failing suites green."""

from __future__ import annotations

import re
import shlex
import subprocess
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import cli

if TYPE_CHECKING:
    from pathlib import Path

SKILL = resources.files("pytest_refinery").joinpath("skill", "SKILL.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`((?:pytest|pytest-refinery) [^`]+)`", SKILL)

AGENT = """
from pathlib import Path

PROMPT = Path(__file__).with_name("system.md")


def answer(question):
    prompt = PROMPT.read_text("utf-8")
    kept = "I cannot keep that." if "no memory" in prompt else "I will leave them out from now on."
    fee = "It costs 45.00 USD." if "look up the fee" in prompt else "It is cheap."
    return f"{kept} {fee} Regards, {'the desk' if 'Sign' in prompt else 'Bob'}"
"""
SUITE = """
agent: desk:answer
inputs: {{question: "Exclude all transactions that say 'cash sweep'. What does it cost?"}}
prompts: [system.md]
expectations:
  - id: wanted
    expect: The agent answers as the desk does.
    checks: [{check}]
"""


def command(begins: str, **values: str) -> list[str]:
    """Return a command as the skill names it, with its capital letters replaced."""
    found = next(each for each in NAMED if each.startswith(begins))
    words = [values.get(word, word) for word in shlex.split(found)]
    return ["3" if before == "--times" else word for before, word in zip(["", *words], words, strict=False)]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
    folder = pytester.mkdir("project")
    monkeypatch.chdir(folder)
    (folder / "desk.py").write_text(AGENT, encoding="utf-8")
    (folder / "system.md").write_text("You are the assistant of a brokerage.\n", encoding="utf-8")
    return folder


def committed(folder: Path) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@x"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)  # noqa: S607


def pytest_says(pytester: pytest.Pytester, words: list[str]) -> int:
    return int(pytester.runpytest_subprocess("-p", "no:cacheprovider", *words[1:]).ret)


def test_a_suggested_fix_is_verified_and_accepted(pytester: pytest.Pytester, project: Path) -> None:
    (project / "a.refinery.yaml").write_text(SUITE.format(check="output: {not_contains: from now on}"), "utf-8")
    assert pytest_says(pytester, command("pytest --refinery --refinery-report refinery-report")[:4]) == 1
    assert cli.main(command("pytest-refinery explain", ID="wanted")[1:]) == 0
    assert cli.main(command("pytest-refinery verify refinery-report --only ID --times", ID="wanted")[1:]) == 0
    assert cli.main(command("pytest-refinery accept", ID="wanted")[1:]) == 0
    assert pytest_says(pytester, command("pytest --refinery --refinery-report refinery-report --refinery-fail-on")) == 0


@pytest.mark.parametrize(
    ("check", "rule"),
    [
        ("output: {contains: 45.00 USD}", "Always look up the fee before you name it.\n"),
        ("output: {not_contains: Bob}", "Sign as the desk, never with a name.\n"),
    ],
)
def test_a_rule_of_ones_own_is_verified_against_the_last_commit(
    pytester: pytest.Pytester, project: Path, capsys: pytest.CaptureFixture[str], check: str, rule: str
) -> None:
    (project / "a.refinery.yaml").write_text(SUITE.format(check=check), encoding="utf-8")
    committed(project)
    assert pytest_says(pytester, command("pytest --refinery --refinery-report refinery-report")[:4]) == 1
    assert cli.main(command("pytest-refinery explain", ID="wanted")[1:]) == 0
    with (project / "system.md").open("a", encoding="utf-8") as prompt:
        prompt.write(rule)
    assert cli.main(command("pytest-refinery verify refinery-report --only ID --against", ID="wanted")[1:]) == 0
    assert "a.refinery.yaml::wanted  verified: 0 of 3 -> 3 of 3" in capsys.readouterr().out
    assert pytest_says(pytester, command("pytest --refinery --refinery-report refinery-report --refinery-fail-on")) == 0
