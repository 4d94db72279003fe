"""Traces and targets that cannot be used: a sentence, undecided, and the rest of the run goes on."""

from __future__ import annotations

import gzip
import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import unwrapped
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

GOOD = "  - {id: good, expect: It speaks of the sweep., checks: [{output: {contains: cash sweep}}]}\n"


def run_record(run_id: str | None, parent: str | None = None) -> dict[str, Any]:
    record = {"id": run_id, "parent_run_id": parent, "name": "step", "run_type": "chain", "outputs": {"output": "x"}}
    return {key: value for key, value in record.items() if value is not None}


TRACES: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "traces/bad.json: no such trace file."),
    "empty": (b"", "traces/bad.json: there is nothing in it; export the trace again."),
    "blank": (b" \n\n", "traces/bad.json: there is nothing in it; export the trace again."),
    "cut_off": (
        b'[{"id": "a", "na',
        "traces/bad.json:1:*: not valid JSON: the file ends in the middle; it may be cut off.",
    ),
    "not_json": (b"hello", "traces/bad.json:1:1: not valid JSON: expecting value."),
    "not_utf8": (b'[{"role": "user", "content": "caf\xe9"}]', "traces/bad.json: not UTF-8*"),
    "no_runs": (b"[]", "traces/bad.json: there is nothing in it; export the trace again."),
    "no_id": (json.dumps([run_record(None)]).encode(), "traces/bad.json: run 1 (step) has no id;*"),
    "cycle": (
        json.dumps([run_record("a", "b"), run_record("b", "a")]).encode(),
        "traces/bad.json: the parents of run a form a cycle, so the trace has no order.",
    ),
    "numbers": (b"[1, 2, 3]", "traces/bad.json: *"),
    "damaged_gzip": (gzip.compress(b"[]" * 999)[:-9], "traces/bad.json: the gzip data is damaged or cut off*"),
}


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_that_cannot_be_read_is_undecided(pytester: pytest.Pytester, suite: Path, name: str) -> None:
    content, said = TRACES[name]
    if content is not None:
        (suite / "traces" / "bad.json").write_bytes(content)
    (suite / "memory.refinery.yaml").write_text(
        "trace: traces/sweep.json\nexpectations:\n"
        "  - {id: bad, expect: It is read., trace: traces/bad.json, checks: [{errors: none}]}\n" + GOOD,
        encoding="utf-8",
    )
    result = pytester.runpytest("--refinery")
    result.assert_outcomes(passed=1, errors=1)
    assert fnmatchcase(unwrapped(result), f"*{said}*")
    assert not any("Traceback" in line for line in result.outlines)


def test_a_folder_is_no_trace(pytester: pytest.Pytester, suite: Path) -> None:
    text = f"trace: traces\nexpectations:\n{GOOD}"
    (suite / "memory.refinery.yaml").write_text(text, encoding="utf-8")
    result = pytester.runpytest("--refinery")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["traces: is a directory; name the trace file in it."])


CHECKS = {
    "no_module": ("python: nowhere:check", "python: nowhere:check: no module 'nowhere' in *"),
    "no_function": ("python: my_checks:god", "*my_checks*god*Did you mean 'good'?*"),
    "raises": ("python: my_checks:broken", "*my_checks:broken*ZeroDivisionError*"),
    "breaks_on_import": ("python: my_broken:check", "*my_broken*SyntaxError*"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_that_cannot_be_carried_out_is_undecided(run: Run, suite: Path, name: str) -> None:
    check, said = CHECKS[name]
    (suite / "my_checks.py").write_text(
        "def good(trace):\n    assert trace.runs\n\ndef broken(trace):\n    return 1 / 0\n", encoding="utf-8"
    )
    (suite / "my_broken.py").write_text("def check(:\n", encoding="utf-8")
    (suite / "memory.refinery.yaml").write_text(
        f"trace: traces/sweep.json\nexpectations:\n  - {{id: bad, expect: It is checked., checks: [{{{check}}}]}}\n"
        + GOOD,
        encoding="utf-8",
    )
    result = run()
    result.assert_outcomes(passed=1, errors=1)
    assert fnmatchcase(unwrapped(result), f"*{said}*")


def test_a_python_check_decides(run: Run, suite: Path) -> None:
    (suite / "my_checks.py").write_text(
        """\
def holds(trace):
    assert len(trace.runs) == 3

def does_not(trace):
    return "the client was not greeted"
""",
        encoding="utf-8",
    )
    (suite / "memory.refinery.yaml").write_text(
        """\
trace: traces/sweep.json
expectations:
  - {id: holds, expect: It is short., checks: [python: my_checks:holds]}
  - {id: does-not, expect: It greets., checks: [python: my_checks:does_not]}
""",
        encoding="utf-8",
    )
    result = run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*the client was not greeted*"])


@WITH_WORKERS
def test_checks_of_a_conftest_are_known_by_name(run: Run, suite: Path) -> None:
    (suite / "conftest.py").write_text(
        """\
def greets(trace, argument):
    text = trace.runs[-1].outputs["content"]
    return argument in text or f"no {argument!r} in the answer"

def pytest_refinery_check():
    return {"greets": greets}
""",
        encoding="utf-8",
    )
    (suite / "memory.refinery.yaml").write_text(
        """\
trace: traces/sweep.json
expectations:
  - {id: done, expect: It says done., checks: [greets: Done]}
  - {id: hello, expect: It says hello., checks: [greets: Hello]}
""",
        encoding="utf-8",
    )
    result = run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*no 'Hello' in the answer*"])


def test_very_long_lines_and_control_characters_are_read(pytester: pytest.Pytester, suite: Path) -> None:
    noise = "\x00\x1b[2J\u202e" + "x" * 1_000_000
    trace = [{"role": "user", "content": noise}, {"role": "assistant", "content": noise + " from now on"}]
    (suite / "traces" / "sweep.json").write_text(json.dumps(trace), encoding="utf-8")
    result = pytester.runpytest("--refinery", "--refinery-report", "out")
    result.assert_outcomes(failed=2, errors=1)
    assert max(map(len, result.outlines)) < 1_000
    assert (suite / "out" / "report.md").stat().st_size < 100_000
