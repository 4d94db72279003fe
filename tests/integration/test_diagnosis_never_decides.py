"""Whatever happens while a diagnosis is made, the outcome of the item stays."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

ANALYST = """\
import threading
import time
from pytest_refinery.analysts.rules.analyst import RulesAnalyst

class Odd(RulesAnalyst):
    name = "odd"

    def {method}:
        {body}

def pytest_refinery_analyst(name):
    return Odd() if name == "odd" else None
"""

GROUP = "analyse_group(self, case, group)"
CONCLUDE = "conclude(self, case, findings, gaps)"


def plant(suite: Path, method: str, body: str) -> None:
    (suite / "conftest.py").write_text(ANALYST.format(method=method, body=body), encoding="utf-8")


def test_an_analyst_of_a_conftest_is_used_by_its_name(run: Run, suite: Path) -> None:
    plant(suite, "unused(self)", "pass")
    result = run("--refinery-analyst", "odd")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*, by odd"])


def test_an_analyst_that_raises_is_said(run: Run, suite: Path) -> None:
    plant(suite, GROUP, "raise RuntimeError('no answer')")
    result = run("--refinery-analyst", "odd", "-vv")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*, by rules",
            "Incomplete   The analyst odd gave no usable answer*",
            "             diagnosed by the rules",
        ]
    )


@WITH_WORKERS
def test_an_analyst_that_hangs_is_left_behind(run: Run, suite: Path) -> None:
    plant(suite, CONCLUDE, "threading.Event().wait()")
    result = run("--refinery-analyst", "odd", "--refinery-timeout", "0.5", "-vv")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "Incomplete   The analyst odd gave no usable answer*",
            "*: diagnosed by the rules",
        ]
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@WITH_WORKERS
def test_a_test_timeout_in_the_middle_of_a_diagnosis_shows_what_there_is(run: Run, suite: Path) -> None:
    # The signal that pytest-timeout waits for, at an instant that no busy machine can move.
    plant(suite, CONCLUDE, "import os, signal; os.kill(os.getpid(), signal.SIGALRM); threading.Event().wait()")
    result = run("--refinery-analyst", "odd", "--timeout", "300", "--timeout-method", "signal")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "Expected     The agent says*",
            "Root cause *",
            "Incomplete   The analyst odd gave no usable answer*",
        ]
    )


def test_an_engine_that_cannot_start_is_said(run: Run, suite: Path) -> None:
    (suite / "conftest.py").write_text(
        """\
import pytest

def pytest_runtest_call(item):
    from pytest_refinery.digest import render

    def broken(trace):
        raise MemoryError("too large")

    patch = pytest.MonkeyPatch()
    patch.setattr(render, "digest", broken)
    item.addfinalizer(patch.undo)
""",
        encoding="utf-8",
    )
    result = run()
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["No diagnosis: MemoryError: too large"])


def test_a_hook_that_raises_does_not_change_the_outcome(run: Run, suite: Path) -> None:
    (suite / "conftest.py").write_text(
        "def pytest_refinery_diagnosed(nodeid, diagnosis):\n    raise ValueError('the hook broke')\n", encoding="utf-8"
    )
    result = run()
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["Root cause *", "The hook pytest_refinery_diagnosed failed: ValueError: the hook broke"]
    )


def test_ctrl_c_in_a_diagnosis_ends_the_run(pytester: pytest.Pytester, suite: Path) -> None:
    plant(suite, CONCLUDE, "import _thread; _thread.interrupt_main(); threading.Event().wait()")
    result = pytester.runpytest_subprocess("--refinery", "--refinery-analyst", "odd")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*"])
