"""Rules of the firm that are easier to write in Python than in YAML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_refinery.traces import answer
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Trace

_AMOUNT = re.compile(r"\d[\d,]*\.\d{2}")


def figures_come_from_tools(trace: Trace) -> None:
    """Assert that each amount in the final answer is one that a tool has returned."""
    returned = [str(run.outputs).replace(",", "") for run in trace.runs if run.kind == RunKind.TOOL]
    stated = _AMOUNT.findall(answer.of(trace).text or "")
    invented = [amount for amount in stated if not any(amount.replace(",", "") in output for output in returned)]
    assert not invented, f"the answer states {', '.join(invented)}, which no tool has returned"
