"""What is recorded by hand, and how it is joined with what is captured."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import record
from pytest_refinery.traces.model import Run
from pytest_refinery.traces.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_refinery.traces.model import Trace
    from pytest_refinery.traces.nesting import Nesting


class Scripted:
    """A capture of the runs it is given."""

    def __init__(self, *runs: Run, name: str = "scripted", notes: tuple[str, ...] = ()) -> None:
        self.name = name
        self._runs = runs
        self._notes = notes
        self.is_active = False

    @contextmanager
    def active(self, nesting: Nesting) -> Iterator[None]:
        self.is_active = True
        yield
        self.is_active = False

    def captured(self) -> tuple[Sequence[Run], Sequence[str]]:
        return self._runs, self._notes


def recorder() -> Recorder:
    ticks = count()
    return Recorder("agent", now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(ticks)))


def finished(recorder: Recorder) -> Trace:
    trace = recorder.trace()
    assert trace is not None
    return trace


def heard(run_id: str, kind: str = "chain", *, parent: str | None = None, outputs: object = None) -> Run:
    return Run(id=run_id, name=run_id, kind=kind, parent_id=parent, outputs=outputs)


def tree(trace: Trace) -> list[tuple[str, str | None]]:
    names = {run.id: run.name for run in trace.runs}
    return [(run.name, names.get(run.parent_id or "")) for run in trace.runs]


def test_runs_by_hand_have_inputs_outputs_errors_and_times() -> None:
    made = recorder()

    def agent() -> None:
        with made.run("agent", inputs={"question": "Where?"}):
            with made.run("find", "tool", inputs={"id": 7}) as tool:
                tool.outputs = {"state": {"shipped"}}
            raise LookupError("gone")

    with pytest.raises(LookupError):
        agent()
    agent_run, tool_run = finished(made).runs
    assert (agent_run.id, agent_run.error, agent_run.seconds) == ("run-1", "LookupError: gone", 3)
    assert (tool_run.id, tool_run.parent_id, tool_run.outputs) == ("run-2", "run-1", {"state": ["shipped"]})


def test_what_changes_later_does_not_change_what_was_recorded() -> None:
    made, messages = recorder(), ["first"]
    with made.run("agent", inputs=messages) as agent:
        messages.append("second")
        agent.outputs = messages
        messages = [*messages]
    assert (finished(made).root.inputs, finished(made).root.outputs) == (["first"], ["first", "second"])


def test_a_run_that_is_still_open_is_pending() -> None:
    made = recorder()
    with made.run("agent"):
        assert [run.is_pending for run in finished(made).runs] == [True]


def test_nothing_recorded_is_no_trace() -> None:
    assert recorder().trace() is None


def test_code_of_the_agent_records_where_a_recorder_is_active_and_nowhere_else() -> None:
    with record("in production") as run:
        run.outputs = "kept by nobody"
    made = recorder()
    with made.capturing([]), record("by hand", "tool"):
        thread = threading.Thread(target=lambda: record("in a thread").__enter__())
        thread.start()
        thread.join()
    assert tree(finished(made)) == [("agent", None), ("by hand", "agent"), ("in a thread", "agent")]


def test_what_is_captured_is_inside_the_run_of_the_block() -> None:
    made, capture = recorder(), Scripted(heard("b", parent="a"), heard("a"), heard("c", parent="elsewhere"))
    was_active = []
    with made.capturing([capture], name="shop") as root:
        was_active.append(capture.is_active)
        root.outputs = "done"
    assert [*was_active, capture.is_active] == [True, False]
    assert sorted(tree(finished(made))) == [("a", "shop"), ("b", "a"), ("c", "shop"), ("shop", None)]
    assert finished(made).is_live


@pytest.mark.parametrize("outputs", ["done", {"output": "done"}])
def test_the_agents_own_run_for_all_of_it_stands_for_the_block(outputs: object) -> None:
    made = recorder()
    with made.capturing([Scripted(heard("own", outputs=outputs))], inputs={"question": "Where?"}) as root:
        root.outputs = "done"
    assert [(run.id, run.name, run.inputs) for run in finished(made).runs] == [("run-1", "own", {"question": "Where?"})]


def test_a_run_that_says_less_than_the_agent_does_not_stand_for_it() -> None:
    made = recorder()
    with made.capturing([Scripted(heard("graph", outputs={"messages": ["done"]}))]) as root:
        root.outputs = "done"
    assert tree(finished(made)) == [("agent", None), ("graph", "agent")]


def test_of_two_that_capture_the_same_calls_the_one_that_captured_more_is_kept() -> None:
    made = recorder()
    few = Scripted(heard("m", "llm"), heard("other"), name="Few", notes=("not said",))
    more = Scripted(heard("m1", "llm"), heard("m2", "llm"), name="More", notes=("said",))
    with made.capturing([few, more]):
        pass
    assert [run.name for run in finished(made).runs] == ["agent", "m1", "m2"]
    assert finished(made).notes == (
        "said",
        "Runs left out because the agent records the same calls in another way too: 2 of its Few tracing.",
    )


def test_two_that_hear_different_calls_are_both_kept() -> None:
    made = recorder()
    with made.capturing([Scripted(heard("m", "llm")), Scripted(heard("t", "tool"))]):
        pass
    assert {run.name for run in finished(made).runs} == {"agent", "m", "t"}


def test_blocks_one_after_the_other_are_roots_of_one_trace() -> None:
    made = recorder()
    for name in ("first", "second"):
        with made.capturing([], name=name) as root:
            root.outputs = name
    assert (tree(finished(made)), finished(made).root.outputs) == ([("first", None), ("second", None)], "second")
