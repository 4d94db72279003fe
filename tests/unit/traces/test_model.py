from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.errors import TraceError
from pytest_refinery.traces.model import Run, RunKind, Trace, in_order, independent

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def run(run_id: str, parent: str | None = None, *, start: float | None = None, end: float | None = None) -> Run:
    return Run(id=run_id, name=run_id, kind="chain", parent_id=parent, started_at=at(start), ended_at=at(end))


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else NINE + timedelta(seconds=seconds)


def order(*runs: Run) -> str:
    return "".join(found.id for found in in_order(list(runs), source="x.json"))


def trace(*runs: Run) -> Trace:
    return Trace(id="t", name="t", runs=in_order(list(runs), source="x.json"))


def test_parents_stand_before_children_and_siblings_by_start() -> None:
    assert order(run("d", "b", start=4), run("c", "a", start=5), run("b", "a", start=1), run("a", start=0)) == "abdc"


def test_a_missing_parent_makes_a_root() -> None:
    assert order(run("b", "gone", start=2), run("a", start=1)) == "ab"


def test_the_order_of_the_file_decides_where_no_time_is_known() -> None:
    assert order(run("a"), run("c", "a"), run("b", "a")) == "acb"
    assert order(run("a"), run("b", "a", start=1), run("x", "a"), run("c", "a", start=2)) == "abxc"


def test_of_two_that_start_together_the_first_to_end_came_first() -> None:
    assert order(run("a", start=0), run("slow", "a", start=0, end=9), run("b", "a", start=0, end=0)) == "abslow"
    assert order(run("open", start=0), run("done", start=0, end=9)) == "doneopen"


@given(
    parents=st.lists(st.integers(0, 20), max_size=20),
    shuffled=st.randoms(use_true_random=False),
)
def test_any_shuffling_of_a_tree_gives_the_same_order(parents: list[int], shuffled: object) -> None:
    runs = [run("0", start=0)]
    runs += [run(str(n), str(parent % n), start=n) for n, parent in enumerate(parents, start=1)]
    mixed = list(runs)
    shuffled.shuffle(mixed)  # type: ignore[attr-defined]
    found = in_order(mixed, source="x.json")
    assert found == in_order(runs, source="x.json")
    assert {item.id for item in found} == {item.id for item in runs}
    seen: set[str | None] = {None}
    for item in found:
        assert item.parent_id in seen
        seen.add(item.id)


def test_ten_thousand_runs_in_one_chain_are_no_recursion() -> None:
    chain = [run(str(number), str(number - 1) if number else None) for number in range(10_000)]
    assert in_order(chain[::-1], source="x.json") == tuple(chain)


def test_two_runs_of_one_id_are_refused() -> None:
    with pytest.raises(TraceError, match=r"^x\.json: two runs have the id a; ids must differ within a trace\.$"):
        order(run("a"), run("a"))


def test_a_cycle_is_refused() -> None:
    with pytest.raises(TraceError, match=r"^x\.json: the parents of run b form a cycle, so the trace has no order\.$"):
        order(run("a"), run("b", "c"), run("c", "b"))


def test_relations_of_runs() -> None:
    found = trace(run("a", start=0), run("b", "a", start=1), run("c", "b", start=2), run("z", "gone", start=9))
    assert found.numbers == {"a": 1, "b": 2, "c": 3, "z": 4}
    assert [item.id for item in found.roots] == ["a", "z"]
    assert found.root.id == "z"
    assert {parent: [child.id for child in children] for parent, children in found.children.items()} == {
        "a": ["b"],
        "b": ["c"],
    }
    assert [item.id for item in found.ancestors(found.by_id["c"])] == ["b", "a"]
    assert list(found.ancestors(found.by_id["z"])) == []


def test_durations() -> None:
    assert run("a", start=1, end=3.5).seconds == 2.5
    assert run("a", start=1).seconds is None
    assert trace(run("a", start=1, end=2), run("b", "a", start=1.5, end=4)).seconds == 3.0
    assert trace(run("a")).seconds is None


def test_kinds_compare_by_value() -> None:
    assert Run(id="a", name="a", kind="llm").kind == RunKind.LLM
    assert Run(id="a", name="a", kind="Guardrail").kind == "Guardrail"


def test_traces_are_frozen_and_survive_json() -> None:
    found = trace(run("a", start=0), run("b", "a", start=1))
    assert Trace.model_validate_json(found.model_dump_json()) == found
    with pytest.raises(ValueError, match="frozen"):
        found.name = "other"  # type: ignore[misc]


def test_what_is_derived_from_the_runs_is_derived_again_from_others() -> None:
    trace = Trace(id="t", name="t", runs=(Run(id="1", name="before", kind="llm"),))
    assert trace.root.name == trace.by_id["1"].name == "before"
    other = trace.model_copy(update={"runs": (Run(id="1", name="after", kind="llm"),)})
    assert other.root.name == other.by_id["1"].name == "after"
    assert (other.id, other.name, other.source) == (trace.id, trace.name, trace.source)


def test_an_independent_trace_shares_nothing_that_can_change() -> None:
    shared = {"role": "user", "content": ["hi"]}
    before = Run(id="1", name="n", kind="llm", inputs={"messages": [shared, shared]}, outputs=[shared], usage={"a": 1})
    trace = Trace(id="t", name="t", runs=(before,))
    assert trace.root is before
    found = independent(trace)
    assert found == trace
    run = cast("Any", found.root)
    run.inputs["messages"][0]["content"].append("more")
    run.outputs.clear()
    run.usage["a"] = 2
    assert (before.inputs, before.outputs, before.usage) == ({"messages": [shared, shared]}, [shared], {"a": 1})
    assert shared == {"role": "user", "content": ["hi"]}


def test_what_is_made_of_a_trace_is_made_once_and_again_for_a_copy() -> None:
    asked: list[str] = []

    def names(trace: Trace) -> tuple[str, ...]:
        asked.append(trace.id)
        return tuple(run.name for run in trace.runs)

    trace = Trace(id="t", name="t", runs=(Run(id="1", name="before", kind="llm"),))
    assert trace.derived(names) is trace.derived(names)
    other = trace.model_copy(update={"runs": (Run(id="1", name="after", kind="llm"),)})
    assert other.derived(names) == ("after",)
    assert asked == ["t", "t"]
