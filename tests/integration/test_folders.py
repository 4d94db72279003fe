"""Hooks are those of an item's own folder: what two conftests offer under one name does not mix."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CONFTEST = """\
from pytest_refinery.analysts.rules.analyst import RulesAnalyst
from pytest_refinery.traces.model import Run, Trace

class Own(RulesAnalyst):
    name = "own-{name}"

class Source:
    def load(self, reference, *, base, project=None):
        return Trace(id="{name}", name="{name}", runs=(Run(id="1", name="r", kind="llm", outputs="said by {name}"),))

def pytest_refinery_check():
    return {{"only_{name}": lambda trace, _: None, "shared": lambda trace, _: "by {name}"}}

def pytest_refinery_analyst(name):
    return Own() if name == "own" else None

def pytest_refinery_trace_source(reference):
    return Source() if reference == "own:trace" else None

def pytest_refinery_cassette(item, default):
    return default.parent / "{name}.yaml"

def pytest_refinery_scrub(text):
    return text.replace("secret of {name}", "GONE")
"""
FILE = """\
trace: own:trace
expectations:
  - id: own-check
    expect: It holds.
    checks: [{{only_{name}: 1}}]
  - id: shared-check
    expect: It does not hold.
    checks: [{{shared: 1}}]
"""


@pytest.fixture
def folders(pytester: pytest.Pytester) -> Path:
    for name in "ab":
        folder = pytester.mkdir(name)
        (folder / "conftest.py").write_text(CONFTEST.format(name=name))
        (folder / "x.refinery.yaml").write_text(FILE.format(name=name))
    (pytester.path / "conftest.py").write_text(
        "from pytest_refinery.analysts.rules.analyst import RulesAnalyst\n"
        "def pytest_refinery_analyst(name):\n    return RulesAnalyst() if name == 'own' else None\n"
    )
    return pytester.path


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_each_item_has_what_its_own_folder_offers(
    pytester: pytest.Pytester, folders: Path, order: tuple[str, str]
) -> None:
    result = pytester.runpytest("--refinery", "--refinery-analyst=own", "--refinery-report=out", *order)
    result.assert_outcomes(passed=2, failed=2)
    items = json.loads((folders / "out" / "report.json").read_text())["expectations"]
    found = {
        item["nodeid"]: (item["trace"]["id"], item["checks"][0]["actual"], item["diagnosis"]["analyst"])
        for item in items
        if item["diagnosis"]
    }
    assert found == {f"{name}/x.refinery.yaml::shared-check": (name, f"'by {name}'", f"own-{name}") for name in "ab"}


def test_what_only_another_folder_offers_is_unknown(pytester: pytest.Pytester, folders: Path) -> None:
    (folders / "a" / "x.refinery.yaml").write_text(FILE.format(name="b"))
    result = pytester.runpytest("--refinery")
    result.stdout.fnmatch_lines(["*a/x.refinery.yaml:5:*Unknown check 'only_b'*"])
    assert "b/x.refinery.yaml:" not in result.stdout.str()
