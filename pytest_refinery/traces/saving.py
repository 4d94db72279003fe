"""A trace as the text of a file that is read again as the same trace: records of runs in LangSmith's names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_refinery.traces.model import Run, Trace


def text(trace: Trace) -> str:
    """Return a trace as JSON, a list of its runs in their order."""
    records = [
        {key: item for key, item in _record(run, trace).items() if item not in (None, {}, [])} for run in trace.runs
    ]
    return json.dumps(records, indent=1, ensure_ascii=False, default=str) + "\n"


def _record(run: Run, trace: Trace) -> dict[str, Any]:
    return {
        "id": run.id,
        "trace_id": trace.id,
        "parent_run_id": run.parent_id,
        "name": run.name,
        "run_type": run.kind,
        "inputs": run.inputs,
        "outputs": run.outputs,
        "error": run.error,
        "status": "pending" if run.is_pending else "error" if run.error else "success",
        "start_time": _written(run.started_at),
        "end_time": _written(run.ended_at),
        "tags": list(run.tags),
        "extra": {"invocation_params": run.settings, "metadata": run.metadata},
        "serialized": run.template,
        **run.usage,
    }


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
