"""Exceptions that no one failed from: spans note them, but the agent went on as planned."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_refinery.traces.model import Run

# How Python ends a task or a generator that no one waits for any more.
_ENDINGS = re.compile(r"\b(CancelledError|GeneratorExit|StopIteration|StopAsyncIteration)\b")
_RATE_LIMITED = re.compile(r"\b429\b|rate.?limit|too many requests", re.IGNORECASE)


def demoted(runs: Sequence[Run], *, noted: Collection[str]) -> tuple[tuple[Run, ...], tuple[str, ...]]:
    """Return runs without the exceptions that no ancestor failed from, and a sentence on these.

    Args:
        runs: In order.
        noted: The ids of those that noted an exception while their status says nothing.
    """
    by_id = {run.id: run for run in runs}
    survived = [run for run in runs if run.error and _is_survived(run, by_id, runs, noted=noted)]
    if not survived:
        return tuple(runs), ()
    ids = {run.id for run in survived}
    kept = (_as_event(run) if run.id in ids else run for run in runs)
    kinds = ", ".join(Counter((run.error or "").partition(":")[0][:60] for run in survived))
    return tuple(kept), (f"Exceptions that no run above failed from, read as events: {len(survived)} ({kinds}).",)


def _is_survived(run: Run, by_id: dict[str, Run], runs: Sequence[Run], *, noted: Collection[str]) -> bool:
    parent_id = run.parent_id
    # The root has no parent; a span may have an empty text as its id.
    while parent_id is not None and (parent := by_id.get(parent_id)) is not None:
        if parent.error:
            return False
        parent_id = parent.parent_id
    error = run.error or ""
    if _ENDINGS.search(error):
        return run.parent_id in by_id
    if _RATE_LIMITED.search(error):
        return _is_retried(run, runs)
    return run.id in noted and run.kind == RunKind.CHAIN and run.parent_id in by_id


def _is_retried(run: Run, runs: Sequence[Run]) -> bool:
    """Tell whether a later run of the same name below the same parent has succeeded."""
    later = runs[runs.index(run) + 1 :]
    return any(
        other.parent_id == run.parent_id and (other.name, other.kind) == (run.name, run.kind) and not other.error
        for other in later
    )


def _as_event(run: Run) -> Run:
    return run.model_copy(update={"error": None, "metadata": {**run.metadata, "exception": run.error}})
