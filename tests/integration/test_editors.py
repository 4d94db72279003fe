"""Test explorers of editors: they ask pytest for its items and run some by their absolute ids, with a plugin of theirs.

``ADAPTER`` follows what the plugin of VS Code's Python extension reads of items and reports; it writes down what the
editor would be sent.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ADAPTER = """
import json, pathlib
import pytest

SENT = pathlib.Path("sent.json")
paths, outcomes = {}, {}


def absolute(nodeid, path):
    return "::".join([str(path), *nodeid.split("::")[1:]])


def pytest_runtest_protocol(item, nextitem):
    paths[item.nodeid] = item.path


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_report_teststatus(report, config):
    if report.when == "call" or (report.when == "setup" and report.skipped):
        outcome = "success" if report.passed else "failure" if report.failed else "skipped"
        outcomes.setdefault(absolute(report.nodeid, paths[report.nodeid]), (outcome, report.longreprtext))
    return (yield)


def pytest_exception_interact(node, call, report):
    outcome = "failure" if call.excinfo.typename == "AssertionError" else "error"
    if isinstance(node, pytest.Item):
        outcomes.setdefault(absolute(node.nodeid, node.path), (outcome, report.longreprtext))


def pytest_sessionfinish(session):
    found = {}
    for item in session.items:
        assert isinstance(item.parent, pytest.File)
        assert item.parent.path.is_relative_to(session.path)
        found[absolute(item.nodeid, item.path)] = [item.name, str(item.parent.path), item.location[1] + 1]
    SENT.write_text(json.dumps({"found": found, "outcomes": outcomes}))
"""


@pytest.fixture
def editor(suite: Path, pytester: pytest.Pytester) -> Callable[..., dict[str, Any]]:
    """Run pytest as an editor does; return what it would be sent."""
    pytester.makeini("[pytest]\nrefinery = true\n")
    pytester.syspathinsert()
    pytester.makepyfile(editors_plugin=ADAPTER)

    def run(*args: str) -> dict[str, Any]:
        pytester.runpytest_subprocess("-p", "editors_plugin", *args)
        sent: dict[str, Any] = json.loads((suite / "sent.json").read_text(encoding="utf-8"))
        return sent

    return run


def test_expectations_are_found_with_their_files_and_lines(suite: Path, editor: Callable[..., dict[str, Any]]) -> None:
    file = suite / "memory.refinery.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    found = editor("--collect-only", f"--rootdir={suite}", str(suite))["found"]
    names = ("admits-it-cannot-remember", "mentions-the-sweep", "cannot-be-read")
    assert found == {f"{file}::{name}": [name, str(file), lines.index(f"  - id: {name}") + 1] for name in names}


def test_those_that_are_clicked_run_and_report_back(suite: Path, editor: Callable[..., dict[str, Any]]) -> None:
    clicked = [f"{suite / 'memory.refinery.yaml'}::{name}" for name in ("admits-it-cannot-remember", "cannot-be-read")]
    outcomes = editor(f"--rootdir={suite}", *clicked)["outcomes"]
    assert {id_: outcome for id_, (outcome, _) in outcomes.items()} == dict(
        zip(clicked, ("failure", "error"), strict=True)
    )
    assert "The agent says that it cannot keep preferences" in outcomes[clicked[0]][1]
    assert "traces/gone.json" in outcomes[clicked[1]][1]


def test_without_the_key_an_editor_sees_no_expectations(
    suite: Path, pytester: pytest.Pytester, editor: Callable[..., dict[str, Any]]
) -> None:
    pytester.makeini("[pytest]\n")
    assert editor("--collect-only", str(suite))["found"] == {}
