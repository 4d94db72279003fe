"""Expert expectations about LLM-agent traces, run as pytest items."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_refinery.traces.recorder import record as record

_HOME = {"record": "pytest_refinery.traces.recorder"}
__all__ = ["record"]


def __getattr__(name: str) -> object:
    # pytest imports this package on every run, so nothing heavy may load here.
    if name not in _HOME:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOME[name]), name)
