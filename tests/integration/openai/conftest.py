"""Whole runs of pytest against the loopback service: a suite with one expectation that fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

# Loaded late by the SDK: an inner run would forget it at its end, and with it what its exceptions are.
import httpcore2  # noqa: F401
import pytest

from tests.openai_server import OpenAIServer, RunReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "sk-test-0123456789abcdef"
PROMISE = "Done. I will exclude all cash sweep redemptions from now on."
TALK = [
    {"role": "system", "content": "You are the assistant of a broker. Be brief."},
    {"role": "user", "content": "How much cash do I hold?"},
    {"role": "assistant", "content": "You hold 1,200 dollars in cash."},
    {"role": "user", "content": "Exclude all transactions that say 'cash sweep redemption'."},
    {"role": "assistant", "content": PROMISE},
    {"role": "user", "content": "Thank you."},
    {"role": "assistant", "content": "You are welcome."},
]
EXPECTATIONS = """\
trace: sweep.json
prompts: system.md
expectations:
  - id: admits
    expect: The agent says that it cannot keep preferences between conversations.
    business_context: Clients believed that their exclusions were permanent.
    checks:
      - runs: {at_most: 0}
"""


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A service whose model finds the promise wherever it is really shown it."""
    with OpenAIServer(brain=RunReader(markers=("from now on",))) as server:
        yield server


@pytest.fixture
def suite(pytester: pytest.Pytester, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite of one expectation, in an environment that names the service."""
    folder = pytester.path
    (folder / "sweep.json").write_text(json.dumps(TALK), encoding="utf-8")
    (folder / "system.md").write_text("You are the assistant of a broker. Be brief.\n", encoding="utf-8")
    (folder / "memory.refinery.yaml").write_text(EXPECTATIONS, encoding="utf-8")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    # Nothing here is about the limit, so nothing waits for it.
    monkeypatch.setenv("REFINERY_TPM", "1000000")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return folder


@pytest.fixture
def grouped(suite: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The suite, its trace in the groups g01 to g03, which are put into a vector store."""
    monkeypatch.setenv("REFINERY_GROUP_SIZE_RUNS", "3")
    return suite


@pytest.fixture
def diagnose(pytester: pytest.Pytester, suite: Path) -> Callable[..., tuple[pytest.RunResult, dict[str, Any]]]:
    """Run the suite; return what was printed, and the diagnosis in its report."""

    def diagnose(*args: str) -> tuple[pytest.RunResult, dict[str, Any]]:
        result = pytester.runpytest("--refinery", "--refinery-report", "out", "-p", "no:xdist", *args)
        result.assert_outcomes(failed=1)
        report = json.loads((suite / "out" / "report.json").read_text(encoding="utf-8"))
        return result, report["expectations"][0]["diagnosis"]

    return diagnose
