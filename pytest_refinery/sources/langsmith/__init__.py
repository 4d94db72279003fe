"""Traces that LangSmith keeps, fetched over its API."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_refinery.sources.langsmith.account import Account as Account
    from pytest_refinery.sources.langsmith.account import from_environment as from_environment
    from pytest_refinery.sources.langsmith.cache import TraceCache as TraceCache
    from pytest_refinery.sources.langsmith.client import Service as Service
    from pytest_refinery.sources.langsmith.references import id_in_path as id_in_path
    from pytest_refinery.sources.langsmith.references import read_reference as read_reference
    from pytest_refinery.sources.langsmith.source import Download as Download
    from pytest_refinery.sources.langsmith.source import LangSmith as LangSmith
    from pytest_refinery.sources.langsmith.transport import HttpTransport as HttpTransport

_HOME = {
    "Account": "account",
    "Download": "source",
    "HttpTransport": "transport",
    "LangSmith": "source",
    "Service": "client",
    "TraceCache": "cache",
    "from_environment": "account",
    "id_in_path": "references",
    "read_reference": "references",
}
__all__ = [
    "Account",
    "Download",
    "HttpTransport",
    "LangSmith",
    "Service",
    "TraceCache",
    "from_environment",
    "id_in_path",
    "read_reference",
]


def __getattr__(name: str) -> object:
    # A reference to a local file must not load the HTTP client, which is an extra.
    if name not in _HOME:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
