"""What an environment without the extras says, and where: the line that installs what is missing."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import cli, wiring
from pytest_refinery.reports import text
from tests.integration.conftest import unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec

ROOT = Path(__file__).resolve().parents[2]
OPENAI = "pip install 'pytest-refinery[openai]'"


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
    assert f"OPENAI_API_KEY needs the package openai: {OPENAI}): diagnosed by the rules" in printed


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


def test_a_trace_of_langsmith_cannot_be_fetched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], without: Callable[[str], None]
) -> None:
    without("httpx2")
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_none")
    assert cli.main(["fetch", "b0c7a0fe-2f6f-4bb2-8f16-7b6b1e3b8b0a"]) != 0
    complaint = "Fetching a trace from LangSmith needs the package httpx2: pip install 'pytest-refinery[langsmith]'"
    assert complaint in capsys.readouterr().err


def test_a_plan_says_how_to_see_prices(
    suite: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, without: Callable[[str], None]
) -> None:
    without("genai_prices")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    printed = unwrapped(pytester.runpytest("--refinery", "--refinery-plan", str(suite)))
    assert "cost unknown: pip install 'pytest-refinery[prices]'" in printed
