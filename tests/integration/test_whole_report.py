"""Every collected expectation is in the report: also those that a run did not come to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

DIES = """\
expectations:
  - id: dies
    expect: The agent answers.
    agent: own_agent:dies
    inputs: {question: hi}
    checks: [{output: {contains: fine}}]
  - id: answers
    expect: The agent answers.
    agent: own_agent:answers
    inputs: {question: hi}
    checks: [{output: {contains: fine}}]
"""
AGENT = """\
import os, signal

def dies(**_):
    os._exit(9)

def answers(**_):
    return "fine"

def interrupts(**_):
    os.kill(os.getpid(), signal.SIGINT)
"""


def found(folder: Path) -> dict[str, Any]:
    report = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))
    return {item["expectation"]["id"]: (item["outcome"], item["error"]) for item in report["expectations"]}


def test_the_item_of_a_crashed_worker_is_reported(pytester: pytest.Pytester) -> None:
    pytester.makefile(".refinery.yaml", crash=DIES)
    pytester.makepyfile(own_agent=AGENT)
    result = pytester.runpytest_subprocess("--refinery", "--refinery-report=out", "-n2", timeout=120)
    result.assert_outcomes(passed=1, failed=1)
    records = found(pytester.path)
    assert records["answers"] == ("passed", None)
    assert records["dies"][0] == "failed"
    assert "crashed while running 'crash.refinery.yaml::dies'" in records["dies"][1]
    result.stdout.fnmatch_lines(["1 failed, 1 passed."])


@pytest.mark.parametrize("flags", [("-x",), ("--maxfail=1", "-n1")], ids=["plain", "n1"])
def test_what_a_run_does_not_come_to_is_reported(
    pytester: pytest.Pytester, suite: Path, flags: tuple[str, ...]
) -> None:
    result = pytester.runpytest("--refinery", "--refinery-report=out", *flags)
    records = found(suite)
    assert records["admits-it-cannot-remember"][0] == "failed"
    not_run = {
        name for name, (outcome, error) in records.items() if (error or "").startswith("Not run: the run stopped")
    }
    assert not_run == {"mentions-the-sweep", "cannot-be-read"}
    assert {records[name][0] for name in not_run} == {"skipped"}
    assert "warning: 2 were not run: the run stopped before it (stopping after 1 failures)" in result.stdout.str()


def test_deselected_expectations_are_not_in_it(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.runpytest("--refinery", "--refinery-report=out", "-m", "wording")
    assert set(found(suite)) == {"mentions-the-sweep"}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupted_run_says_what_it_did_not_come_to(pytester: pytest.Pytester) -> None:
    pytester.makefile(".refinery.yaml", stops=DIES.replace("own_agent:dies", "own_agent:interrupts"))
    pytester.makepyfile(own_agent=AGENT)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--refinery", "--refinery-report=out"],
        cwd=pytester.path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.INTERRUPTED, done.stdout + done.stderr
    assert set(found(pytester.path).values()) == {("skipped", "Not run: the run was interrupted.")}


@pytest.mark.parametrize("flag", ["--setup-plan", "--setup-only", "--collect-only"])
def test_what_only_shows_a_run_decides_nothing(pytester: pytest.Pytester, suite: Path, flag: str) -> None:
    (suite / "conftest.py").write_text(
        "class Judge:\n"
        "    name = model = fingerprint = 'asked'\n"
        "    def judge(self, case, job): raise RuntimeError('it was asked')\n"
        "    forecast_judge = judge\n"
        "def pytest_refinery_analyst(name):\n"
        "    return Judge() if name == 'asked' else None\n"
        "def pytest_refinery_trace_source(reference):\n"
        "    raise RuntimeError('it was loaded')\n"
    )
    (suite / "judged.refinery.yaml").write_text(
        "trace: traces/sweep.json\nexpectations: [{id: one, expect: Anything.}]\n"
    )
    result = pytester.runpytest("--refinery", "--refinery-analyst=asked", "--refinery-report=out", flag)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*refinery summary*")
    result.stdout.no_fnmatch_line("*it was*")
    assert not (suite / "out").exists()
