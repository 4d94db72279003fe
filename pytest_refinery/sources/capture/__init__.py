"""Traces of agents that run in this process: called by name, captured from their own tracing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_refinery.sources.capture.agent import Agent as Agent
    from pytest_refinery.sources.capture.agent import load as load
    from pytest_refinery.sources.capture.langsmith import LangSmithTracing as LangSmithTracing
    from pytest_refinery.sources.capture.otel import OpenTelemetryTracing as OpenTelemetryTracing

_HOME = {
    "Agent": "agent",
    "LangSmithTracing": "langsmith",
    "OpenTelemetryTracing": "otel",
    "load": "agent",
}
__all__ = ["Agent", "LangSmithTracing", "OpenTelemetryTracing", "load"]


def __getattr__(name: str) -> object:
    # The tracing libraries need not be installed.
    if name not in _HOME:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
