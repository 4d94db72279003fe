"""The examples are what their README says they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_refinery.sources.json_files import JsonFiles

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
TRACES = sorted(path for path in (EXAMPLES / "support_agent" / "traces").iterdir())
_ROW = re.compile(r"^\| `(?P<file>[\w.]+)` :: `(?P<name>[\w-]+)` \| (?P<outcome>passes|fails) \|", re.MULTILINE)
_REPORTED = re.compile(r"^(?P<outcome>PASSED|FAILED) \S*/(?P<file>[\w.]+)::(?P<name>[\w-]+)$", re.MULTILINE)
_MACHINE = re.compile(
    r"linux|darwin|windows|/home|/root|/tmp/|traceback|runtime|langsmith_|127\.0\.0\.1", re.IGNORECASE
)


def test_the_table_of_the_readme_tells_every_outcome() -> None:
    told = {
        (row["file"] if row["file"].endswith(".py") else f"{row['file']}.refinery.yaml", row["name"]): row["outcome"]
        for row in _ROW.finditer((EXAMPLES / "README.md").read_text(encoding="utf-8"))
    }
    words = {"PASSED": "passes", "FAILED": "fails"}
    assert told == {(row["file"], row["name"]): words[row["outcome"]] for row in _REPORTED.finditer(_run_examples())}


def test_the_cassettes_are_used_up_and_say_what_they_were_recorded_against() -> None:
    printed = _run_examples("--refinery-record=none", "--refinery-strict-cassettes", "-rE", "-m", "judged")
    assert "ERROR" not in printed, f"{printed}\nThe prompts or the traces have changed: make record"
    recorded = list((ROOT / "cassettes" / "examples").rglob("*.yaml/*.yaml"))
    assert len(recorded) == 2
    for cassette in recorded:
        head = cassette.read_text(encoding="utf-8").partition("interactions:")[0]
        assert 'recorded_against: "127.0.0.1:8123"' in head


def _run_examples(*more: str) -> str:
    options = ["--refinery", "--tb=no", "-rpf", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *more, "examples/support_agent"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.name)
def test_every_trace_loads_without_a_remark(path: Path) -> None:
    trace = JsonFiles().load(path.name, base=path.parent)
    assert trace.notes == ()
    assert 6 <= len(trace.runs) <= 40
    assert not _MACHINE.search(trace.model_dump_json())


def test_the_traces_are_small_enough_to_live_in_the_repository() -> None:
    assert sum(path.stat().st_size for path in TRACES) < 600_000


def test_one_trace_carries_serialised_langchain_messages() -> None:
    assert '"lc": 1, "type": "constructor"' in (TRACES[0].parent / "dividends.json").read_text(encoding="utf-8")
