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

    Returns:
        Functions by name. Each gets the ``Trace`` and the argument that stands behind the name in the file. It returns
        ``None`` or ``True`` where the check holds, ``False`` or a text that says what was there where it does not; it
        may also raise ``AssertionError``.
    """


@pytest.hookspec(firstresult=True)
def pytest_refinery_trace_source(reference: str) -> TraceSource | None:
    """Return the source that loads a trace.

    Called in any thread, as is the source: traces that are no local files are fetched ahead of their turn.

    Args:
        reference: What stands behind ``trace:``, as written.

    Returns:
        The source, or ``None`` to leave the reference to other plugins and to pytest-refinery itself.
    """


@pytest.hookspec(firstresult=True)
def pytest_refinery_cassette(item: pytest.Item, default: Path) -> Path | None:
    """Return the file of an item's cassette.

    Args:
        item: The item that is about to run.
        default: A file for each item in a folder for each file, below the suite's root.

    Returns:
        The path, absolute or relative to pytest's root directory, or ``None`` for the default.
    """


@pytest.hookspec
def pytest_refinery_scrub(text: str) -> str | None:
    """Take out of a text what no cassette may hold.

    Args:
        text: A URL, the value of a header, or a text of a body, before it is written or looked up.

    Returns:
        The text without it, or ``None`` to leave it as it is; the same for the same text each time.
    """


@pytest.hookspec(firstresult=True)
def pytest_refinery_analyst(name: str) -> Analyst | None:
    """Return the analyst that answers the stages of diagnoses.

    Args:
        name: What ``--refinery-analyst`` says.

    Returns:
        The analyst, or ``None`` to leave the name to others.
    """


@pytest.hookspec(firstresult=True)
def pytest_refinery_model_client(name: str) -> ModelClient | None:
    """Return the client that asks a model.

    What is asked, how answers are read, the budget, the cache and the plan are the same as with our own client.

    Args:
        name: What ``--refinery-model`` says.

    Returns:
        The client, or ``None`` to leave the model to others.
    """


@pytest.hookspec
def pytest_refinery_diagnosed(nodeid: str, diagnosis: Diagnosis) -> None:
    """Called when a failed item has been diagnosed, in the process that ran it.

    Args:
        nodeid: The id of the item, without what pytest-xdist adds to it.
        diagnosis: The result. An exception here is shown with the item, and changes no outcome.
    """
