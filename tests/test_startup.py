"""What the installed plugin does to runs that do not ask for it: nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LIGHT = {
    "pytest_refinery",
    "pytest_refinery.errors",
    "pytest_refinery.hookspecs",
    "pytest_refinery.options",
    "pytest_refinery.plugin",
    "pytest_refinery.settings",
}
VENDORS = {"filelock", "httpx2", "jinja2", "langsmith", "openai", "opentelemetry", "vcr"}
SUITE = {
    "test_trivial.py": "def test_trivial():\n    pass\n",
    "some.refinery.yaml": "trace: some.json\nexpectations:\n  - id: one\n    expect: Anything at all.\n",
    "some.json": json.dumps({"messages": [{"role": "user", "content": "Hello"}]}),
    "conftest.py": (
        "import json, os, pathlib, sys\n\n"
        "def pytest_unconfigure():\n"
        "    pathlib.Path(os.environ['MODULES']).write_text(json.dumps(sorted(sys.modules)))\n"
    ),
}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder with one test and, beside it, an expectation file and its trace."""
    folder = tmp_path / "suite"
    folder.mkdir()
    for name, text in SUITE.items():
        folder.joinpath(name).write_text(text)
    return folder


def run(suite: Path, *args: str) -> tuple[str, set[str]]:
    """Run pytest in a process of its own; return what it printed and the modules it had loaded."""
    modules = suite.with_name("modules.json")
    environment = {**os.environ, "MODULES": str(modules), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.stdout + done.stderr, set(json.loads(modules.read_text()))


def without_names_and_times(printed: str) -> str:
    """Drop what differs by itself: the list of installed plugins and the duration."""
    return re.sub(r"in \d+\.\d+s", "in ...s", re.sub(r"(?m)^plugins: .*\n", "", printed))


def test_a_run_that_does_not_ask_loads_only_the_light_modules(suite: Path) -> None:
    _, without = run(suite, "-p", "no:refinery")
    _, loaded = run(suite)
    added = {name for name in loaded - without if name.partition(".")[0] not in sys.stdlib_module_names}
    assert added == LIGHT


def test_a_run_that_asks_loads_the_rest(suite: Path) -> None:
    _, loaded = run(suite, "--refinery")
    assert {"pydantic", "yaml"} <= loaded


def test_a_run_that_asks_loads_no_vendor_it_does_not_need(suite: Path) -> None:
    _, without = run(suite, "-p", "no:refinery")
    _, loaded = run(suite, "--refinery")
    assert not VENDORS & (loaded - without)


def test_a_run_that_does_not_ask_prints_what_it_would_without_the_plugin(suite: Path) -> None:
    printed_without, _ = run(suite, "-p", "no:refinery")
    printed, _ = run(suite)
    assert without_names_and_times(printed) == without_names_and_times(printed_without)
    assert "1 passed" in printed


def test_a_run_that_does_not_ask_writes_nothing(suite: Path) -> None:
    run(suite)
    assert {path.name for path in suite.rglob("*")} == set(SUITE)
