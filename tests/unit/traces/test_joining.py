"""However runs of several ways are opened and closed, they are one tree."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.traces.joining import Captured, joined
from pytest_refinery.traces.model import Run
from pytest_refinery.traces.nesting import Nesting

WAYS = ("LangSmith", "OpenTelemetry")
ROOT = "block"


def _last(stack: list[str]) -> str | None:
    return stack[-1] or None


@given(moves=st.lists(st.tuples(st.sampled_from(WAYS), st.booleans()), max_size=30), forgets=st.booleans())
def test_all_runs_are_in_one_tree_below_the_block(moves: list[tuple[str, bool]], *, forgets: bool) -> None:
    nesting, opened = Nesting(), {way: [""] for way in WAYS}
    for way in WAYS:
        nesting.add_way(way, partial(_last, opened[way]))
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    nesting.started(ROOT, way="by hand", parent_id=None)
    for number, (way, opens) in enumerate(moves):
        if not opens:
            del opened[way][max(len(opened[way]) - 1, 1) :]
            continue
        parent_id = None if forgets else _last(opened[way])
        run = Run(id=f"{way} {number}", name=str(number), kind="chain", parent_id=parent_id)
        nesting.started(run.id, way=way, parent_id=parent_id)
        runs[way].append(run)
        opened[way].append(run.id)
    captured = [Captured(way, ROOT, runs[way], ()) for way in WAYS]
    found, notes = joined([Run(id=ROOT, name=ROOT, kind="chain", inputs=1)], captured, nesting, source="test")
    assert sorted(run.name for run in found) == sorted([ROOT, *(run.name for way in WAYS for run in runs[way])])
    assert [run.name for run in found if run.parent_id is None] == [ROOT]
    assert [run.id for run in found] == [f"run-{number}" for number in range(1, len(found) + 1)]
    assert notes == ()
