"""What the page on LangSmith shows works as shown."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

# Loaded late by the client: an inner run would forget it at its end, and with it what its exceptions are.
import httpcore2  # noqa: F401
import pytest

from pytest_refinery import cli
from pytest_refinery.sources.langsmith import references as langsmith_references
from tests.langsmith_server import KEY, LangSmithServer, traces

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "langsmith.md").read_text("utf-8")
TRACE_ID = "0f5c1a52-6f1e-4c6a-9d55-0c9e8a7b6d4f"


@pytest.fixture
def server(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[LangSmithServer]:
    """A service that has the page's trace."""
    with LangSmithServer() as server:
        run = {"id": TRACE_ID, "trace_id": TRACE_ID, "dotted_order": f"20260302T093000000000Z{TRACE_ID}"}
        server.store.add([traces.made(1)[0] | run], project="support")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", server.endpoint)
        monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
        monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
        yield server


def test_the_expectation_is_checked(server: LangSmithServer, pytester: pytest.Pytester) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (pytester.path / "memory.refinery.yaml").write_text(shown, encoding="utf-8")
    pytester.runpytest("--refinery").assert_outcomes(passed=1)
    assert "GET /api/v1/sessions" in server.asked


def test_the_command_saves_the_trace(server: LangSmithServer, pytester: pytest.Pytester) -> None:
    (shown,) = re.findall(r"^pytest-refinery (fetch .*)$", PAGE, re.MULTILINE)
    assert cli.main(shlex.split(shown)) == 0
    assert (pytester.path / "traces" / "cash-sweep.json").exists()


def test_the_forms_of_a_reference_are_understood() -> None:
    shown = re.findall(r"^\| .* \| `(.*)` \|$", PAGE, re.MULTILINE)
    assert len(shown) == 3
    for reference in shown:
        whole = reference.replace("...", TRACE_ID)
        assert langsmith_references.read_reference(whole) is not None
