"""``pytest-refinery new``, and the run that follows it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import cli
from tests.data_paths import require
from tests.langsmith_server import traces
from tests.langsmith_server.server import LangSmithServer
from tests.langsmith_server.terms import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE = "expectations/counts.refinery.yaml"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LangSmithServer]:
    with LangSmithServer() as server:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", server.endpoint)
        monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
        monkeypatch.setenv("LANGSMITH_PROJECT", "default")
        yield server


def choose(file: Path, *, fails: bool) -> None:
    """Take the comment signs off the checks that fail now, or off those that hold."""
    state = "fails now" if fails else "holds now.*"
    chosen = re.sub(rf"^    # (checks:$|  - .*# {state}$)", r"    \1", file.read_text("utf-8"), flags=re.MULTILINE)
    file.write_text(chosen, encoding="utf-8")


def test_a_trace_of_langsmith_is_saved_and_needs_no_langsmith_any_more(
    pytester: pytest.Pytester, server: LangSmithServer, run: Callable[..., pytest.RunResult]
) -> None:
    trace = server.store.add(traces.made(6))
    assert cli.main(["new", server.page_of(trace), "--expect", "The agent counts.", "--name", "counts"]) == 0
    asked = len(server.asked)
    saved = json.loads((pytester.path / "expectations" / "traces" / "counts.json").read_text("utf-8"))
    assert {each["id"] for each in saved} == {each["id"] for each in trace.runs}
    choose(pytester.path / FILE, fails=False)
    run().assert_outcomes(passed=1)
    assert len(server.asked) == asked


@pytest.mark.parametrize("fails", [True, False])
def test_what_a_real_trace_is_said_to_do_it_does(pytester: pytest.Pytester, fails: bool) -> None:  # noqa: FBT001
    folder = require("langsmith_tau", "nested")
    for path in sorted(folder.iterdir())[:3]:
        expect = "The agent asks for confirmation before it changes an order."
        assert cli.main(["new", str(path), "--expect", expect, "--name", path.name.partition(".")[0]]) == 0
    files = sorted((pytester.path / "expectations").glob("*.yaml"))
    for file in files:
        choose(file, fails=fails)
    result = pytester.runpytest("--refinery", "--refinery-report", "out", *files)
    result.assert_outcomes(**{"failed" if fails else "passed": len(files)})
    report = json.loads((pytester.path / "out" / "report.json").read_text("utf-8"))
    shown = {check["passed"] for item in report["expectations"] for check in item["checks"]}
    assert shown == {not fails}
