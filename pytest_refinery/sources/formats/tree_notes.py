"""What is said of a file whose records are not one whole tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pytest_refinery.traces.model import Run


def notes(runs: Sequence[Run], trace_ids: Collection[object]) -> Iterator[str]:
    """Yield a sentence where records are of several traces, and one where parents are missing."""
    if len(trace_ids) > 1:
        yield f"The file holds {len(trace_ids)} traces; they are read as one, in the order of their times."
    ids = {run.id for run in runs}
    orphans = sum(run.parent_id is not None and run.parent_id not in ids for run in runs)
    if orphans:
        yield f"Runs that stand as roots because their parent is not in the file: {orphans}."
