"""One tree of what several ways of recording say of the same call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.traces import messages
from pytest_refinery.traces.model import Run, RunKind, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_refinery.traces.nesting import Nesting

_CALLS = frozenset({RunKind.LLM, RunKind.TOOL})


@dataclass(frozen=True, slots=True)
class Captured:
    """What one library's tracing recorded in a block; ``root_id`` is the run of the block itself."""

    tracing: str
    root_id: str | None
    runs: Sequence[Run]
    notes: Sequence[str]


def joined(
    by_hand: list[Run], captured: Sequence[Captured], nesting: Nesting, *, source: str
) -> tuple[tuple[Run, ...], tuple[str, ...]]:
    """Return all runs in order, under new ids ``run-1``, ``run-2``, ..., and notes on what was left out.

    Raises:
        TraceError: Two runs share an id, or parents form a cycle.
    """
    kept = _each_call_once(captured)
    runs = [*by_hand, *(run for part in kept for run in _placed(part, nesting))]
    for part in kept:
        runs = _without_wrapper(runs, part.root_id)
    notes = (*(note for part in kept for note in part.notes), *_left_out(captured, kept))
    return _numbered(in_order(runs, source=source)), notes


def _each_call_once(captured: Sequence[Captured]) -> list[Captured]:
    """Return the captures without those that another repeats: of two of one block, the fuller one."""
    kept: list[Captured] = []
    for part in sorted(captured, key=lambda part: -len(_calls(part))):
        kinds = {run.kind for run in _calls(part)}
        others = (run for other in kept if other.root_id == part.root_id for run in _calls(other))
        if kinds.isdisjoint(run.kind for run in others):
            kept.append(part)
    return kept


def _calls(part: Captured) -> list[Run]:
    return [run for run in part.runs if run.kind in _CALLS]


def _left_out(captured: Sequence[Captured], kept: Sequence[Captured]) -> Iterator[str]:
    for part in captured:
        if part not in kept:
            yield (
                f"Runs left out because the agent records the same calls in another way too: {len(part.runs)} of its "
                f"{part.tracing} tracing."
            )


def _placed(part: Captured, nesting: Nesting) -> Iterator[Run]:
    """Yield the runs with the parents that they have in the whole; one without is inside the block's run."""
    ids = {run.id for run in part.runs}
    for run in part.runs:
        known = run.parent_id if run.parent_id in ids else None
        yield run.model_copy(update={"parent_id": nesting.parent_of(run.id) or known or part.root_id})


def _without_wrapper(runs: list[Run], root_id: str | None) -> list[Run]:
    """Drop the run of the block where the agent's own tracing has one run for all of it."""
    root = next((run for run in runs if run.id == root_id), None)
    inside = [run for run in runs if run.parent_id == root_id]
    if root is None or len(inside) != 1 or not _says_the_same(root, inside[0]):
        return runs
    (own,) = inside
    inputs = root.inputs if own.inputs is None else own.inputs
    top = own.model_copy(update={"parent_id": root.parent_id, "inputs": inputs})
    return [top if run is own else run for run in runs if run is not root]


def _says_the_same(root: Run, own: Run) -> bool:
    if root.error or own.error:
        return bool(root.error and own.error)
    said = messages.read(root.outputs)
    return own.outputs is not None and any(messages.read(outputs) == said for outputs in _unwrapped(own.outputs))


def _unwrapped(outputs: object) -> Iterator[object]:
    """Yield outputs as they are, and what they hold where a tracer has put a plain value into an object."""
    yield outputs
    if isinstance(outputs, Mapping) and len(outputs) == 1:
        yield from (outputs[key] for key in ("output", "outputs") if key in outputs)


def _numbered(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    # Ids that a library makes up differ each time, and so would what is asked about the trace.
    names = {run.id: f"run-{number}" for number, run in enumerate(runs, start=1)}
    return tuple(
        run.model_copy(update={"id": names[run.id], "parent_id": names.get(run.parent_id or "")}) for run in runs
    )
