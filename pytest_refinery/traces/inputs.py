"""What an agent was called with, so that it can be called again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.traces import answer
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Trace


def of(trace: Trace) -> object:
    """Return the inputs of the trace's last root, ``None`` where it records none.

    Of a transcript they are ``{"messages": [...]}``: what was said before the agent's last answer.
    """
    if trace.root.kind != RunKind.MESSAGE:
        return trace.root.inputs
    found = answer.of(trace)
    spoken = trace.runs if found.text is None else trace.runs[: trace.numbers[found.run.id] - 1]
    before = [run.outputs for run in spoken]
    return {"messages": before} if before else None
