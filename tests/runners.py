"""Ways to run pytest in a test: alone, as xdist's workers send their reports, with xdist off, with two workers.

PYTEST_DONT_REWRITE: inner runs in this process load it after it has been loaded.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

RUNNERS = {
    "plain": ("-p", "no:xdist"),
    "sent": ("-p", "no:xdist", "-p", "tests.runners"),
    "n0": ("-n0",),
    "n2": ("-n2",),
}
WITH_HTML = ("-p", "metadata", "-p", "pytest_html.plugin", "-p", "pytest_html.fixtures")
# For the one test of each thing that crosses the border between processes: two workers take seconds to start.
WITH_WORKERS = pytest.mark.parametrize("plugin_args", ["plain", "n0", "n2"], indirect=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send each report through JSON, as from a worker to its controller."""
    report = yield
    hook = item.config.hook
    data = hook.pytest_report_to_serializable(config=item.config, report=report)
    received: pytest.TestReport = hook.pytest_report_from_serializable(
        config=item.config, data=json.loads(json.dumps(data))
    )
    return received
