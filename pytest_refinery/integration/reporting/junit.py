"""Puts a text into the ``system-out`` of an item in pytest's JUnit file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class JUnit:
    """The JUnit file of a run, where it writes one.

    pytest has no other way: its own ``system-out`` holds captured output alone, and that only with ``junit_logging``.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def add_output(self, report: pytest.TestReport, text: Callable[[], str]) -> None:
        """Add a text to the item that ``report`` is about, before its teardown is reported."""
        file = self._file()
        if file is not None:
            output = Element("system-out")
            output.text = text()
            file.node_reporter(report).append(output)

    def _file(self) -> Any:  # noqa: ANN401  (private to pytest)
        plugins = self._config.pluginmanager.get_plugins()
        return next((plugin for plugin in plugins if type(plugin).__name__ == "LogXML"), None)
