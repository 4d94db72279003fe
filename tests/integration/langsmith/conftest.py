"""A LangSmith on this machine, and suites whose traces are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

# Loaded late by the client: an inner run would forget it at its end, and with it what its exceptions are.
import httpcore2  # noqa: F401
import pytest

from tests.langsmith_server import KEY, LangSmithServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.langsmith_server.store import Trace


@pytest.fixture
def server(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[LangSmithServer]:
    """A service that the environment names; what it asks to wait for is waited for at most a moment."""
    with LangSmithServer() as server:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", server.endpoint)
        monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
        monkeypatch.setenv("REFINERY_FETCH_TIMEOUT", "0.2")
        monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
        yield server


@pytest.fixture
def expect(pytester: pytest.Pytester) -> Callable[..., Path]:
    """Write a file that expects the same of each of several traces: ``expect(good=trace, bad="an id")``."""

    def expect(**references: str | Trace) -> Path:
        lines = ["project: default", "expectations:"]
        for name, reference in references.items():
            written = reference if isinstance(reference, str) else reference.id
            lines += [f"  - id: {name}", "    expect: The agent counts.", f"    trace: {written}"]
            lines += ["    checks: [{output: {contains: 3 transactions}}]"]
        path = pytester.path / "agent.refinery.yaml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return expect
