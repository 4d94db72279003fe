"""The hooks that pytest-refinery offers to conftest files and other plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_refinery.analysis.ports import Analyst, ModelClient
    from pytest_refinery.analysis.schemas import Diagnosis
    from pytest_refinery.traces.source import TraceSource


@pytest.hookspec
def pytest_refinery_check() -> Mapping[str, Callable[..., object]]:  # type: ignore[empty-body]
    """Return checks for expectation files: each name with a function ``(trace, argument)``.

    The function returns ``None`` or ``True`` where the check holds, ``False`` or a text that
    says what was there where it does not; it may also raise ``AssertionError``.
    """


@pytest.hookspec(firstresult=True)
def pytest_refinery_trace_source(reference: str) -> TraceSource | None:
    """Return the source that loads ``reference`` (``trace:`` as written), or ``None`` to leave it to others.

    Called in any thread, as is the source: traces that are no local files are fetched ahead of their turn.
    """


@pytest.hookspec(firstresult=True)
def pytest_refinery_cassette(item: pytest.Item, default: Path) -> Path | None:
    """Return the cassette of an item, or ``None`` for the ``default``: one a file and item, below the suite's root."""


@pytest.hookspec
def pytest_refinery_scrub(text: str) -> str | None:
    """Return ``text`` without what no cassette may hold, or ``None`` to leave it as it is.

    Called with each URL, header value and text of a body before it is written.
    """


@pytest.hookspec(firstresult=True)
def pytest_refinery_analyst(name: str) -> Analyst | None:
    """Return the analyst called ``name`` (``--refinery-analyst``), or ``None`` to leave it to others."""


@pytest.hookspec(firstresult=True)
def pytest_refinery_model_client(name: str) -> ModelClient | None:
    """Return the client that asks the model called ``name`` (``--refinery-model``), or ``None`` to leave it to others.

    What is asked, how answers are read, the budget, the cache and the plan are the same as with our own client.
    """


@pytest.hookspec
def pytest_refinery_diagnosed(nodeid: str, diagnosis: Diagnosis) -> None:
    """Called when a failed item has been diagnosed, in the process that ran it."""
