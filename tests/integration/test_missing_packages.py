"""What an environment without the extras says, and where: the line that installs what is missing."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import wiring
from pytest_refinery.reports import text
from tests.integration.conftest import unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec

ROOT = Path(__file__).resolve().parents[2]
OPENAI = "pip install 'pytest-refinery[openai]'"
# As an environment is where only the core is installed.
CORE_ONLY = """
import os, sys

extras = "anyio genai_prices httpx httpx2 jsonschema langsmith openai opentelemetry redis xdist".split()
sys.modules.update(dict.fromkeys(extras))
os.environ.update(LANGSMITH_API_KEY="lsv2_none", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", PYTEST_ADDOPTS="")

import pytest

sys.exit(pytest.main(["-p", "refinery", *sys.argv[1:]]))
"""
MORE = """
expectations:
  - id: in-langsmith
    trace: b0c7a0fe-2f6f-4bb2-8f16-7b6b1e3b8b0a
    expect: The agent is polite.
    checks: [{errors: none}]
  - id: follows-a-schema
    trace: traces/json.json
    expect: The answer is a number.
    checks: [{output: {json_schema: {type: number}}}]
"""


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make a package look as if it were not installed."""

    def hide(package: str) -> None:
        def found(name: str) -> ModuleSpec | None:
            return None if name == package else find_spec(name)

        for module in (wiring, text):
            monkeypatch.setattr(module, "find_spec", found)

    return hide


@pytest.fixture
def example(pytester: pytest.Pytester) -> Path:
    """The example whose judged expectations have cassettes."""
    for folder in ("examples/support_agent", "cassettes/examples"):
        shutil.copytree(ROOT / folder, pytester.path / folder)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    return pytester.path / "examples" / "support_agent"


def test_with_a_key_and_no_sdk_the_rules_diagnose_and_say_why(
    suite: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, without: Callable[[str], None]
) -> None:
    without("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    printed = unwrapped(pytester.runpytest("--refinery", "-k", "admits", str(suite)))
    assert "The agent promises something for later" in printed
    assert f"OPENAI_API_KEY needs the package openai: {OPENAI})" in printed
    assert "confidence low, by rules" in printed


def test_the_rules_alone_miss_nothing(suite: Path, pytester: pytest.Pytester, without: Callable[[str], None]) -> None:
    without("openai")
    printed = unwrapped(pytester.runpytest("--refinery", "-k", "admits", str(suite)))
    assert "The agent promises something for later" in printed
    assert "pip install" not in printed


def test_a_model_that_was_asked_for_is_a_wrong_setting(
    suite: Path, pytester: pytest.Pytester, without: Callable[[str], None]
) -> None:
    without("openai")
    result = pytester.runpytest("--refinery", "--refinery-analyst=openai", str(suite))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: --refinery-analyst openai needs the package openai: {OPENAI}.".replace("[", "[[]")]
    )


def test_recorded_verdicts_are_not_left_to_the_rules(
    example: Path, pytester: pytest.Pytester, without: Callable[[str], None]
) -> None:
    without("openai")
    result = pytester.runpytest("--refinery", str(example / "expectations" / "judged.refinery.yaml"))
    result.assert_outcomes(errors=2)
    assert unwrapped(result).count(f"A replay of a model's answers needs the package openai: {OPENAI}") == 2


def test_a_plan_says_how_to_see_prices(
    suite: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, without: Callable[[str], None]
) -> None:
    without("genai_prices")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    printed = unwrapped(pytester.runpytest("--refinery", "--refinery-plan", str(suite)))
    assert "cost unknown: pip install 'pytest-refinery[prices]'" in printed


def test_a_process_without_any_extra_runs_all_that_needs_none(suite: Path, pytester: pytest.Pytester) -> None:
    (suite / "more.refinery.yaml").write_text(MORE, encoding="utf-8")
    (suite / "traces" / "json.json").write_text(
        '[{"role": "user", "content": "1?"}, {"role": "assistant", "content": "1"}]'
    )
    pytester.makepyfile(core_only=CORE_ONLY)
    printed = unwrapped(pytester.run(sys.executable, "core_only.py", "--refinery", "--refinery-report", "report"))
    assert "The agent promises something for later" in printed
    assert (
        "Fetching a trace from LangSmith needs the package httpx2: pip install 'pytest-refinery[langsmith]'" in printed
    )
    assert "output.json_schema needs the package jsonschema: pip install 'pytest-refinery[jsonschema]'" in printed
    assert "1 failed, 1 passed, 3 errors" in printed
    assert (suite / "report" / "index.html").exists()
