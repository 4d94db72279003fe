"""The pytest11 entry point: the hooks that everybody pays for. They only decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_refinery import options
from pytest_refinery.errors import ConfigurationError

if TYPE_CHECKING:
    from pytest_refinery.integration.fixture import UsedTrace

_MARKER = (
    "refinery(expect, why, severity, prompts): diagnose a failure of this test "
    "from the trace in its fixture refinery_trace."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare flags and ini keys."""
    options.add_to(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that others may implement."""
    from pytest_refinery import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings where the run asks for the plugin; a wrong one ends it here."""
    config.addinivalue_line("markers", _MARKER)
    try:
        if options.is_asked_for(config):
            settings = options.read(config)
            from pytest_refinery.integration import session

            session.start(config, settings)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture
def refinery_trace(request: pytest.FixtureRequest) -> UsedTrace:
    """The trace that a failure is diagnosed from: ``.load(path)``, ``.use(trace)``, ``.capture()`` or ``.run(...)``."""
    from pytest_refinery.integration.fixture import UsedTrace

    return UsedTrace(request.node)
